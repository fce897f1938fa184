"""Holds worker mode to docs/runner-contract.md:  python3 -m unittest discover -s runner-image

The first half runs every script twice, cold and in a worker, and compares all that can be seen of it. RUNNER_TEST_PRELOAD
(modules, comma separated) chooses what those workers import ahead, so that an image's own libraries can be tried:

    docker run --rm -e RUNNER_TEST_PRELOAD=geopandas,matplotlib.pyplot -v "$PWD":/r:ro py-exec:latest \\
        python3 -m unittest discover -s /r/runner-image -p test_worker.py
"""

import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import textwrap
import time

from test_job_runner import (
    ENDED,
    HERE,
    OUTPUT,
    PATIENCE_SECONDS,
    PYTHON,
    RUNNER,
    STARTED,
    STDERR,
    STDOUT,
    UNPRIVILEGED_UID,
    UNSHARE,
    Listener,
    RunnerCase,
    end,
    job_runner,
    needs_namespace,
    needs_a_look_at_others,
    processes_with_environment,
    processor_seconds,
    tell,
    works,
)

PRELOAD = os.environ.get("RUNNER_TEST_PRELOAD", "asyncio,concurrent.futures,ctypes,decimal,multiprocessing.pool,random")
FIXTURES = os.path.join(HERE, "..", "test", "fixtures", "scripts")
EXAMPLES = os.path.join(HERE, "..", "examples")
IS_ROOT = os.geteuid() == 0
AS_NOBODY = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")


