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

import builtins
import gc
import sys

from .endings import Endings


# Objects of the script above which it is not looked at them: the list of them takes 8 bytes for each at most, and a script may be
# at the end of its memory.
MOST_OBJECTS = 3_000_000


def prepare_end():
    """Called in the script's process before anything else asks to be called at its end; returns the `End`.

    What takes time is left to the end: the script waits for this.
    """
    import atexit

    end = End()
    # Called from the last to the first. A trace function of the script's is away while `end` runs, and sees nothing of it: all
    # others are C code.
    atexit.register(end.results.extend, map(sys.settrace, end.traces))
    atexit.register(end.results.extend, map(sys.setprofile, end.profiles))
    atexit.register(end)
    atexit.register(sys.settrace, None)
    atexit.register(sys.setprofile, None)
    atexit.register(end.found.extend, zip((None,), iter(sys.gettrace, end), iter(sys.getprofile, end)))
    return end


class Marker:
    """An object among those that the collector shows, until somebody freezes them."""


class End:
    def __init__(self):
        self.found, self.traces, self.profiles, self.results = [], [], [], []
        self.modules = sys.modules
        self.builtins, self.builtins_before = vars(builtins), dict(vars(builtins))
        self.endings = Endings((sys.stdin, sys.stdout, sys.stderr), sys.path[1:])
        self.marker = Marker()
        self.blocks_before = 0

    def freeze_libraries(self):
        """Called when a worker has its libraries: the script's collections need not go through them, nor the look at its end."""
        from _functools import partial
        from _weakref import ReferenceType

        self.builtins_before.update(self.builtins)
        objects = gc.get_objects()
        if self.endings.find_reason(objects, self.modules) is None:
            self.endings.accept_present(objects)
            # Until `atexit` lets go of this, which is when it has called it, or when a script makes it forget.
            freeze_with(ReferenceType(self, partial(next, iter(gc.unfreeze, self.marker))))
            self.marker = Marker()
            self.blocks_before = sys.getallocatedblocks()

    def __call__(self):
        try:
            ((_, trace, profile),) = self.found
            self.traces += [trace] if trace else []
            self.profiles += [profile] if profile else []
            # First of all, as the rest uses them.
            is_known = self.builtins == self.builtins_before and self.is_called_by_the_interpreter()
            if is_known and sys.getallocatedblocks() - self.blocks_before < MOST_OBJECTS:
                objects = gc.get_objects()
                if Marker not in map(type, objects):  # the script has frozen everything: so it stays
                    freeze_with(self)
                elif self.endings.find_reason(objects, self.modules) is None:
                    self.let_go()
        except BaseException:  # memory, recursion, a signal: Python's own end needs nothing of this
            pass

    def is_called_by_the_interpreter(self):
        """And not by a script that calls the functions of `atexit` itself, and goes on."""
        try:
            raise LookupError
        except LookupError as error:  # as sys._getframe() does, of which audit hooks hear
            return error.__traceback__.tb_frame.f_back.f_back is None

    def let_go(self):
        last = {name: self.modules[name] for name in ("sys", "builtins")}
        freeze_with(self, *self.modules.values())
        self.modules.clear()
        self.modules.update(last)


def freeze_with(*objects):
    """Freezes all that there is, with these objects among it, which nobody else need hold."""
    kept = [*objects]
    kept.append(kept)
    gc.freeze()
