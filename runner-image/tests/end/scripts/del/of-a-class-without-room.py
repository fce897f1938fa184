class Bare:
    __slots__ = ()

    def __del__(self):
        print("gone, and followed by no collector")


kept = Bare()
