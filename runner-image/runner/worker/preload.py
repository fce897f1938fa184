"""Libraries ahead: what they change for the whole process is put back, or nothing is imported."""

import _signal as signal
import fcntl
import os
import resource
import sys
import time
from time import monotonic as clock

from ..libc import libc_function
from ..script import replace_environment
from .messages import say

NOTHING_PRELOADED = {"preloaded": [], "environmentRead": [], "openFiles": [], "threads": 1}


class PreloadFailed(Exception):
    """A module cannot be imported ahead; carries its name."""

    def __init__(self, module, reason):
        super().__init__(reason)
        self.module = module


def preload(modules, report_fd):
    """Imports the modules and puts back what they changed for the whole process; returns what there is to know of it.

    What an import adds for its own working stays: handlers for the end, finders, filters for its own warnings.
    """
    import gc

    state, descriptors = ProcessState(), set(open_descriptors())
    imported, kept = [], {}
    with NotedEnvironment() as noted, OwnWarningFilters():
        for name in modules:
            say(report_fd, {"importing": name})
            began = clock()
            try:
                __import__(name)
            except BaseException as error:
                raise PreloadFailed(name, "%s: %s" % (type(error).__name__, error)) from error
            imported.append({"module": name, "milliseconds": round((clock() - began) * 1000, 1)})
            gc.collect()
            kept = what_stays(name, descriptors)
    try:
        state.put_back()
    except BaseException as error:
        reason = "what an import changed cannot be put back: %s: %s" % (type(error).__name__, error)
        raise PreloadFailed(", ".join(modules), reason) from error
    return {"preloaded": imported, "environmentRead": noted.names(), **kept}


def what_stays(module, before):
    """What an import left that cannot be taken back and is harmless; `PreloadFailed` where it is not."""
    import stat

    if len(sys._current_frames()) > 1:
        raise PreloadFailed(module, "it leaves a Python thread running")
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        raise PreloadFailed(module, "it leaves a process running")
    except ChildProcessError:
        pass
    files = []
    for fd in set(open_descriptors()) - before:
        path, kind = os.readlink("/proc/self/fd/%d" % fd), os.fstat(fd).st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISCHR(kind)) or fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
            raise PreloadFailed(module, "it leaves a descriptor open that is not a file for reading: " + path)
        os.set_inheritable(fd, False)  # nor may the script's children have it
        files.append(path)
    return {"openFiles": sorted(files), "threads": len(os.listdir("/proc/self/task"))}


def open_descriptors():
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
            yield int(name)
        except OSError:
            pass  # the descriptor of the listing itself


class NotedEnvironment:
    """Notes which variables are asked for by name, so that no job which sets one of them is run here."""

    def __enter__(self):
        noted = self.noted = set()

        class Noting(dict):
            def __getitem__(self, key):
                noted.add(key)
                return dict.__getitem__(self, key)

        self.data = os.environ._data
        os.environ._data = os.environb._data = Noting(self.data)
        self.environ, self.environb = os.environ, os.environb
        return self

    def __exit__(self, *_):
        os.environ, os.environb = self.environ, self.environb
        os.environ._data = os.environb._data = self.data

    def names(self):
        return sorted(os.fsdecode(name) for name in self.noted)


class OwnWarningFilters:
    """Takes back the filters that an import adds for all warnings, and leaves those for its own: they name something."""

    def __enter__(self):
        import warnings

        self.module, self.before, self.caught = warnings, list(warnings.filters), warnings.catch_warnings()
        self.caught.__enter__()

    def __exit__(self, *error):
        added = [each for each in self.module.filters if each not in self.before]
        self.caught.__exit__(*error)
        for action, message, category, module, line in reversed(added):
            if message or module or category.__module__ != "builtins":
                patterns = (message.pattern if message else ""), (module.pattern if module else "")
                self.module.filterwarnings(action, patterns[0], category, patterns[1], line)


class ProcessState:
    """What belongs to the whole process, as it was before the libraries came."""

    def __init__(self):
        import builtins

        self.env = dict(os.environ)
        self.main = sys.modules["__main__"]
        self.namespaces = [(vars(module), dict(vars(module))) for module in (sys, builtins)]
        self.lists = [(value, list(value)) for value in (sys.path, sys.warnoptions, sys.argv)]
        self.settings = [(read, write, read()) for read, write in process_settings()]
        sys.path = sys.path[1:]  # nothing is to come from the job's folder

    def put_back(self):
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
        for namespace, before in self.namespaces:
            namespace.update(before)
        vars(sys).pop("tracebacklimit", None)
        for value, before in self.lists:
            value[:] = before
        libc_function("clearenv")()  # what C code has set, too
        replace_environment(self.env)
        time.tzset()  # reads it
        for read, write, before in self.settings:
            if read() != before:
                write(before)
        sys.modules["__main__"] = self.main
        put_back_signals()
        put_back_modules()


def process_settings():
    """(read, write) of each setting."""
    import _locale
    import _thread
    import _tracemalloc
    import faulthandler
    import gc

    def umask():
        mask = os.umask(0)
        os.umask(mask)
        return mask

    def switch(on, off):
        return lambda is_on: on() if is_on else off()

    yield os.getcwd, os.chdir
    yield umask, os.umask
    yield lambda: _locale.setlocale(_locale.LC_ALL, None), lambda names: _locale.setlocale(_locale.LC_ALL, names)
    yield lambda: os.sched_getaffinity(0), lambda cpus: os.sched_setaffinity(0, cpus)
    yield lambda: os.getpriority(os.PRIO_PROCESS, 0), lambda nice: os.setpriority(os.PRIO_PROCESS, 0, nice)
    yield sys.getrecursionlimit, sys.setrecursionlimit
    yield sys.getswitchinterval, sys.setswitchinterval
    yield sys.getdlopenflags, sys.setdlopenflags
    yield sys.gettrace, sys.settrace
    yield sys.getprofile, sys.setprofile
    yield _thread.stack_size, _thread.stack_size
    yield gc.isenabled, switch(gc.enable, gc.disable)
    yield gc.get_threshold, lambda numbers: gc.set_threshold(*numbers)
    yield gc.get_debug, gc.set_debug
    yield faulthandler.is_enabled, switch(faulthandler.enable, faulthandler.disable)
    yield _tracemalloc.is_tracing, switch(_tracemalloc.start, _tracemalloc.stop)
    if hasattr(sys, "get_int_max_str_digits"):
        yield sys.get_int_max_str_digits, sys.set_int_max_str_digits
    for kind in {getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}:
        yield lambda kind=kind: resource.getrlimit(kind), lambda pair, kind=kind: resource.setrlimit(kind, pair)


def put_back_signals():
    for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
        # Whatever Python thinks it is: C code may have set another one.
        signal.signal(number, signal.SIG_IGN if number in (signal.SIGPIPE, signal.SIGXFSZ) else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.set_wakeup_fd(-1)
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def put_back_modules():
    """The state of modules that a new interpreter would have in another form."""
    loaded = sys.modules.get
    if loaded("threading"):
        loaded("threading").excepthook = sys.modules["_thread"]._excepthook
        loaded("threading").settrace(None)
        loaded("threading").setprofile(None)
    if loaded("multiprocessing"):
        loaded("multiprocessing").set_start_method(None, force=True)
    if loaded("_socket"):
        loaded("_socket").setdefaulttimeout(None)
    for name in ("random", "numpy.random"):
        if loaded(name):
            loaded(name).seed()  # from the system: two workers must not draw the same numbers
