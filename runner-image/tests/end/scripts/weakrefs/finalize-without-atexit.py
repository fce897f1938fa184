import weakref


class Kept:
    pass


kept = Kept()
weakref.finalize(kept, print, "never").atexit = False
gone = Kept()
weakref.finalize(gone, print, "at once")
del gone
