import atexit
import sys

atexit.register(print, "called")
atexit._run_exitfuncs()
import colorsys

print("__main__" in sys.modules, colorsys.__name__)
atexit.register(print, "at the end")
