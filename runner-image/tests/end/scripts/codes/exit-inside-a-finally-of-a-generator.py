import sys


def numbers():
    try:
        yield 1
    finally:
        print("closed")
        sys.exit(4)


kept = numbers()
next(kept)
