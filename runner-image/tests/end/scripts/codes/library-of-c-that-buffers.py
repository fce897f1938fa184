import ctypes

libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
stream = libc.fopen(b"left.txt", b"w")
libc.fputs(b"in a buffer of C", ctypes.c_void_p(stream))
libc.printf(b"and on stdout\n")