class WorkerCase(RunnerCase):
    """Ways to start a worker, to give it a job, and to run the same job cold."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("library"))
        self.write("input", "request.json", content='{"count": 5, "intervalMs": 5}')
        self.environ.update(PYTHONPATH=self.path("library"), PYTHONDONTWRITEBYTECODE="1", RUNNER_WORKER="0")

    def module(self, name, source):
        self.write("library", name + ".py", content=textwrap.dedent(source))

    def start_worker(self, preload="", prefix=(), runner=RUNNER, **variables):
        process = subprocess.Popen(
            [*prefix, PYTHON, "-u", runner],
            env={**self.environ, "RUNNER_WORKER": "1", "RUNNER_PRELOAD": preload, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(end, process)
        return process

    def ready(self):
        """What the worker says once it waits."""
        path = self.path("spool", "ready")
        self.wait_for(lambda: os.path.exists(path), "the worker's readiness")
        with open(path) as file:
            return json.load(file)

    def hand_over(self, script, order=None):
        self.write("job", "script.py", content=textwrap.dedent(script) if isinstance(script, str) else script)
        self.write("job", "new", content=json.dumps(self.order if order is None else order))
        os.rename(self.path("job", "new"), self.path("job", "job.json"))

    def run_warm(self, script, preload=PRELOAD, **how):
        process = self.start_worker(preload, **how)
        self.said = self.ready()
        self.hand_over(script)
        return self.finish(process)

    def clear(self):
        """Makes the folders what they were, so that the next run finds the same paths."""
        for name in ("job", "output", "spool"):
            subprocess.run(["chmod", "-R", "u+rwX", self.path(name)], stderr=subprocess.DEVNULL)
            shutil.rmtree(self.path(name))
            os.mkdir(self.path(name))
            os.chmod(self.path(name), 0o777)

    def assert_nothing_ran(self, process, code, sentence):
        result = self.finish(process)
        self.assertEqual((result.code, result.log), (code, b""), result.stderr)
        self.assertRegex(result.stderr.decode(), sentence)
        self.assertEqual(os.listdir(self.path("output")), [])
        self.assertEqual(processes_with_environment(self.root), [])


DIFFERENT = re.compile(r"0x[0-9a-f]+|\nExtension modules: .*\n")
STREAMS = {"stdout": STDOUT, "stderr": STDERR}
SEEN = ("exitCode", "signal", "timedOut", "stopped", "diskExceeded", "oomKills", "droppedBytes")


class ColdAndWarm(WorkerCase):
    maxDiff = None

    def seen(self, result, change):
        """All that is to be the same of two runs: not addresses, nor the modules that faulthandler lists."""
        kinds = [frame.kind for frame in result.frames]
        return {
            "code": result.code,
            "shape": (kinds[0], set(kinds[1:-1]) - {OUTPUT}, kinds[-1]),
            **{name: change(DIFFERENT.sub("", result.text(stream))) for name, stream in STREAMS.items()},
            **{name: result.ended[name] for name in SEEN},
            "outputs": None if result.ended["diskExceeded"] else self.outputs(),
        }

    def outputs(self):
        """Names and sizes of all that a run left: contents may name the time."""
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(self.path("output")) for name in names]
        return sorted((path, os.lstat(path).st_size) for path in paths)

    def assert_same(self, script, preload=PRELOAD, prefix=(), change=lambda text: text):
        self.clear()  # of what a failure has left, too
        cold = self.seen(self.finish(self.start(script, prefix=prefix)), change)
        self.clear()
        result = self.run_warm(script, preload, prefix=prefix)
        warm, self.complaints = self.seen(result, change), result.stderr.decode()
        self.clear()
        self.assertEqual(self.said["failed"], [])
        if len(cold["stdout"]) > 100_000:
            self.assertTrue(cold["stdout"] == warm["stdout"])  # a difference would take minutes to show
            cold["stdout"] = warm["stdout"] = ""
        self.assertEqual(warm, cold)
        return cold

    def test_everything_that_a_script_can_observe(self):
        self.order["env"] = {"NAME": "välue", "EMPTY": ""}
        self.order["limits"] = {"addressSpaceBytes": 1 << 40, "processes": 5000, "openFiles": 99}
        self.environ.update(SECRET="of the server", FROM_IMAGE="yes", RUNNER_PASS_ENV="FROM_IMAGE,PYTHONPATH")
        said = self.assert_same(PROBE)
        self.assertNotIn("SECRET", said["stdout"])
        self.assertIn("'NAME': 'välue'", said["stdout"])

    def test_everything_after_an_import_that_changes_whatever_it_can(self):
        self.module("hostile", HOSTILE)
        self.environ.update(TZ="EST5EDT", RUNNER_PASS_ENV="TZ")
        self.assert_same(PROBE, "hostile")
        self.assertEqual(self.complaints, "left over of the importleft over of C")

    def test_errors_and_ends(self):
        def compare(own, script):
            own.assert_same(script)
            own.assertEqual(own.complaints, "")

        self.assert_each(ERRORS_AND_ENDS, compare)

    def test_multiprocessing_finds_the_script_and_its_own_start_method(self):
        self.module("starts", "import multiprocessing\nmultiprocessing.set_start_method('spawn')")
        self.assert_same(MULTIPROCESSING, PRELOAD + ",starts")

    def test_a_signal_reaches_the_script(self):
        self.order.update(timeoutSeconds=2.5, graceSeconds=60)
        self.assert_same(
            """
            import signal, sys, time
            signal.signal(signal.SIGTERM, lambda number, frame: (print("got", number), sys.exit(6)))
            signal.signal(signal.SIGUSR1, lambda number, frame: print("got", number))
            signal.raise_signal(signal.SIGUSR1)
            while True: time.sleep(60)
            """
        )

    def test_every_fixture(self):
        paths = sorted(glob.glob(os.path.join(FIXTURES, "*.py")))
        self.assertGreater(len(paths), 30)
        names = [os.path.basename(path)[: -len(".py")] for path in paths]
        names = [name for name in names if not name.startswith("tampers-")]  # below
        possible = [name for name in names if HOW.get(name, {}).get("possible", True)]
        for name in sorted({*names} - {*possible}):
            tell("SKIPPED", "the fixture %s cold and warm, which needs what this user may not do" % name)

        def compare(own, name):
            how = HOW.get(name, {})
            own.order.update(how.get("order", {}))
            how = {key: value for key, value in how.items() if key in ("prefix", "change")}
            with open(os.path.join(FIXTURES, name + ".py"), "rb") as file:
                own.assert_same(file.read(), **how)

        self.assert_each(possible, compare)

    def assert_each(self, cases, compare):
        """Compares each in folders of its own, a few at the same time: most of it is waiting."""

        def compare_apart(case):
            own = ColdAndWarm()
            own.setUp()
            try:
                compare(own, case)
            finally:
                own.doCleanups()

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for case, future in [(case, pool.submit(compare_apart, case)) for case in cases]:
                with self.subTest(case):
                    future.result()

    def test_scripts_that_damage_their_log_end_alike(self):
        for path in glob.glob(os.path.join(FIXTURES, "tampers-*.py")):
            with self.subTest(path), open(path, "rb") as file:
                self.order["env"] = {"RUNNER_SPOOL_DIR": self.path("spool")}
                script = file.read()
                cold = self.start(script)
                ends = [(cold.wait(PATIENCE_SECONDS), os.path.islink(self.path("spool", "log")))]
                self.clear()
                warm = self.start_worker(PRELOAD)
                self.ready()
                self.hand_over(script)
                ends.append((warm.wait(PATIENCE_SECONDS), os.path.islink(self.path("spool", "log"))))
                self.clear()
                self.assertEqual(ends[0], ends[1])

    def test_every_example_whose_libraries_are_there(self):
        ran = 0
        for folder in sorted(glob.glob(os.path.join(EXAMPLES, "*", ""))):
            with open(folder + "script.py", "rb") as file:
                script = file.read()
            wanted = re.findall(rb"^(?:import|from) (pandas|geopandas|folium|matplotlib)", script, re.M)
            if not works(PYTHON, "-c", "import os;" + "".join("import %s;" % name.decode() for name in wanted)):
                continue
            shutil.rmtree(self.path("input"))
            os.mkdir(self.path("input"))
            self.write("input", "request.json", content="null")
            if os.path.isdir(folder + "input"):
                shutil.copytree(folder + "input", self.path("input"), dirs_exist_ok=True)
            if os.path.exists(folder + "request.json"):
                shutil.copy(folder + "request.json", self.path("input"))
            with self.subTest(folder):
                self.assert_same(script)
                ran += 1
        self.assertGreaterEqual(ran, 3)


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
print("gc", gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.get_freeze_count())
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


class Readiness(WorkerCase):
    def test_it_says_what_it_has_imported_and_leaves_the_log_empty(self):
        self.module("reads", "import os\nos.environ.get('COLOUR'), os.getenv('SHAPE'), 'SIZE' in os.environ")
        process = self.start_worker(" json , reads,xml.dom.minidom,")
        said = self.ready()
        self.assertEqual(said["version"], 1)
        self.assertEqual([each["module"] for each in said["preloaded"]], ["json", "reads", "xml.dom.minidom"])
        self.assertTrue(all(0 <= each["milliseconds"] < 60_000 for each in said["preloaded"]))
        self.assertLessEqual({"COLOUR", "SHAPE", "SIZE"}, set(said["environmentRead"]))
        self.assertEqual((said["failed"], said["openFiles"], said["threads"]), ([], [], 1))
        self.assertEqual(self.read_log(), b"")
        self.assertEqual(sorted(os.listdir(self.path("spool"))), ["log", "ready"])
        self.hand_over("import os, sys; print(os.getpid(), 'xml.dom.minidom' in sys.modules)")
        self.assertEqual(self.finish(process).text(), "%d True\n" % said["pid"])

    def test_without_a_list_it_waits_as_well(self):
        result = self.run_warm("print('x')", "")
        self.assertEqual((result.text(), self.said["preloaded"], self.said["failed"]), ("x\n", [], []))

    def assert_not_preloaded(self, preload, module, reason, **how):
        process = self.start_worker(preload, **how)
        said = self.ready()
        self.assertEqual((said["preloaded"], said["environmentRead"]), ([], []))
        self.assertEqual([each["module"] for each in said["failed"]], [module])
        self.assertRegex(said["failed"][0]["reason"], reason)
        self.assertEqual(processes_with_environment(self.root), [said["pid"]])
        self.hand_over("import sys; print('decimal' in sys.modules, 'bad' in sys.modules)")
        result = self.finish(process)
        self.assertEqual(result.text(), "False False\n")
        self.assert_ended(result, exitCode=0)
        self.assertRegex(result.stderr.decode(), "nothing is preloaded, because of %s: .*%s" % (module, reason))
        self.assertEqual(processes_with_environment(self.root), [])
        self.clear()

    def test_a_module_that_cannot_be_imported_leaves_nothing_preloaded_and_is_named(self):
        for source, reason in (
            ("import nosuch", "ModuleNotFoundError: No module named 'nosuch'"),
            ("1 / 0", "ZeroDivisionError"),
            ("raise SystemExit(3)", "SystemExit: 3"),
            ("raise KeyboardInterrupt", "KeyboardInterrupt"),
            ("def broken(:", "SyntaxError"),
            ("import os\nos._exit(0)", "ended with code 0"),
            ("import os\nos._exit(7)", "ended with code 7"),
            ("import ctypes\nctypes.string_at(0)", "ended with signal 11"),
            ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", "ended with signal 15"),
            ("import os\nif os.fork(): os._exit(1)\nimport time; time.sleep(60)", "ended with code 1"),
        ):
            with self.subTest(source):
                self.module("bad", source)
                self.assert_not_preloaded("decimal,bad", "bad", reason)

    def test_a_module_that_is_not_there_is_named(self):
        self.assert_not_preloaded("decimal,no-such", "no-such", "ModuleNotFoundError")

    def test_nothing_is_imported_from_the_jobs_folder(self):
        self.write("job", "bad.py", content="")
        self.assert_not_preloaded("bad", "bad", "ModuleNotFoundError")

    def test_what_cannot_be_taken_back_counts_as_a_failure(self):
        for source, reason in (
            ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "a Python thread"),
            ("import subprocess\nkept = subprocess.Popen(['sleep', '60'])", "a process running"),
            ("import socket\nkept = socket.socket()", "a descriptor open that is not a file for reading: socket"),
            ("import os\nkept, write = os.pipe()\nos.close(write)", "a descriptor open that is not a file for reading: pipe"),
            ("kept = open('/dev/null', 'w')", "a descriptor open that is not a file for reading: /dev/null"),
        ):
            with self.subTest(source):
                self.module("bad", source)
                self.assert_not_preloaded("decimal,bad", "bad", reason)

    def test_a_daemon_that_an_import_leaves_counts_as_a_failure(self):
        self.module("bad", "import os, time\nif os.fork() == 0:\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)\nos.wait()")
        self.assert_not_preloaded("decimal,bad", "decimal, bad", "a process running")

    def test_a_daemon_that_has_ended_does_not(self):
        self.module(
            "fine",
            """
            import os, time
            read, write = os.pipe()
            if os.fork() == 0:
                daemon = os.fork()
                if daemon: os.write(write, b"%d" % daemon)
                os._exit(0)
            os.wait()
            path = "/proc/" + os.read(read, 9).decode()
            while os.path.exists(path): time.sleep(0.01)
            os.close(read); os.close(write)
            """,
        )
        self.assertEqual(self.run_warm("print('x')", "fine").text(), "x\n")
        self.assertEqual(self.said["failed"], [])

    @needs_a_look_at_others
    def test_what_may_not_be_put_back_counts_as_a_failure(self):
        self.module("bad", "import os\nos.nice(5)")
        self.assert_not_preloaded("bad", "bad", "cannot be put back: PermissionError", prefix=AS_NOBODY)

    def test_an_import_that_takes_too_long_is_given_up(self):
        self.module("bad", "import time\ntime.sleep(60)")
        impatient = self.changed_runner("PATIENCE_SECONDS = 60.0", "PATIENCE_SECONDS = 0.5")
        self.assert_not_preloaded("decimal,bad", "bad", "longer than", runner=impatient)

    def test_files_that_a_library_reads_stay_open_and_are_not_inherited(self):
        self.write("data", content="of the library")
        self.module("keeps", "import os\nfd = os.open(%r, os.O_RDONLY)\nos.set_inheritable(fd, True)" % self.path("data"))
        script = """
            import keeps, os, subprocess
            print(os.read(keeps.fd, 100).decode())
            print(subprocess.run(["readlink", "/proc/self/fd/%d" % keeps.fd], close_fds=False).returncode)
        """
        result = self.run_warm(script, "keeps")
        self.assertEqual(self.said["openFiles"], [self.path("data")])
        self.assertEqual(result.text(), "of the library\n1\n", result.text(STDERR))

    def test_what_an_import_prints_goes_to_the_runners_stderr(self):
        self.module("loud", "import sys, warnings\nprint('out')\nwarnings.warn('old')\nimport os\nos.system('echo child')")
        result = self.run_warm("import loud; print('x')", "loud")
        self.assertEqual((result.text(), result.text(STDERR)), ("x\n", ""))
        for word in (b"out", b"old", b"child"):
            self.assertIn(word, result.stderr)

    def test_filters_for_a_librarys_own_warnings_stay_and_general_ones_do_not(self):
        self.module(
            "filters",
            """
            import warnings
            class Mine(UserWarning): pass
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "of the library")
            warnings.simplefilter("always", Mine)
            """,
        )
        script = """
            import warnings, filters
            warnings.warn("of the library"); warnings.warn("other")
            for _ in range(2): warnings.warn("mine", filters.Mine)
        """
        result = self.run_warm(script, "filters")
        shown = re.findall(r"(?:UserWarning|Mine): .+", result.text(STDERR))
        self.assertEqual(shown, ["UserWarning: other", "Mine: mine", "Mine: mine"])
        self.assert_ended(result, exitCode=0)

    def test_no_two_workers_draw_the_same_numbers(self):
        os.makedirs(self.path("library", "numpy", "random"))
        self.write("library", "numpy", "__init__.py", content="")
        numpy = "import os\ndef seed(value=None): global drawn; drawn = os.urandom(9).hex() if value is None else value\nseed(1)"
        self.write("library", "numpy", "random", "__init__.py", content=numpy)
        self.module("seeds", "import random\nrandom.seed(1)")
        numbers = []
        for _ in range(2):
            result = self.run_warm("import random, numpy.random as n; print(random.random()); print(n.drawn)", "seeds,numpy.random")
            numbers += result.text().split()
            self.clear()
        self.assertEqual(len(set(numbers)), 4, numbers)
        self.assertNotIn("1", numbers)

    def test_its_settings_must_be_understood(self):
        for seconds in ("", "soon", "-1", "nan", "1e3"):
            self.assert_nothing_ran(self.start_worker(RUNNER_WORKER_IDLE_SECONDS=seconds), 123, "RUNNER_WORKER_IDLE_SECONDS")

    def test_a_spool_in_use_is_refused(self):
        self.write("spool", "log", content="something")
        self.assertEqual(self.start_worker().wait(PATIENCE_SECONDS), 121)

    def test_a_script_process_that_cannot_be_set_up_ends_it(self):
        os.rmdir(self.path("output"))
        process = self.start_worker()
        self.assertEqual(process.wait(PATIENCE_SECONDS), 123)
        self.assertIn(b"FileNotFoundError", process.stderr.read())


class Waiting(WorkerCase):
    def test_its_time_ends(self):
        process = self.start_worker("json", RUNNER_WORKER_IDLE_SECONDS="0.3")
        self.assert_nothing_ran(process, 118, r"\Ajob_runner: no job came in 0\.3 s\n\Z")

    def test_it_shows_that_it_is_alive(self):
        process = self.start_worker("json", runner=self.changed_runner("BEAT_SECONDS = 2", "BEAT_SECONDS = 0.05"))
        self.assertEqual(self.ready()["heartbeatSeconds"], 0.05)
        touched = lambda: os.stat(self.path("spool", "ready")).st_mtime_ns
        first = touched()
        self.wait_for(lambda: touched() > first, "a sign of life")
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        last = touched()
        time.sleep(0.3)
        self.assertEqual(touched(), last)
        process.send_signal(signal.SIGCONT)
        self.wait_for(lambda: touched() > last, "another sign of life")

    def test_signals_end_it_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start_worker("json")
            self.ready()
            process.send_signal(number)
            self.assert_nothing_ran(process, 143, "asked to stop")
            self.clear()

    def test_a_signal_ends_it_while_it_imports(self):
        self.module("slow", "import time\nopen(%r, 'w').close()\ntime.sleep(60)" % self.path("imports"))
        process = self.start_worker("slow")
        self.wait_for(lambda: os.path.exists(self.path("imports")), "the import")
        process.terminate()
        self.assert_nothing_ran(process, 143, "asked to stop")

    def test_the_stop_file_ends_it(self):
        process = self.start_worker("json", RUNNER_STOP_FILE=self.path("stop"))
        self.ready()
        self.write("stop", content="10\n")
        self.assert_nothing_ran(process, 143, "asked to stop")

    def test_a_stop_that_comes_with_the_order_wins(self):
        deaf = self.changed_runner("INTERVAL_SECONDS = 0.25", "INTERVAL_SECONDS = 30.0")
        process = self.start_worker(runner=deaf, RUNNER_STOP_FILE=self.path("stop"))
        self.ready()
        self.write("stop", content="10\n")
        self.hand_over("open('ran', 'w')")
        self.assert_nothing_ran(process, 143, "asked to stop")

    def test_it_is_ready_when_the_network_is_closed_and_its_job_waits_no_more(self):
        listener = Listener()
        self.addCleanup(listener.close)
        process = self.start_worker("json", RUNNER_AWAIT_CLOSED=listener.address, RUNNER_AWAIT_CLOSED_SECONDS="60")
        self.wait_for(lambda: listener.count >= 3, "connections")
        self.assertFalse(os.path.exists(self.path("spool", "ready")))
        listener.close()
        self.ready()
        self.hand_over("print('x')")
        result = self.finish(process)
        self.assertEqual(result.text(), "x\n")
        network = json.loads(result.of(STARTED)[0].payload)["network"]
        self.assertEqual((network["closed"], network["wasOpen"]), (True, True))

    def test_a_network_that_stays_open_ends_it_with_117(self):
        listener = Listener()
        self.addCleanup(listener.close)
        process = self.start_worker("json", RUNNER_AWAIT_CLOSED=listener.address, RUNNER_AWAIT_CLOSED_SECONDS="0.3")
        self.assert_nothing_ran(process, 117, "the network is open after 0.3 s")
        self.assertFalse(os.path.exists(self.path("spool", "ready")))

    def test_a_stop_ends_its_wait_for_the_network(self):
        listener = Listener()
        self.addCleanup(listener.close)
        process = self.start_worker(RUNNER_AWAIT_CLOSED=listener.address, RUNNER_STOP_FILE=self.path("stop"))
        self.wait_for(lambda: listener.count >= 1, "a connection")
        self.write("stop", content="10\n")
        self.assert_nothing_ran(process, 143, "asked to stop")

    def test_the_end_of_the_waiting_process_ends_it(self):
        process = self.start_worker("json")
        os.kill(self.ready()["pid"], signal.SIGKILL)
        self.assert_nothing_ran(process, 123, "ended with signal 9 while it waited")

    def test_the_waiting_process_ends_with_it(self):
        process = self.start_worker("json")
        self.ready()
        process.kill()
        self.wait_for(lambda: processes_with_environment(self.root) == [], "the end of all")

    def test_it_sleeps(self):
        process = self.start_worker("json")
        pid = self.ready()["pid"]
        before, began = processor_seconds(process.pid) + processor_seconds(pid), time.monotonic()
        self.wait_for(lambda: time.monotonic() > began + 2, "two seconds")
        self.assertLess(processor_seconds(process.pid) + processor_seconds(pid) - before, 0.25)

    def test_orders_that_it_must_not_carry_out_are_refused(self):
        for change, code, sentence in (
            ({"withdrawn": True}, 125, "withdrawn"),
            ({"version": 2}, 122, "version 1"),
            ({"secrets": ["API_KEY"]}, 119, "secrets"),
            ({"env": {"OMP_NUM_THREADS": "4", "FINE": "x", "TZ": "UTC"}}, 119, "variables: OMP_NUM_THREADS, TZ\n"),
            ({"env": {"COLOUR": "red"}}, 119, "variables: COLOUR\n"),
        ):
            with self.subTest(change):
                self.module("reads", "import os\nos.environ.get('COLOUR')")
                process = self.start_worker("reads")
                self.ready()
                self.hand_over("open('ran', 'w')", {**self.order, **change})
                self.assert_nothing_ran(process, code, sentence)
                self.clear()

    def test_text_that_is_no_order_is_refused_and_an_empty_file_is_none_yet(self):
        process = self.start_worker()
        self.ready()
        self.write("job", "job.json", content="")
        self.hand_over("print('x')")
        self.assertEqual(self.finish(process).text(), "x\n")
        self.clear()
        for text in ("{", "[]", '{"version":1}'):
            process = self.start_worker()
            self.ready()
            self.write("job", "new", content=text)
            os.rename(self.path("job", "new"), self.path("job", "job.json"))
            self.assert_nothing_ran(process, 122, "cannot be used")
            self.clear()

    def test_an_order_without_a_script_is_refused(self):
        process = self.start_worker()
        self.ready()
        self.write("job", "job.json", content=json.dumps(self.order))
        self.assert_nothing_ran(process, 122, "there is no .*script.py")

    def test_the_contract_lists_what_the_runner_refuses(self):
        with open(os.path.join(HERE, "..", "docs", "runner-contract.md")) as file:
            table = file.read().partition("UNFIT_VARIABLES")[2].partition("A server picks")[0]
        listed = [name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row)]
        self.assertEqual(listed, list(job_runner.UNFIT_VARIABLES))
        for prefix in job_runner.START_UP_VARIABLES:
            self.assertTrue(job_runner.is_unfit(prefix), prefix)


class HandOut(WorkerCase):
    def test_an_order_that_is_there_before_the_worker_is_taken(self):
        self.hand_over("print('x')")
        process = self.start_worker("json")
        self.assertEqual(self.finish(process).text(), "x\n")
        self.assertEqual(self.ready()["failed"], [])

    def test_an_order_that_comes_during_the_imports_waits_for_them(self):
        imports, go = self.path("imports"), self.path("go")
        self.module("slow", "import os, time\nopen(%r, 'w').close()\nwhile not os.path.exists(%r): time.sleep(0.01)" % (imports, go))
        process = self.start_worker("slow")
        self.wait_for(lambda: os.path.exists(imports), "the import")
        self.hand_over("import sys; print('slow' in sys.modules)")
        self.assertEqual(self.read_log(), b"")
        self.assertFalse(os.path.exists(self.path("spool", "ready")))
        self.write("go", content="")
        self.assertEqual(self.finish(process).text(), "True\n")

    def test_it_hears_of_the_order_and_does_not_wait_for_its_next_look(self):
        self.assert_taken(self.changed_runner("POLL_SECONDS = 0.1", "POLL_SECONDS = 60.0"))

    def test_it_looks_for_the_order_where_the_system_tells_nothing(self):
        self.assert_taken(self.changed_runner("inotify_add_watch", "no_such_function"))
        self.assert_taken(self.changed_runner("IN_CLOSE_WRITE, IN_MOVED_TO = 0x08, 0x80", "IN_CLOSE_WRITE, IN_MOVED_TO = 0x200, 0"))

    def assert_taken(self, runner):
        process = self.start_worker(runner=runner)
        self.ready()
        self.hand_over("print('x')")
        began = time.monotonic()
        self.assertEqual(self.finish(process).text(), "x\n")
        self.assertLess(time.monotonic() - began, 30)
        self.clear()

    def test_there_is_no_second_job(self):
        process = self.start_worker("json")
        self.ready()
        self.hand_over("import os, time\nprint('first', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)")
        self.wait_for_text("first")
        self.hand_over("print('second')", {**self.order, "jobId": "job-2"})
        self.write("output", "go", content="")
        result = self.finish(process)
        self.assertEqual((result.text(), len(result.of(STARTED)), len(result.of(ENDED))), ("first\n", 1, 1))

    def test_a_large_order_arrives_whole(self):
        self.order["env"] = {"N%d" % i: "x" * 100 for i in range(3000)}
        result = self.run_warm("import os; print(sum(len(v) for n, v in os.environ.items() if n[0] == 'N'))")
        self.assertEqual(result.text(), "300000\n")

    def test_the_deadline_counts_from_the_start_of_the_script(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.2)
        process = self.start_worker()
        self.ready()
        began = time.monotonic()
        self.wait_for(lambda: time.monotonic() > began + 2.2, "the time of the job")
        self.hand_over("import time; print('up'); time.sleep(60)")
        result = self.finish(process)
        self.assertEqual(result.text(), "up\n")
        self.assert_ended(result, timedOut=True)
        self.assertGreaterEqual(result.ended["wallSeconds"], 2)

    def test_the_processor_time_of_the_imports_is_not_the_jobs(self):
        self.module("busy", "import time\nwhile time.process_time() < 1: pass")
        result = self.run_warm("import time; print(time.process_time() > 1)", "busy")
        self.assertEqual(result.text(), "True\n")
        self.assertLess(result.ended["cpuSeconds"], 0.7)
        self.clear()
        result = self.run_warm("import time\nbegan = time.process_time()\nwhile time.process_time() < began + 0.5: pass", "busy")
        self.assertTrue(0.5 <= result.ended["cpuSeconds"] < 1.2, result.ended)

    def test_the_processor_time_of_a_failed_preload_is_not_the_jobs(self):
        self.module("busy", "import time\nwhile time.process_time() < 1: pass\n1 / 0")
        self.assertLess(self.run_warm("print(1)", "busy").ended["cpuSeconds"], 0.7)

    def test_a_stop_after_the_start_is_one_of_the_script(self):
        process = self.start_worker("json")
        self.ready()
        self.hand_over("import time; print('up', flush=True); time.sleep(60)")
        self.wait_for_text("up")
        process.terminate()
        result = self.finish(process)
        self.assert_ended(result, signal=15, stopped=True)
        self.assertEqual(result.code, 143)

    def test_many_workers_take_a_job_each(self):
        cases = [WorkerCase() for _ in range(12)]
        processes = []
        for case in cases:
            case.setUp()
            self.addCleanup(case.doCleanups)
            processes.append(case.start_worker("json"))
        for number, case in enumerate(cases):
            case.ready()
            case.order["jobId"] = "job-%d" % number
        for case in cases:
            case.hand_over("import os; print(os.environ['JOB_ID'])")
        for number, (case, process) in enumerate(zip(cases, processes)):
            self.assertEqual(case.finish(process).text(), "job-%d\n" % number)


class WorkerAsPidOne(WorkerCase):
    """Where the worker is PID 1 of its own PID namespace, as in a container."""

    def runner_pid(self, process):
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as file:
            return int(file.read().split()[0])

    @needs_namespace
    def test_a_job_runs_and_what_is_left_of_it_is_ended(self):
        script = """
            import os, time
            if os.fork() == 0:
                os.setsid(); time.sleep(60)
            print(os.getppid(), os.getpid())
        """
        result = self.run_warm(script, prefix=UNSHARE)
        self.assertEqual(result.text(), "1 %d\n" % self.said["pid"])
        self.assert_ended(result, exitCode=0)
        self.assertEqual(processes_with_environment(self.root), [])

    @needs_namespace
    def test_a_signal_from_outside_ends_it_while_it_waits(self):
        process = self.start_worker("json", UNSHARE)
        self.ready()
        os.kill(self.runner_pid(process), signal.SIGTERM)
        self.assert_nothing_ran(process, 143, "asked to stop")

    @needs_namespace
    def test_a_signal_that_an_import_sends_does_not_end_it(self):
        self.module("kills", "import os, signal\nos.kill(1, signal.SIGTERM); os.kill(1, signal.SIGINT)")
        self.assertEqual(self.run_warm("print('x')", "kills", prefix=UNSHARE).text(), "x\n")

    @needs_namespace
    def test_a_module_that_ends_every_process_only_fails(self):
        self.module("kills", "import os, signal\nif os.fork() == 0: signal.pause()\nos.kill(-1, 9)\nos.kill(os.getpid(), 9)")
        self.assertEqual(self.run_warm("print('x')", "kills", prefix=UNSHARE).text(), "x\n")
        self.assertEqual(self.said["failed"][0]["reason"], "the process ended with signal 9")

    @needs_namespace
    def test_the_script_reads_neither_the_workers_environment_nor_its_memory(self):
        script = """
            import os
            for path in ("environ", "fd", "mem", "maps"):
                try:
                    path = "/proc/1/" + path
                    os.listdir(path) if path.endswith("fd") else open(path).read(1)
                    print("READ", path)
                except PermissionError:
                    print("denied")
            print(os.stat("/proc/self/maps").st_uid == os.getuid(), "RUNNER" in open("/proc/self/environ").read())
        """
        self.module("bad", "1 / 0")
        nobody = ("setpriv", "--reuid=%d" % UNPRIVILEGED_UID, "--regid=%d" % UNPRIVILEGED_UID, "--clear-groups")
        for preload in ("json", "bad"):  # after a failure the script's process is forked a second time
            with self.subTest(preload):
                result = self.run_warm(script, preload, prefix=(*UNSHARE, *nobody))
                self.assertEqual(result.text(), "denied\n" * 4 + "True False\n", result.stderr)
                self.clear()
