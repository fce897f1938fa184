"""Functions of the C library that Python does not offer."""

import os

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 36, 38
SECCOMP_MODE_FILTER = 2


def libc_function(name):
    """A function of the C library that takes integers, raising OSError when it returns -1."""
    import ctypes  # 2 ms: the runner pays while the script's process sets itself up

    function = getattr(ctypes.CDLL(None, use_errno=True), name)

    def call(*arguments):
        result = function(*(ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments))
        if result == -1:
            raise OSError(ctypes.get_errno(), name + ": " + os.strerror(ctypes.get_errno()))
        return result

    return call
