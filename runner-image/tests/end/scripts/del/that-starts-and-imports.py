import sys


class Busy:
    def __del__(self):
        import colorsys

        print(colorsys.rgb_to_hsv(1, 0, 0), len(sys.modules) > 3)
        print(open(__loader__.path).readline())


kept = Busy()
