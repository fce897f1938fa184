import atexit
import sys


def last():
    print("last", "__main__" in sys.modules, len(sys.modules) > 10, __name__)
    import colorsys

    print(colorsys.__name__)


atexit.register(last)
atexit.register(lambda: 1 / 0)
atexit.register(sys.exit, 9)


@atexit.register
def first():
    atexit.register(print, "registered at the end")
    print("first", "__file__" in globals())
