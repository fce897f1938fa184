import json


async def work():
    print("never")


kept = work()
json.kept = work()
