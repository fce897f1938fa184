import sys


class Failing:
    def __del__(self):
        raise ValueError("unraisable")


sys.unraisablehook = lambda unraisable: print("hook", unraisable.exc_value)
kept = Failing()
