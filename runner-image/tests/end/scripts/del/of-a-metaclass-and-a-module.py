import sys
import types


class Meta(type):
    def __del__(cls):
        print("gone: a class")


class Made(metaclass=Meta):
    pass


class Module(types.ModuleType):
    def __del__(self):
        print("gone: a module")


sys.modules["made"] = Module("made")
