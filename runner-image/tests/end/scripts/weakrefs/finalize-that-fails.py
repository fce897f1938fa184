import weakref


class Kept:
    pass


kept = Kept()
weakref.finalize(kept, lambda: 1 / 0)
weakref.finalize(kept, open("left.txt", "w").write, "written by a finalizer")
