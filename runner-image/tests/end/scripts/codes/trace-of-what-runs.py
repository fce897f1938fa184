import sys


def trace(frame, event, argument):
    if "/lib/" not in frame.f_code.co_filename:
        print(event, frame.f_code.co_name)


class Telling:
    def __del__(self):
        pass


def use():
    return kept


kept = Telling()
sys.settrace(trace)
