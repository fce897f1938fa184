import weakref


class Kept:
    pass


kept = Kept()
weakref.finalize(kept, print, "first made, last called")
weakref.finalize(kept, print, "last made, first called")
