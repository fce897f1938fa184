"""Functions of the C library that Python does not offer."""

import os

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 36, 38
SECCOMP_MODE_FILTER = 2


def libc_function(name):
    """A function of the C library that takes integers and bytes, raising OSError when it returns -1."""
    import _ctypes  # 1 ms of processor time, which runner and script take at once; the module ctypes around it takes 4

    if not kinds:
        kinds.extend(make_kinds(_ctypes))
    Long, Function = kinds
    function = Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), name))

    def call(*arguments):
        result = function(*(Long(a) if isinstance(a, int) else a for a in arguments))
        if result == -1:
            raise OSError(_ctypes.get_errno(), name + ": " + os.strerror(_ctypes.get_errno()))
        return result

    return call


kinds = []  # made once, and not before they are needed


def make_kinds(_ctypes):
    """The types of an argument and of a function, as the module ctypes makes them."""

    class Int(_ctypes._SimpleCData):
        _type_ = "i"

    class Long(_ctypes._SimpleCData):
        _type_ = "L"

    class Function(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = Int

    return Long, Function


def address_of(data):
    """Where the content of these bytes lies, for as long as they are held."""
    import _ctypes

    class Pointer(_ctypes._SimpleCData):
        _type_ = "z"

    return int.from_bytes(bytes(Pointer(data)), "little")
