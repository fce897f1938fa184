"""Scripts that are run cold and in a worker, and how each is run."""

import json
import os

from ..support import UNSHARE, works

IS_ROOT = os.geteuid() == 0
AS_NOBODY = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
UNTIL_THE_DEADLINE = {"order": {"timeoutSeconds": 2.5, "graceSeconds": 1.5}}
LITTLE_MEMORY = {"order": {"limits": {"addressSpaceBytes": 1 << 29}}}
LARGE_LOG = {"order": {"maxLogBytes": 1 << 30}}
SMALL_OUTPUT = {"order": {"maxOutputBytes": 20 << 20}}
UNSHARED = works(*UNSHARE, "true")


def without_other_processes(text):
    """The environment of the parent is the runner's, which is told by a variable that it is a worker."""
    return json.dumps({name: value for name, value in json.loads(text or "{}").items() if name.startswith(("env", "own"))})


HOW = {
    **{name: UNTIL_THE_DEADLINE for name in ("sleep-forever", "ignores-sigterm", "ends-inside-grace")},
    **{name: LITTLE_MEMORY for name in ("memory-bomb", "memory-bomb-child-fatal", "memory-bomb-child-handled")},
    **{name: LARGE_LOG for name in ("lines-1000000", "one-line-100mb")},
    **{name: SMALL_OUTPUT for name in ("fill-output", "fill-output-one-file")},
    "many-threads": {"change": lambda text: sorted(text.splitlines())},
    "reads-environment": {"change": without_other_processes},
    "writes-outside": {"prefix": AS_NOBODY, "possible": IS_ROOT},
    "no-network": {"prefix": ("unshare", "--net"), "possible": UNSHARED},
    "kills-everything": {"prefix": UNSHARE, "possible": UNSHARED},
    "fork-storm": {
        # Of a uid of its own, whose processes are counted.
        "prefix": (*UNSHARE, "setpriv", "--reuid=54322", "--regid=54322", "--clear-groups"),
        "possible": UNSHARED,
        "order": {"limits": {"processes": 300}},
    },
}

