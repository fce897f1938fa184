import sys


class Telling:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("gone:", self.name, sys.is_finalizing(), "__file__" in globals())


first = Telling("first")
_second = Telling("second")
__third = Telling("third")
fourth = [Telling("in a list"), Telling("in a list, too")]
