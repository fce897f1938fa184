import json
import sys


class Failing:
    def __del__(self):
        print("before")
        json.dumps({})
        raise ValueError("at the end")


kept = Failing()


def use():
    return kept


sys.exit(3)
