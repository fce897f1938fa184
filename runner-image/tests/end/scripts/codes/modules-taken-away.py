import sys


class Odd:
    def __getattr__(self, name):
        print("asked for", name)
        raise AttributeError(name)


sys.modules["odd"] = Odd()
sys.modules["nothing"] = None
del sys.modules["__main__"]
print("done")
