import atexit
import weakref


class Kept:
    pass


kept = Kept()
weakref.finalize(kept, print, "when it goes")
atexit.unregister(weakref.finalize._exitfunc)