PROBE = r"""
import sys
frames = []
frame = sys._getframe()
while frame:
    frames.append(frame.f_code.co_name)
    frame = frame.f_back
print("names", sorted(globals()))
print("streams", [(type(s).__name__, s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.isatty(),
    type(s.buffer).__name__, s is getattr(sys, "__%s__" % s.name.strip("<>"))) for s in (sys.stdin, sys.stdout, sys.stderr)])
print("hooks", sys.excepthook is sys.__excepthook__, sys.unraisablehook is sys.__unraisablehook__,
    sys.displayhook is sys.__displayhook__, sys.breakpointhook is sys.__breakpointhook__, hasattr(sys, "tracebacklimit"))
print("warnings", [w for w in sys.modules["warnings"].filters if w[2].__module__ == "builtins" and not hasattr(w[1], "pattern")]
    if "warnings" in sys.modules else [w for w in __import__("_warnings").filters])
print("interpreter", sys.argv, sys.orig_argv if hasattr(sys, "orig_argv") else 0, sys.path, sys.flags, sys.warnoptions,
    sys.getrecursionlimit(), sys.getswitchinterval(), sys.getdlopenflags(), sys.gettrace(), sys.getprofile(),
    sys.dont_write_bytecode, sys._xoptions, getattr(sys, "get_int_max_str_digits", int)(), frames)
print("finders", [f for f in sys.meta_path if f.__class__ is type], len(sys.path_hooks))
print("main", __name__, __file__, __spec__, __package__, __doc__, type(__builtins__), type(__loader__), __loader__.path,
    __annotations__, __cached__, sys.modules["__main__"].__dict__ is globals())
import builtins
print("builtins", sorted(dir(builtins)), print, open, __import__)
import gc, os, signal, resource, locale, threading, faulthandler, tracemalloc, socket, multiprocessing, tempfile, time
import inspect, pickle, subprocess
print("environ", dict(os.environ), type(os.environ).__name__, type(os.environ._data), os.environb[b"JOB_ID"])
print("environ of C", subprocess.run(["env"], stdout=subprocess.PIPE).stdout.decode().splitlines())
print("environ of the kernel", open("/proc/self/environ").read().strip("\0"))
print("signals", [(s, signal.getsignal(s)) for s in signal.valid_signals()], signal.pthread_sigmask(signal.SIG_BLOCK, []))
print("timers", [signal.getitimer(t) for t in (0, 1, 2)], signal.set_wakeup_fd(-1))
status = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
status["SigCgt"] = int(status["SigCgt"], 16) & ~(3 << 31)  # the C library's own, for threads
print("status", [(k, status.get(k)) for k in ("SigBlk", "SigIgn", "SigCgt", "ShdPnd", "SigPnd", "CapEff", "NoNewPrivs", "Seccomp",
    "Umask", "Uid", "Gid", "Groups", "Cpus_allowed", "State")])
print("limits", [(n, resource.getrlimit(getattr(resource, n))) for n in dir(resource) if n.startswith("RLIMIT_")])
print("process", os.getcwd(), os.getsid(0) == os.getpid() == os.getpgid(0), os.getpriority(0, 0), os.sched_getaffinity(0),
    open("/proc/self/oom_score_adj").read(), os.stat("/proc/self/maps").st_uid == os.getuid(), sys.stdin.read())
def is_own(fd):  # not a file that a library keeps open, which the contract allows
    return fd < 3 or not os.path.isfile("/proc/self/fd/%d" % fd)
fds = [fd for fd in map(int, os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd/%d" % fd)]
print("descriptors", [(fd, os.readlink("/proc/self/fd/%d" % fd).split(":")[0]) for fd in sorted(fds) if is_own(fd)])
print("locale", locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(), sys.getfilesystemencoding(), time.tzname)
print("gc", gc.isenabled(), gc.get_threshold(), gc.get_debug())
print("debug", faulthandler.is_enabled(), tracemalloc.is_tracing())
print("threads", threading.enumerate() == [threading.main_thread()], threading.excepthook is threading.__excepthook__,
    threading.stack_size(), threading.main_thread().ident == threading.get_ident(), getattr(threading, "gettrace", int)())
print("modules", socket.getdefaulttimeout(), multiprocessing.get_start_method(allow_none=True),
    multiprocessing.current_process(), multiprocessing.process.ORIGINAL_DIR, tempfile.gettempdir())
def f(): pass
def depth(n=0):
    try:
        return depth(n + 1)
    except RecursionError:
        return n
print("source", inspect.getsource(f), f.__module__, pickle.loads(pickle.dumps(f)) is f, depth())
import atexit
atexit.register(print, "at the end")
print("last", file=sys.stderr)
def outer():
    raise ValueError("for its traceback")
outer()
"""

