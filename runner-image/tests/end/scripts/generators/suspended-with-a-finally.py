import json


def numbers(name):
    try:
        yield 1
        yield 2
    finally:
        print("closed:", name)


kept = numbers("of the script")
json.kept = numbers("of a library")
print(next(kept), next(json.kept))
unstarted = numbers("not started")
