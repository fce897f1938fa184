import os
import sys
import weakref


class Kept:
    def __call__(self):
        pass


class Quiet:
    pass


def tell(proxy, write=os.write):
    write(1, b"dead\n")


def without_names(function):
    return type(function)(function.__code__, {}, "tell", function.__defaults__)


kept, quiet = Kept(), Quiet()
sys.proxies = [weakref.proxy(kept, without_names(tell)), weakref.proxy(quiet, without_names(tell)), weakref.proxy(quiet)]