HOSTILE = """
import __main__, builtins, ctypes, faulthandler, gc, io, locale, multiprocessing, os, random, resource, signal, socket
import sys, threading, time, tracemalloc, warnings
print("left over of the import", end="")
ctypes.CDLL(None).printf(b"left over of C")
os.environ["LEAK"] = "python"
del os.environ["LANG"]
os.environ["TZ"] = "Asia/Tokyo"
time.tzset()
ctypes.CDLL(None).setenv(b"LEAK_OF_C", b"1", 1)
os.environ = {}
os.chdir("/")
os.umask(0o777)
locale.setlocale(locale.LC_ALL, "C")
resource.setrlimit(resource.RLIMIT_NOFILE, (77, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
with open("/proc/self/status") as status:
    capabilities = int(status.read().partition("CapEff:")[2].split()[0], 16)
if capabilities >> 23 & 1:  # CAP_SYS_NICE: it can be put back
    os.setpriority(os.PRIO_PROCESS, 0, 3)
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):
    signal.signal(number, lambda *_: print("hostile handler"))
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
ctypes.CDLL(None).signal(signal.SIGHUP, ctypes.c_void_p(1))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
signal.setitimer(signal.ITIMER_REAL, 1000)
sys.path.insert(0, "/nowhere")
sys.argv.append("--more")
sys.excepthook = sys.unraisablehook = sys.displayhook = sys.breakpointhook = print
sys.tracebacklimit = 0
sys.dont_write_bytecode = not sys.dont_write_bytecode
sys.setrecursionlimit(3000)
sys.setswitchinterval(0.5)
sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
sys.warnoptions.append("error")
getattr(sys, "set_int_max_str_digits", int)(9999)
gc.set_threshold(1, 2, 3)
gc.set_debug(gc.DEBUG_SAVEALL)
gc.disable()
faulthandler.enable(file=sys.__stderr__)
tracemalloc.start()
threading.excepthook = print
threading.settrace(print)
threading.stack_size(1 << 20)
socket.setdefaulttimeout(3)
multiprocessing.set_start_method("spawn")
warnings.simplefilter("error")
warnings.showwarning = print
__main__.LEAK = 1
builtins.open = None
sys.stdout = sys.stderr = io.StringIO()
sys.stdin = None
sys.setprofile(lambda *_: None)
sys.settrace(lambda *_: None)
"""

ERRORS_AND_ENDS = (
    "def f():\n    return {}['x']\nf()",
    "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e",
    "import json\njson.loads('{')",
    "print('a')\ndef broken(:\n    pass",
    "x = 1\n  y = 2",
    "raise SystemExit('text')",
    "raise KeyboardInterrupt",
    "import sys\nsys.exit()",
    "import sys\nsys.exit(256 + 7)",
    "import sys\nsys.exit([1, 'list'])",
    "import os\nos._exit(9)",
    "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
    "import os, signal\nos.kill(os.getpid(), signal.SIGHUP)",
    "import os, signal\nos.kill(os.getpid(), signal.SIGINT)",
    "import os\nos.abort()",
    "import os\nr, w = os.pipe()\nos.close(r)\nos.write(w, b'x')",
    "import sys\nsys.excepthook = lambda *e: print('hook', e[0].__name__, e[2].tb_lineno, e[2].tb_next)\n1 / 0",
    "def f(): f()\nf()",
    "import warnings\nwarnings.warn('old', DeprecationWarning)\nwarnings.warn('x')\nwarnings.warn('x', ResourceWarning)",
    "import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()\ntraceback.print_stack()",
    "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t')\nt.start(); t.join()\nprint('goes on')",
    "import sys, threading\nt = threading.Thread(target=lambda: sys.exit(5))\nt.start(); t.join()\nprint('goes on')",
    "import atexit, sys\natexit.register(print, 'last')\nsys.exit(4)",
    "import atexit\natexit.register(lambda: 1 / 0)\nprint('first')",
    "import logging\nlogging.warning('w')\nlogging.getLogger('x').error('e')",
    "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    raise ValueError\nasyncio.run(main())",
    "import tempfile, os\nkept = tempfile.TemporaryDirectory(dir=os.getcwd(), prefix='p')\nprint('kept')",
    "class C:\n    def __del__(self):\n        print('deleted')\nkept = C()",
    "import decimal\nclass C:\n    def __del__(self):\n        print('deleted')\ndecimal.kept = C()",
    "import asyncio.queues\nasyncio.queues.kept = open('kept', 'w')\nasyncio.queues.kept.write('x')",
    "import faulthandler\nfaulthandler.enable()\nimport ctypes\nctypes.string_at(0)",
    "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'import os; print(os.listdir(\"/proc/self/fd\"))'],"
    " stdout=subprocess.PIPE).stdout)",
)

MULTIPROCESSING = """
import multiprocessing, os, sys

def work(number):
    return number * 2, __name__, sys.argv == [__file__]

if __name__ == "__main__":
    print(multiprocessing.get_start_method())
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(work, [1, 2]))
"""
