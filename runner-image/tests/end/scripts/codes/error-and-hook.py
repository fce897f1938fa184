import sys


def hook(kind, error, traceback):
    print("hook", kind.__name__, __file__ is not None)
    sys.exit(8)


sys.excepthook = hook
raise ValueError("shown by a hook")
