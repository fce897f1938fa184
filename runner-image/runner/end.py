"""The end of the script's process: Python's own, which does not take apart what has no end of its own.

When a script is over, `Py_FinalizeEx` (Python/pylifecycle.c of CPython 3.11 to 3.13)

1. waits for threads: `threading._shutdown()`;
2. calls the functions of `atexit`, the last registered first, and prints what they raise;
3. declares the interpreter finalizing, drops daemon threads, flushes `sys.stdout` and `sys.stderr`, where a failure
   makes the exit code 120, switches signals off, and collects garbage;
4. takes all modules apart (`finalize_modules`): empties `sys.modules`, collects what nobody holds any more, clears those
   that somebody holds (the last imported first, names with one underscore before others), then `sys` and `builtins`;
5. flushes again, frees the interpreter, and leaves by the C library's `exit`, or by SIGINT after a KeyboardInterrupt.

Step 4 takes most of the time, and all of it for nothing unless an object does something when it goes. So the last function
of step 2 looks for such an object (endings.py). Where there is none, it takes the modules out of `sys.modules` and gives all
objects to the permanent generation, which is never collected: step 4 finds nothing to do. All else stays Python's own.
Where there is one, or something that is not known, it changes nothing.
"""

import sys

from .endings import Endings


def prepare_end():
    """Called in the script's process before anything else asks to be called at its end; returns the `End`."""
    import atexit
    from _operator import call
    from itertools import compress

    end = End()
    # Called from the last to the first, by C code alone: a trace function of the script's sees nothing of this.
    # A worker's libraries may have one for good, so it is taken away only while `end` runs.
    switches, before, results = (sys.settrace, sys.setprofile), [], []
    atexit.register(results.extend, map(call, compress(switches, before), filter(None, before)))
    atexit.register(end)
    atexit.register(results.extend, map(call, compress(switches, before), (None, None)))
    atexit.register(before.extend, map(call, (sys.gettrace, sys.getprofile)))
    return end


class Marker:
    """An object among those that the collector shows, until somebody freezes them."""


class End:
    def __init__(self):
        import gc

        self.gc = gc
        self.modules = sys.modules
        self.endings = Endings()
        self.marker = Marker()
        self.has_frozen = False

    def freeze_libraries(self):
        """Called when a worker has its libraries: the script's collections need not go through them, nor the look at its end."""
        if self.find_reason(self.gc.get_objects()) is None:
            self.endings.accept_present(self.gc.get_objects())
            self.gc.freeze()
            self.marker = Marker()
            self.has_frozen = True

    def __call__(self):
        try:
            try:
                raise LookupError
            except LookupError as error:  # as sys._getframe() does, of which audit hooks hear
                is_last = error.__traceback__.tb_frame.f_back is None
            if is_last:
                objects = self.gc.get_objects()
                has_frozen_all = Marker not in map(type, objects)
                if has_frozen_all or self.find_reason(objects):
                    del objects
                    self.leave_to_python(has_frozen_all)
                else:
                    self.let_go()
        except BaseException:  # memory, recursion, a signal: Python's own end needs nothing of this
            self.leave_to_python()

    def find_reason(self, objects):
        """Why Python has to take everything apart, or None."""
        return self.endings.find_reason(objects, self.modules)

    def let_go(self):
        kept = list(self.modules.values())
        kept.append(kept)  # nobody else holds it, and what is frozen stays
        self.gc.freeze()
        ends = {name: self.modules[name] for name in ("sys", "builtins")}
        self.modules.clear()
        self.modules.update(ends)

    def leave_to_python(self, has_frozen_all=False):
        """With what it would have found in a cold start; a script that froze everything has frozen the libraries, too."""
        if self.has_frozen and not has_frozen_all:
            self.gc.unfreeze()
