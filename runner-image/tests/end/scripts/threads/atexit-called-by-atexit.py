import atexit
import sys


def again():
    atexit.unregister(again)
    atexit._run_exitfuncs()
    import colorsys

    print("sys" in sys.modules, "__main__" in sys.modules, colorsys.__name__)


atexit.register(again)
atexit.register(print, "once")
