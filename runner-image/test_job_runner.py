"""Holds the runner to docs/runner-contract.md:  python3 -m unittest discover runner-image

Most tests start the real runner with its folders moved to a temporary place. Those that need more (a PID namespace,
another uid, a small file system) run as root and are skipped with a reason elsewhere; with RUNNER_TESTS_REQUIRE_ALL=1 a
skip is a failure. RUNNER_TEST_PYTHON chooses the interpreter.
"""

import atexit
import collections
import contextlib
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import types
import unittest

sys.dont_write_bytecode = True
import job_runner  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
# The system's interpreter rather than one in somebody's home, where the tests' other uids may not go.
SYSTEM_PYTHON = "/usr/bin/python3"
PYTHON = os.environ.get("RUNNER_TEST_PYTHON") or (SYSTEM_PYTHON if os.path.exists(SYSTEM_PYTHON) else sys.executable)
UNPRIVILEGED_UID = 10001
# Bounds for what hangs, not measures: a loaded machine may take many times as long as an idle one.
PATIENCE_SECONDS = 120


def copy_for_everybody(path):
    """A copy where the tests' other uids may go: a checkout in somebody's home is closed to them."""
    folder = tempfile.mkdtemp(prefix="runner-under-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    copy = shutil.copy(path, folder)
    os.chmod(copy, 0o644)
    return copy


RUNNER = copy_for_everybody(os.path.join(HERE, "job_runner.py"))

STARTED, OUTPUT, GAP, ENDED = 1, 2, 3, 4
STDOUT, STDERR = 1, 2
HEADER = struct.Struct("<2sBBIQQ")
SLACK_BYTES = 256 * 1024

Frame = collections.namedtuple("Frame", "kind stream seq time_us payload")


def parse_frames(data):
    """The whole frames of a log and what is left of a torn one."""
    frames, offset = [], 0
    while offset + HEADER.size <= len(data):
        magic, kind, stream, length, seq, time_us = HEADER.unpack_from(data, offset)
        if magic != b"LF" or length > 65536:
            raise AssertionError("damage at byte %d: %r" % (offset, data[offset : offset + 40]))
        if offset + HEADER.size + length > len(data):
            break
        offset += HEADER.size
        frames.append(Frame(kind, stream, seq, time_us, data[offset : offset + length]))
        offset += length
    return frames, data[offset:]


class Result:
    """What one run left: `frames`, `ended` (a dict or None), `code`, and the runner's own `stdout` and `stderr`."""

    def __init__(self, log, code, stdout, stderr):
        self.log, self.code, self.stdout, self.stderr = log, code, stdout, stderr
        self.frames, self.torn = parse_frames(log)
        endings = [frame for frame in self.frames if frame.kind == ENDED]
        self.ended = json.loads(endings[-1].payload) if endings else None

    def of(self, kind, stream=None):
        return [frame for frame in self.frames if frame.kind == kind and stream in (None, frame.stream)]

    def bytes(self, stream=STDOUT):
        return b"".join(frame.payload for frame in self.of(OUTPUT, stream))

    def text(self, stream=STDOUT):
        return self.bytes(stream).decode()


def works(*command):
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def tell(word, what):
    """A line that scripts/test.mjs collects for its summary."""
    sys.stderr.write("\n%s runner: %s\n" % (word, what))
    return "NOT TESTED HERE: " + what


def needs(condition, what):
    """Skips a test where the machine lacks something, or lets it fail where everything is required."""
    if condition or os.environ.get("RUNNER_TESTS_REQUIRE_ALL") == "1":
        return lambda test: test
    return unittest.skip(tell("SKIPPED", "what needs " + what))


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
        return True
    except OSError:
        return False


def has_capability(number):
    with open("/proc/self/status") as status:
        return int(status.read().partition("CapEff:")[2].split()[0], 16) >> number & 1 == 1


UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
needs_namespace = needs(works(*UNSHARE, "true"), "root and a PID namespace of its own (unshare)")
needs_root = needs(os.geteuid() == 0, "root")
CAP_SYS_PTRACE = 19
needs_a_look_at_others = needs(os.geteuid() == 0 and has_capability(CAP_SYS_PTRACE), "root that may look into processes of others")
tell("USED", subprocess.run([PYTHON, "--version"], stdout=subprocess.PIPE).stdout.decode().strip())


def end(process):
    process.kill()
    process.wait()


class RunnerCase(unittest.TestCase):
    """A fresh set of the five folders, and ways to run a script in them."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="runner-test-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        os.chmod(self.root, 0o755)
        for name in ("job", "input", "output", "spool"):
            os.mkdir(self.path(name))
            os.chmod(self.path(name), 0o777)
        self.order = {
            "version": 1,
            "jobId": "job-1",
            "attempt": 1,
            "env": {},
            "timeoutSeconds": PATIENCE_SECONDS,
            "graceSeconds": 1,
            "maxLogBytes": 1 << 26,
            "maxOutputBytes": 1 << 30,
            "limits": {"addressSpaceBytes": None, "processes": None, "openFiles": 1024},
        }
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": self.root,
            "PYTHONUTF8": "1",
            "RUNNER_JOB_DIR": self.path("job"),
            "RUNNER_INPUT_DIR": self.path("input"),
            "RUNNER_OUTPUT_DIR": self.path("output"),
            "RUNNER_SPOOL_DIR": self.path("spool"),
        }

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def write(self, *parts, content):
        with open(self.path(*parts), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)

    def read_log(self):
        with open(self.path("spool", "log"), "rb") as file:
            return file.read()

    def start(self, script, prefix=(), runner=RUNNER, **popen):
        """Starts the runner with a script (dedented) and the present order; `prefix` is put before its command."""
        if script is not None:
            self.write("job", "script.py", content=textwrap.dedent(script) if isinstance(script, str) else script)
        self.write("job", "job.json", content=json.dumps(self.order))
        process = subprocess.Popen(
            [*prefix, PYTHON, "-u", runner],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **{"stdin": subprocess.DEVNULL, **popen},
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(end, process)
        return process

    def finish(self, process, timeout=PATIENCE_SECONDS):
        stdout, stderr = process.communicate(timeout=timeout)
        log = self.read_log() if os.path.exists(self.path("spool", "log")) else b""
        return Result(log, process.returncode, stdout, stderr)

    def run_script(self, script, **how):
        return self.finish(self.start(script, **how))

    def run_plain(self, script):
        """The same script by a plain `python -u script.py` in the same place: the measure of what is the same."""
        self.write("job", "script.py", content=textwrap.dedent(script))

        def listen_to_signals():  # a shell lets what it starts in the background ignore some
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)

        return subprocess.run(
            [PYTHON, "-u", self.path("job", "script.py")],
            cwd=self.path("output"),
            env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "HOME": self.root},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=listen_to_signals,
        )

    def wait_for(self, condition, what, seconds=PATIENCE_SECONDS):
        """Waits until `condition()` is true; fails with what was seen last."""
        until = time.monotonic() + seconds
        while True:
            seen = condition()
            if seen:
                return seen
            if time.monotonic() > until:
                self.fail("%s did not come; last seen: %r" % (what, seen))
            time.sleep(0.01)

    def wait_for_text(self, text):
        self.wait_for(
            lambda: os.path.exists(self.path("spool", "log")) and text.encode() in self.read_log(), "%r in the log" % text
        )

    def assert_ended(self, result, **expected):
        self.assertIsNotNone(result.ended, result.stderr)
        self.assertEqual({**result.ended, **expected}, result.ended)

    def changed_runner(self, old, new):
        with open(RUNNER) as file:
            source = file.read()
        self.assertEqual(source.count(old), 1, old)
        self.write("runner.py", content=source.replace(old, new))
        return self.path("runner.py")

    def assert_sleeps(self, process):
        before = processor_seconds(process.pid)
        time.sleep(0.8)
        self.assertLess(processor_seconds(process.pid) - before, 0.25)

    def assert_sequence(self, result):
        numbered = [frame.seq for frame in result.frames if frame.kind in (OUTPUT, GAP)]
        self.assertEqual(numbered, list(range(1, len(numbered) + 1)))
        self.assertEqual({frame.seq for frame in result.frames if frame.kind in (STARTED, ENDED)}, {0})


class TheOrder(RunnerCase):
    def assert_refused(self, code, process):
        result = self.finish(process)
        self.assertEqual(result.code, code)
        self.assertRegex(result.stderr.decode(), r"\Ajob_runner: .+\n\Z")
        self.assertEqual(result.frames, [])

    def test_a_spool_that_is_not_empty_is_refused_with_121_and_left_alone(self):
        self.write("spool", "log", content="something")
        result = self.start("open('ran', 'w')")
        self.assertEqual(result.wait(PATIENCE_SECONDS), 121)
        self.assertEqual(self.read_log(), b"something")
        self.assertFalse(os.path.exists(self.path("output", "ran")))

    def test_an_empty_log_file_is_no_hindrance(self):
        self.write("spool", "log", content="")
        self.assertEqual(self.run_script("print(1)").text(), "1\n")

    def test_a_log_that_is_a_link_is_not_followed(self):
        self.write("elsewhere", content="")
        os.symlink(self.path("elsewhere"), self.path("spool", "log"))
        process = self.start("print(1)")
        self.assertEqual(process.wait(PATIENCE_SECONDS), 123)
        self.assertEqual(os.path.getsize(self.path("elsewhere")), 0)

    def test_a_log_that_is_a_fifo_is_refused_instead_of_waited_for(self):
        os.mkfifo(self.path("spool", "log"))
        self.assertEqual(self.start("print(1)").wait(PATIENCE_SECONDS), 123)

    def test_a_missing_order_ends_with_122(self):
        process = subprocess.run([PYTHON, "-u", RUNNER], env=self.environ, stderr=subprocess.PIPE)
        self.assertEqual(process.returncode, 122)
        self.assertIn(b"job.json", process.stderr)

    def test_orders_that_are_not_understood_end_with_122(self):
        good = dict(self.order)
        for change in (
            {"version": 2},
            {"version": None},
            {"env": {"A": 1}},
            {"env": {"A=B": "x"}},
            {"env": {"A": "nul\0"}},
            {"env": []},
            {"timeoutSeconds": None},
            {"timeoutSeconds": "600"},
            {"timeoutSeconds": True},
            {"graceSeconds": -1},
            {"maxLogBytes": 1.5},
            {"maxOutputBytes": None},
            {"jobId": 7},
            {"limits": {"openFiles": "many"}},
            {"limits": 7},
        ):
            with self.subTest(change):
                self.order = {**good, **change}
                self.assert_refused(122, self.start("print(1)"))

    def test_text_that_is_not_one_json_object_ends_with_122(self):
        self.write("job", "script.py", content="print(1)")
        for text in ("", "{", "[]", "null", '{"version":1}', '{"version":1} x', "\xff", "[" * 100000):
            with self.subTest(text[:20]):
                self.write("job", "job.json", content=text.encode("latin-1"))
                process = subprocess.run([PYTHON, "-u", RUNNER], env=self.environ, stderr=subprocess.PIPE)
                self.assertEqual(process.returncode, 122, process.stderr)

    def test_a_withdrawn_order_ends_with_125(self):
        self.order["withdrawn"] = True
        self.assert_refused(125, self.start("print(1)"))

    def test_without_a_script_it_ends_with_122(self):
        self.assert_refused(122, self.start(None))

    def test_a_runner_that_cannot_set_the_script_up_ends_with_123(self):
        os.rmdir(self.path("output"))
        self.assert_refused(123, self.start("print(1)"))

    def test_json_is_read_as_the_json_module_reads_it(self):
        for text in (' {"a": [1, -2.5e3, true, false, null, "\\u00e4\\ud834\\udd1e\\n\\/"]} \n', '"\u2028"', "1e999"):
            self.assertEqual(job_runner.parse_json(text), json.loads(text))
        for text in ("", "{'a':1}", '{"a":1,}', "01", '"\n"', "1 2"):
            with self.assertRaises(ValueError, msg=text):
                job_runner.parse_json(text)


class TheScript(RunnerCase):
    """What the script sees, compared with a plain `python -u script.py` wherever that is possible."""

    def assert_same_as_plain(self, script):
        plain = self.run_plain(script)
        result = self.run_script(script)
        self.assertEqual(result.text(STDERR), plain.stderr.decode())
        self.assertEqual(result.text(STDOUT), plain.stdout.decode())
        self.assertEqual(result.code, plain.returncode if plain.returncode >= 0 else 128 - plain.returncode)
        if plain.returncode >= 0:
            self.assert_ended(result, exitCode=plain.returncode, signal=None)
        else:
            self.assert_ended(result, exitCode=None, signal=-plain.returncode)
        shutil.rmtree(self.path("spool"))
        os.mkdir(self.path("spool"))

    def test_errors_look_and_end_as_they_do_in_plain_python(self):
        for script in (
            "def f():\n    return {}['x']\nf()",
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e",
            "try:\n    1 / 0\nexcept ZeroDivisionError:\n    [][1]",
            "import json\njson.loads('{')",
            "print('a')\ndef broken(:\n    pass",
            "x = 1\n  y = 2",
            "print('unterminated",
            "raise SystemExit('text')",
            "raise KeyboardInterrupt",
            "import sys\nsys.exit()",
            "import sys\nsys.exit(3)",
            "import sys\nsys.exit(256 + 7)",
            "import sys\nsys.exit(-1)",
            "import sys\nsys.exit([1, 'list'])",
            "import os\nos._exit(9)",
            "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
            "import os\nos.abort()",
            "import sys\nsys.excepthook = lambda *e: print('hook', e[0].__name__, e[2].tb_lineno, e[2].tb_next)\n1 / 0",
            "class E(Exception):\n    def __str__(self):\n        1 / 0\nraise E",
            "import warnings\nwarnings.warn('old', DeprecationWarning)",
            "import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()",
            "import threading\nthreading.Thread(target=lambda: 1 / 0, name='t').start()",
            "raise ExceptionGroup('g', [ValueError(1), KeyError(2)])" if sys.version_info >= (3, 11) else "1 / 0",
            "# -*- coding: latin-1 -*-\nprint('ok')",
        ):
            with self.subTest(script):
                self.assert_same_as_plain(script)

    def test_the_end_of_the_interpreter_is_pythons_own(self):
        for script in (
            "import atexit\natexit.register(print, 'last')\nprint('first')",
            "import atexit, sys\natexit.register(print, 'last')\nsys.exit(4)",
            "import atexit\natexit.register(print, 'last')\n1 / 0",
            "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\nprint('main')",
            "class C:\n    def __del__(self):\n        print('deleted')\nkept = C()",
        ):
            with self.subTest(script):
                self.assert_same_as_plain(script)

    def test_the_module_looks_as_it_does_in_plain_python(self):
        self.assert_same_as_plain(
            """
            import sys, os, signal, inspect
            import __main__
            print(sorted(k for k in globals() if k.startswith("__")), __name__, __file__, __spec__, __package__, __doc__)
            print(type(__builtins__), type(__loader__), __loader__.path, __annotations__, __main__.__dict__ is globals())
            print(sys.argv, sys.path, os.getcwd(), sys.stdin.read())
            print(sys.stdout.encoding, sys.stdout.errors, sys.stdout.write_through, sys.stderr.encoding, sys.stderr.errors)
            print(sys.flags, sys.orig_argv[1:] if hasattr(sys, "orig_argv") else 0)
            print([(s, signal.getsignal(s)) for s in signal.valid_signals()], signal.pthread_sigmask(signal.SIG_BLOCK, []))
            print(sorted(map(int, os.listdir("/proc/self/fd")))[:-1])
            def f(): pass
            print(inspect.getsource(f), f.__module__)
            """
        )

    def test_multiprocessing_works_with_every_start_method(self):
        result = self.run_script(
            """
            import multiprocessing, os

            def work(number):
                return number * 2

            if __name__ == "__main__":
                for method in ("fork", "spawn", "forkserver"):
                    with multiprocessing.get_context(method).Pool(2) as pool:
                        print(method, pool.map(work, [1, 2]))
            """
        )
        self.assertEqual(result.text(), "fork [2, 4]\nspawn [2, 4]\nforkserver [2, 4]\n", result.text(STDERR))

    def test_it_has_a_session_of_its_own_and_is_an_ordinary_process(self):
        result = self.run_script(
            """
            import os
            print(os.getsid(0) == os.getpid() == os.getpgid(0), os.stat("/proc/self/maps").st_uid == os.getuid())
            print(open("/proc/self/oom_score_adj").read().strip(), len(open("/proc/self/maps").read()) > 100)
            """
        )
        self.assertEqual(result.text(), "True True\n1000 True\n")

    def test_its_environment_is_built_from_empty(self):
        self.environ.update(SECRET="of the server", FROM_IMAGE="yes", OTHER="no", RUNNER_PASS_ENV="FROM_IMAGE,ABSENT")
        self.order["env"] = {"NAME": "välue=1", "EMPTY": "", "JOB_ID": "not this", "MPLCONFIGDIR": "/mine"}
        result = self.run_script(
            """
            import json, os, subprocess
            print(json.dumps(dict(os.environ)))
            print(subprocess.run(["env"], stdout=subprocess.PIPE).stdout.decode().count("\\n"), len(os.environ))
            print("SECRET" in open("/proc/self/environ").read())
            """
        )
        first, counts, leaked = result.text().splitlines()
        self.assertEqual(
            json.loads(first),
            {
                "PATH": os.environ["PATH"],
                "HOME": self.root,
                "LANG": "C.UTF-8",
                "PYTHONUNBUFFERED": "1",
                "MPLCONFIGDIR": "/mine",
                "JOB_ID": "job-1",
                "INPUT_DIR": self.path("input"),
                "OUTPUT_DIR": self.path("output"),
                "REQUEST_PATH": self.path("input", "request.json"),
                "FROM_IMAGE": "yes",
                "NAME": "välue=1",
                "EMPTY": "",
            },
        )
        self.assertEqual(len(set(counts.split())), 1)
        self.assertEqual(leaked, "False")

    def test_variables_that_only_a_new_interpreter_reads_are_honoured(self):
        os.mkdir(self.path("library"))
        self.write("library", "mine.py", content="print('mine')")
        self.order["env"] = {"PYTHONPATH": self.path("library"), "PYTHONWARNINGS": "error", "TZ": "Asia/Tokyo"}
        result = self.run_script(
            """
            import mine, os, sys, time
            print(sys.warnoptions, time.localtime(0).tm_hour, sorted(os.listdir("/proc/self/fd")), os.getcwd(), sys.argv)
            1 / 0
            """
        )
        where, script = self.path("output"), self.path("job", "script.py")
        self.assertEqual(result.text(), "mine\n['error'] 9 ['0', '1', '2', '3'] %s %s\n" % (where, [script]))
        self.assertTrue(result.text(STDERR).endswith("ZeroDivisionError: division by zero\n"))
        self.assert_ended(result, exitCode=1)

    def test_the_font_list_of_the_image_is_linked_into_a_writable_folder(self):
        os.mkdir(self.path("fonts"))
        self.write("fonts", "fontlist.json", content="fonts")
        self.environ["RUNNER_MPL_CACHE"] = self.path("fonts")
        result = self.run_script(
            """
            import os
            folder = os.environ["MPLCONFIGDIR"]
            assert folder == os.environ["HOME"] + "/.matplotlib"
            print(open(folder + "/fontlist.json").read(), os.access(folder, os.W_OK))
            """
        )
        self.assertEqual(result.text(), "fonts True\n")

    def test_limits_are_set_on_the_script_alone(self):
        self.order["maxOutputBytes"] = 12345678
        self.order["limits"] = {"addressSpaceBytes": 1 << 32, "processes": 5000, "openFiles": 64}
        result = self.run_script(
            """
            import os, resource as r
            print([r.getrlimit(k) for k in (r.RLIMIT_FSIZE, r.RLIMIT_CORE, r.RLIMIT_AS, r.RLIMIT_NPROC, r.RLIMIT_NOFILE)])
            print(r.prlimit(os.getppid(), r.RLIMIT_FSIZE) == (-1, -1))
            """
        )
        expected = [(12345678,) * 2, (0, 0), (1 << 32,) * 2, (5000,) * 2, (64,) * 2]
        self.assertEqual(result.text(), "%s\nTrue\n" % expected, result.text(STDERR))

    def test_a_limit_above_the_hard_one_is_lowered_to_it(self):
        self.order["limits"] = {"openFiles": 1 << 20}

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))

        result = self.run_script("import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE))", preexec_fn=limit)
        self.assertEqual(result.text(), "(200, 200)\n")

    def test_a_runner_started_with_ignored_and_blocked_signals_does_not_hand_them_on(self):
        def ignore():
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])

        result = self.run_script(
            """
            import signal
            print([signal.getsignal(s) for s in (signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM)])
            print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
            """,
            preexec_fn=ignore,
        )
        self.assertRegex(result.text(), r"SIG_DFL.*default_int_handler.*SIG_DFL.*SIG_DFL.*\nset\(\)\n")
        self.assert_ended(result, exitCode=0)


def masked(text, values):
    """What a mask makes of a whole text, in the plainest way: every occurrence, those that overlap as one."""
    spans = []
    for value in filter(None, values):
        spans += [(at, at + len(value)) for at in range(len(text)) if text.startswith(value, at)]
    merged = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    result, shown = b"", 0
    for start, end in merged:
        result += text[shown:start] + b"***"
        shown = end
    return result + text[shown:]


class TheOrderOfTheStreams(unittest.TestCase):
    def test_an_error_is_never_recorded_before_what_was_printed_before_it(self):
        stdout, stderr = pipes = job_runner.Pipe(job_runner.STDOUT), job_runner.Pipe(job_runner.STDERR)
        order = types.SimpleNamespace(timeout_seconds=60, max_output_bytes=1)
        runner = job_runner.Runner(order, None, 0, pipes, None, lambda: 0)
        recorded = []
        runner.record = lambda stream, data: recorded.append((stream, data)) if data else None

        def while_the_runner_reads(pipe):
            """The script prints to both streams after the first pipe has been read and before the other one is."""
            read = pipe.read

            def read_and_print():
                data = read()
                if b"late" not in b"".join(data for _, data in recorded) and not printed:
                    printed.append(True)
                    os.write(stdout.script_end, b"late\n")
                    os.write(stderr.script_end, b"error\n")
                return data

            pipe.read = read_and_print

        printed = []
        while_the_runner_reads(stdout)
        while_the_runner_reads(stderr)
        os.write(stdout.script_end, b"early\n")
        runner.read_pipes()
        runner.read_pipes()
        self.assertEqual(b"early\nlate\nerror\n", b"".join(data for _, data in recorded))
        for pipe in pipes:
            os.close(pipe.fd)
            os.close(pipe.script_end)


class TheMask(unittest.TestCase):
    def fed(self, values, pieces):
        mask = job_runner.SecretMask([os.fsdecode(value) for value in values])
        return [mask.feed(piece) for piece in pieces] + [mask.feed(b"", final=True)]

    def test_a_value_is_found_wherever_writes_split_it(self):
        text = "vor s3kr\nét vor s3kr\nét nach".encode()
        values = ["s3kr\nét".encode()]
        expected = text.replace(values[0], b"***")
        for first in range(len(text) + 1):
            for second in range(first, len(text) + 1):
                pieces = [text[:first], text[first:second], text[second:]]
                self.assertEqual(b"".join(self.fed(values, pieces)), expected)

    def test_only_what_may_still_become_a_value_is_held_back(self):
        shown = self.fed([b"secret"], [b"the sec", b"ond s", b"ecre", b"t", b"s"])
        self.assertEqual(shown, [b"the ", b"second ", b"", b"***", b"", b"s"])

    def test_values_that_overlap_become_one_mask_and_neighbours_two(self):
        for values, text, expected in (
            ([b"key", b"key-long"], b"key-long key-lon", b"*** ***-lon"),
            ([b"abc", b"bcde"], b"abcde abcd bcde", b"*** ***d ***"),
            ([b"aa"], b"aaa aaaa a", b"*** *** a"),
            ([b"aabaa"], b"aabaaabaa aabaabaa", b"*** ***"),
            ([b"ab"], b"ababab", b"*********"),
            ([b"abcde", b"c"], b"abcdx", b"ab***dx"),
            ([b"", b"x"], b"xyz", b"***yz"),
            ([b"*"], b"a*b", b"a***b"),
        ):
            with self.subTest(text):
                self.assertEqual(masked(text, values), expected)
                self.assertEqual(b"".join(self.fed(values, [text])), expected)
                self.assertEqual(b"".join(self.fed(values, [bytes([byte]) for byte in text])), expected)

    def test_any_text_in_any_pieces_comes_out_as_if_it_were_whole(self):
        rng = random.Random(7)
        for _ in range(20_000):
            alphabet = rng.choice([b"a", b"ab", b"abc", "aé€".encode()])
            letters = list(alphabet.decode())
            word = lambda low, high: "".join(rng.choices(letters, k=rng.randint(low, high))).encode()  # noqa: E731
            values = [word(0, 6) for _ in range(rng.randint(1, 3))]
            text = b"".join(rng.choice([word(0, 5), rng.choice(values)]) for _ in range(rng.randint(0, 6)))
            pieces, rest = [], text
            while rest:
                size = rng.choice([1, 2, 3, 4, len(text)])
                pieces.append(rest[:size])
                rest = rest[size:]
            self.assertEqual(b"".join(self.fed(values, pieces)), masked(text, values), (values, pieces))

    def test_its_time_is_linear_for_texts_that_are_made_to_be_hard(self):
        size = 16_000
        for values, piece in (
            ([b"a" * size + b"b"], b"a" * 65536),
            ([b"a" * size], b"a" * 65536),
            ([b"b" + b"a" * size], b"a" * 65536),
            ([b"a" * (size // 2) + b"b" + b"a" * (size // 2)], (b"a" * (size // 2) + b"c") * 8),
            ([b"ab" * (size // 2) + b"c"], b"ab" * 32768),
            ([b"a" * size], (b"a" * (size + 3) + b"b") * 4),
            ([b"a"], b"a" * 65536),
        ):
            with self.subTest(values[0][:3]):
                began = time.process_time()
                self.fed(values, [piece] * 16)
                self.assertLess(time.process_time() - began, 20)


class Secrets(RunnerCase):
    """Values come by environment or by standard input, reach the script, and do not show."""

    VALUE = "s3cret/wert-\u00e4\u20ac"

    def by_environment(self, **values):
        self.order["secrets"] = list(values)
        self.environ.update(values)
        return {}

    def by_input(self, line, names=("API_KEY",)):
        self.order["secrets"] = list(names)
        self.environ["RUNNER_SECRETS_FROM"] = "stdin"
        read, write = os.pipe()
        os.write(write, line if isinstance(line, bytes) else (json.dumps(line) + "\n").encode())
        os.close(write)
        self.addCleanup(os.close, read)
        return {"stdin": read}

    def assert_refused(self, result, code=124):
        self.assertEqual(result.code, code)
        self.assertEqual(result.frames, [])
        self.assertRegex(result.stderr.decode(), r"\Ajob_runner: .+\n\Z")
        self.assertFalse(os.path.exists(self.path("output", "ran")))

    SCRIPT = """
        import hashlib, os, subprocess, sys
        value = os.environ["API_KEY"]
        print(hashlib.sha256(value.encode()).hexdigest())
        print(value, file=sys.stderr)
        sys.stdout.write("<" + value[:5]); sys.stdout.flush()
        import time; time.sleep(0.05)
        sys.stdout.write(value[5:] + ">\\n")
        print(subprocess.run(["printenv", "API_KEY"], stdout=subprocess.PIPE).stdout.decode() == value + "\\n")
        print(sys.stdin.read() == "")
    """

    def assert_masked(self, result):
        digest = hashlib.sha256(self.VALUE.encode()).hexdigest()
        self.assertEqual(result.text(), digest + "\n<***>\nTrue\nTrue\n")
        self.assertEqual(result.text(STDERR), "***\n")
        self.assert_ended(result, exitCode=0)
        self.assert_sequence(result)
        for place in (result.log, result.stdout, result.stderr):
            self.assertNotIn(self.VALUE.encode(), place)
        self.assertEqual(result.stdout.count(b"***"), 2)

    def test_a_value_from_the_environment_reaches_the_script_and_is_masked(self):
        self.assert_masked(self.run_script(self.SCRIPT, **self.by_environment(API_KEY=self.VALUE)))

    def test_a_value_from_standard_input_reaches_the_script_and_is_masked(self):
        self.assert_masked(self.run_script(self.SCRIPT, **self.by_input({"API_KEY": self.VALUE})))

    def test_a_script_that_is_executed_anew_has_it_too(self):
        self.order["env"] = {"PYTHONHASHSEED": "0"}
        self.assert_masked(self.run_script(self.SCRIPT, **self.by_input({"API_KEY": self.VALUE})))

    def test_a_secret_that_only_a_new_interpreter_reads_is_honoured(self):
        how = self.by_input({"PYTHONWARNINGS": "error"}, names=["PYTHONWARNINGS"])
        self.assertEqual(self.run_script("import sys; print(sys.warnoptions)", **how).text(), "['***']\n")

    def test_it_wins_over_env_and_not_over_what_the_runner_sets(self):
        self.order["env"] = {"A": "env", "B": "env"}
        how = self.by_input({"A": "s", "JOB_ID": "t"}, names=["A", "JOB_ID"])
        result = self.run_script("import os; print(*(len(os.environ[n]) for n in ('A', 'B', 'JOB_ID')))", **how)
        self.assertEqual(result.text(), "1 3 5\n")

    def test_a_script_gets_no_value_that_its_order_does_not_name(self):
        self.environ.update(API_KEY="one", OTHER_KEY="of another job")
        self.order["secrets"] = ["API_KEY"]
        script = "import os; print('OTHER_KEY' in os.environ, 'another' in open('/proc/self/environ').read())"
        self.assertEqual(self.run_script(script).text(), "False False\n")
        os.unlink(self.path("spool", "log"))
        del self.order["secrets"]
        self.assertEqual(self.run_script("import os; print('API_KEY' in os.environ)").text(), "False\n")

    def test_a_missing_variable_ends_with_124_and_is_named(self):
        how = self.by_environment(API_KEY=self.VALUE)
        self.order["secrets"].append("OTHER_KEY")
        result = self.run_script("open('ran', 'w')", **how)
        self.assert_refused(result)
        self.assertIn(b"OTHER_KEY", result.stderr)
        self.assertNotIn(self.VALUE.encode(), result.stderr)

    def test_a_line_that_is_not_the_values_ends_with_124_and_is_not_shown(self):
        for line in (
            b"",
            b"\n",
            b'{"API_KEY":"broken off',
            b'{"API_KEY":"without an end"}',
            b"[]\n",
            b"null\n",
            b'{"API_KEY":7}\n',
            b'{"API_KEY":["value"]}\n',
            b'{"API_KEY":"\\ud800"}\n',
            b'{"API_KEY":"value\\u0000"}\n',
            b'{"API_KEY":"\xff"}\n',
            {"OTHER": "value"},
            {"API_KEY": "value", "OTHER": "value"},
            [[[[]]]],
        ):
            with self.subTest(line):
                result = self.run_script("open('ran', 'w')", **self.by_input(line))
                self.assert_refused(result)
                self.assertIn(b"secrets did not arrive", result.stderr)
                self.assertNotIn(b"value", result.stderr)
                self.assertNotIn(b"Traceback", result.stderr)

    def test_a_line_too_long_ends_with_124(self):
        process = self.start("open('ran', 'w')", stdin=subprocess.PIPE, **self.asking())
        with contextlib.suppress(BrokenPipeError):
            for _ in range(40):
                process.stdin.write(b"x" * 10_000)
        process.wait(PATIENCE_SECONDS)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdin = None
        self.assert_refused(self.finish(process))

    def asking(self):
        self.order["secrets"] = ["API_KEY"]
        self.environ["RUNNER_SECRETS_FROM"] = "stdin"
        return {}

    def test_an_input_that_is_closed_ends_with_124(self):
        process = self.start("open('ran', 'w')", ("sh", "-c", 'exec "$@" <&-', "sh"), **self.asking())
        self.assert_refused(self.finish(process))

    def test_a_line_that_comes_late_and_in_pieces_is_waited_for(self):
        process = self.start("import os; print(len(os.environ['API_KEY']))", stdin=subprocess.PIPE, **self.asking())
        for piece in (b'{"API_', b'KEY":"val', b'ue"}', b"\nand more"):
            time.sleep(0.15)
            process.stdin.write(piece)
            process.stdin.flush()
        self.assertEqual(self.finish(process).text(), "5\n")

    def test_a_line_that_does_not_come_ends_with_124_in_time(self):
        impatient = self.changed_runner("PATIENCE_SECONDS = 30.0", "PATIENCE_SECONDS = 0.3")
        process = self.start("open('ran', 'w')", stdin=subprocess.PIPE, runner=impatient, **self.asking())
        self.assertEqual(process.wait(PATIENCE_SECONDS), 124)
        process.stdin.close()

    def test_a_stop_while_it_waits_ends_with_143_and_runs_nothing(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start("open('ran', 'w')", stdin=subprocess.PIPE, **self.asking())
            self.wait_for(lambda: blocks_sigterm(process.pid), "the runner's first steps")
            process.send_signal(number)
            process.wait(PATIENCE_SECONDS)
            process.stdin.close()
            process.stdin = None
            self.assert_refused(self.finish(process), 143)
            os.unlink(self.path("spool", "log"))

    def test_orders_whose_secrets_are_no_names_end_with_122(self):
        for secrets in ("API_KEY", {"API_KEY": "value"}, [7], [""], ["A=B"], ["A\0"]):
            with self.subTest(secrets):
                self.order["secrets"] = secrets
                self.assertEqual(self.run_script("print(1)").code, 122)

    def test_what_is_held_back_comes_out_at_the_end_however_that_comes(self):
        for how, script in (
            ("close", "import os, time; os.write(1, b's3c'); os.close(1); time.sleep(0.1)"),
            ("exit", "import os; os.write(1, b's3c'); os._exit(0)"),
            ("kill", "import os; os.write(1, b's3c'); os.kill(os.getpid(), 9)"),
            ("deadline", "import os, time; os.write(1, b's3c'); time.sleep(60)"),
        ):
            with self.subTest(how):
                self.order["timeoutSeconds"] = 2
                result = self.run_script(script, **self.by_environment(API_KEY=self.VALUE))
                self.assertEqual(result.text(), "s3c")
                self.assertEqual(result.stdout, b"s3c")
                self.assertIsNotNone(result.ended)
                os.unlink(self.path("spool", "log"))

    def test_what_cannot_become_a_value_is_not_held_back(self):
        process = self.start(
            "import os, time; os.write(1, b's3x'); time.sleep(60)", **self.by_environment(API_KEY=self.VALUE)
        )
        self.wait_for_text("s3x")
        process.terminate()
        self.finish(process)

    def test_invalid_bytes_beside_a_value_do_not_hide_it(self):
        script = "import os, time\nfor b in os.fsencode(%r): os.write(1, bytes([b])); time.sleep(0.003)"
        around = os.fsdecode(b"\xe2\x82" + self.VALUE.encode() + b"\x82\xff" + self.VALUE.encode() + b"\xc3")
        result = self.run_script(script % around, **self.by_environment(API_KEY=self.VALUE))
        self.assertEqual(result.text(), "\ufffd***\ufffd\ufffd***\ufffd")

    def test_a_value_that_is_not_utf_8_is_masked_as_the_text_it_becomes(self):
        how = self.by_environment(API_KEY=os.fsdecode(b"k\xffy\xe2\x82."))
        result = self.run_script("import os; os.write(1, b'<' + os.environb[b'API_KEY'] + b'>')", **how)
        self.assertEqual(result.text(), "<***>")

    def test_an_empty_value_masks_nothing(self):
        result = self.run_script("import os; print(repr(os.environ['API_KEY']))", **self.by_environment(API_KEY=""))
        self.assertEqual(result.text(), "''\n")

    def test_a_traceback_and_many_lines_are_masked(self):
        value = "-----BEGIN KEY-----\nabc\ndef\n-----END KEY-----\n"
        script = "import os\nfor _ in range(3000): print(os.environ['API_KEY'])\nraise ValueError(os.environ['API_KEY'])"
        result = self.run_script(script, **self.by_environment(API_KEY=value))
        self.assertEqual(result.text(), "***\n" * 3000)
        self.assertTrue(result.text(STDERR).endswith("ValueError: ***\n"), result.text(STDERR))

    def test_the_tail_of_a_full_log_is_masked_and_its_limit_counts_masked_text(self):
        self.order["maxLogBytes"] = 100_000
        value = "v" * 999
        script = "import os\nfor i in range(200_000): print(os.environ['API_KEY'], i)"
        result = self.run_script(script, **self.by_environment(API_KEY=value))
        self.assertNotIn(b"vv", result.log)
        self.assertTrue(result.text().endswith("\n*** 199999\n"))
        gap = int(result.of(GAP)[0].payload)
        self.assertEqual(gap + len(result.bytes()), len("".join("*** %d\n" % i for i in range(200_000))))
        self.assertLess(len(result.log), 100_000 + SLACK_BYTES)

    @needs_namespace
    def test_neither_the_runners_environment_nor_its_input_gives_it_away_as_pid_1(self):
        script = """
            import os
            for path in ("/proc/1/environ", "/proc/1/fd/0", "/proc/1/mem"):
                try:
                    open(path, "rb").read(1)
                    print("read", path)
                except PermissionError:
                    print("refused")
        """
        for give in (lambda: self.by_environment(API_KEY=self.VALUE), lambda: self.by_input({"API_KEY": self.VALUE})):
            how = give()
            prefix = (*UNSHARE, "setpriv", "--reuid", str(UNPRIVILEGED_UID), "--clear-groups")
            os.chmod(self.root, 0o777)
            result = self.run_script(script, prefix=prefix, **how)
            self.assertEqual(result.text(), "refused\n" * 3, result.stderr)
            os.unlink(self.path("spool", "log"))


class Listener:
    """An address of this machine that takes connections until it is closed, and counts them."""

    def __init__(self, family=socket.AF_INET, host="127.0.0.1"):
        self.count = 0
        self.server = socket.socket(family)
        self.server.bind((host, 0))
        self.server.listen()
        self.port = self.server.getsockname()[1]
        self.address = "%s:%d" % (host, self.port)
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            try:
                connection = self.server.accept()[0]
            except OSError:
                return
            self.count += 1
            connection.close()

    def close(self):
        try:
            self.server.shutdown(socket.SHUT_RDWR)  # which wakes the thread, too
        except OSError:
            pass  # closed before
        self.server.close()


class TheNetworkGate(RunnerCase):
    """RUNNER_AWAIT_CLOSED; the addresses are of this machine, where a closed port stands for a policy."""

    # What the policy is to keep from it: a connection in its first instruction.
    TRIES = """
        import socket
        for port in %r:
            with socket.socket() as tried:
                print(tried.connect_ex(("127.0.0.1", port)))
        """

    def listener(self, *where):
        listener = Listener(*where)
        self.addCleanup(listener.close)
        return listener

    def await_closed(self, *addresses, seconds="120", **more):
        self.environ.update(RUNNER_AWAIT_CLOSED=",".join(addresses), RUNNER_AWAIT_CLOSED_SECONDS=seconds, **more)

    def network(self, result):
        return json.loads(result.of(STARTED)[0].payload).get("network")

    def closed_address(self):
        listener = self.listener()
        listener.close()
        return listener.address

    def test_without_the_order_it_tries_nothing_and_says_nothing(self):
        self.assertIsNone(self.network(self.run_script("print(1)")))

    def test_the_script_begins_when_no_address_takes_connections_any_more(self):
        one, two = self.listener(), self.listener()
        self.await_closed(one.address, two.address)
        process = self.start(self.TRIES % [one.port, two.port])
        self.wait_for(lambda: one.count >= 2, "two connections")
        one.close()
        count = two.count
        self.wait_for(lambda: two.count >= count + 3, "connections to the one that is left")
        self.assertEqual(self.read_log(), b"")
        two.close()
        result = self.finish(process)
        self.assertEqual(result.text(), "111\n111\n", result.stderr)
        self.assertEqual({**self.network(result), "seconds": 0}, {"closed": True, "wasOpen": True, "seconds": 0})

    def test_a_network_that_was_never_open_must_stay_closed_for_a_while(self):
        self.await_closed(self.closed_address(), self.closed_address())
        network = self.network(self.run_script("print(1)"))
        self.assertEqual((network["closed"], network["wasOpen"]), (True, False))
        self.assertGreaterEqual(network["seconds"], job_runner.NetworkGate.SETTLE_SECONDS)

    def test_what_does_not_answer_is_closed(self):
        with contextlib.ExitStack() as stack:
            # A queue that is full answers nobody.
            queue = stack.enter_context(socket.socket())
            queue.bind(("127.0.0.1", 0))
            queue.listen(0)
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(queue.getsockname())
            self.await_closed("127.0.0.1:%d" % queue.getsockname()[1])
            self.assertEqual(self.network(self.run_script("print(1)"))["closed"], True)

    def test_a_runner_that_got_no_processor_does_not_take_its_own_lateness_for_silence(self):
        late = "until = clock() + self.ROUND_SECONDS"
        with open(RUNNER) as file:
            source = file.read()
        self.assertEqual(source.count(late), 1)
        self.write("runner.py", content=source.replace(late, late + "; time.sleep(self.ROUND_SECONDS)"))
        self.await_closed(self.listener().address, seconds="0.3")
        self.assertEqual(self.start("print(1)", runner=self.path("runner.py")).wait(PATIENCE_SECONDS), 117)

    def test_a_network_that_stays_open_ends_it_with_117_and_nothing_has_run(self):
        listener = self.listener()
        self.await_closed(self.closed_address(), listener.address, seconds="0.3")
        result = self.run_script("open('ran', 'w')")
        self.assertEqual((result.code, result.log), (117, b""))
        self.assertIn("the network is open after 0.3 s: 127.0.0.1 port %d answers" % listener.port, result.stderr.decode())
        self.assertEqual(os.listdir(self.path("output")), [])

    def test_it_begins_all_the_same_where_that_is_ordered(self):
        self.await_closed(self.listener().address, seconds="0.3", RUNNER_AWAIT_CLOSED_ELSE="start")
        result = self.run_script("print(1)")
        self.assertEqual(result.text(), "1\n")
        network = self.network(result)
        self.assertEqual((network["closed"], network["wasOpen"]), (False, True))
        self.assertRegex(network["answer"], r"^127\.0\.0\.1 port \d+ answers$")

    def test_what_cannot_be_tried_is_not_closed(self):
        for address in ("no-such-host.invalid:443", "$(KUBERNETES_SERVICE_HOST):443"):
            with self.subTest(address):
                self.await_closed(self.closed_address(), address, seconds="0.1")
                result = self.run_script("print(1)")
                self.assertEqual((result.code, result.log), (117, b""))
                self.assertIn("cannot be tried", result.stderr.decode())

    def test_an_order_that_is_no_list_of_addresses_ends_it_with_123(self):
        for text in ("127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", ":x", ","):
            with self.subTest(text):
                self.await_closed(text)
                self.assertEqual(self.run_script("print(1)").code, 123)
        self.await_closed(self.closed_address(), seconds="soon")
        self.assertEqual(self.run_script("print(1)").code, 123)

    @needs(has_ipv6(), "IPv6")
    def test_addresses_of_ipv6_are_tried(self):
        for form in ("::1:%d", "[::1]:%d"):
            listener = self.listener(socket.AF_INET6, "::1")
            self.await_closed(form % listener.port, seconds="0.2")
            self.assertEqual(self.run_script("print(1)").code, 117)
            listener.close()
            self.assertEqual(self.network(self.run_script("print(1)"))["closed"], True)
            os.unlink(self.path("spool", "log"))

    def test_a_stop_ends_the_wait_with_143_and_nothing_has_run(self):
        listener = self.listener()
        self.await_closed(listener.address, RUNNER_STOP_FILE=self.path("stop"))
        for stop in (lambda process: process.terminate(), lambda _: self.write("stop", content="5\n")):
            count = listener.count
            process = self.start("open('ran', 'w')")
            self.wait_for(lambda: listener.count > count, "a connection")
            stop(process)
            result = self.finish(process)
            self.assertEqual((result.code, result.log), (143, b""), result.stderr)
            self.assertEqual(os.listdir(self.path("output")), [])

    def test_the_script_has_nothing_of_it(self):
        self.await_closed(self.closed_address())
        script = """
            import os, sys
            print([name for name in os.environ if name.startswith("RUNNER")], "_socket" in sys.modules)
            print([fd for fd in range(3, 64) if os.path.exists("/proc/self/fd/%d" % fd)])
            """
        result = self.run_script(script)
        self.assertEqual(result.text(), self.without_order(script))

    def without_order(self, script):
        del self.environ["RUNNER_AWAIT_CLOSED"]
        os.unlink(self.path("spool", "log"))
        return self.run_script(script).text()


class TheStopFile(RunnerCase):
    def setUp(self):
        super().setUp()
        self.environ["RUNNER_STOP_FILE"] = self.path("stop")
        self.order["graceSeconds"] = 20

    STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"

    def test_it_stops_the_script_as_a_sigterm_does(self):
        process = self.start("import time; print('up', flush=True); time.sleep(60)")
        self.wait_for_text("up")
        self.write("stop", content="5\n")
        result = self.finish(process)
        self.assert_ended(result, signal=15, stopped=True, timedOut=False)
        self.assertEqual(result.code, 143)
        self.assertLess(result.ended["wallSeconds"], 60)

    def test_its_grace_takes_the_place_of_the_orders(self):
        process = self.start(self.STUBBORN)
        self.wait_for_text("up")
        self.write("stop", content="0.5\n")
        self.assert_ended(self.finish(process), signal=9, stopped=True)

    def test_a_grace_may_be_longer_than_the_orders(self):
        self.order["graceSeconds"] = 0
        script = "import signal, time; signal.signal(15, lambda *_: (time.sleep(0.6), print('done'), exit(3)))\n"
        process = self.start(script + "print('up', flush=True); time.sleep(60)")
        self.wait_for_text("up")
        self.write("stop", content="10\n")
        result = self.finish(process)
        self.assertEqual(result.text(), "up\ndone\n")
        self.assert_ended(result, exitCode=3, stopped=True)

    def test_a_later_number_makes_the_kill_earlier_and_never_later(self):
        process = self.start(self.STUBBORN)
        self.wait_for_text("up")
        began = time.monotonic()
        for text in ("3\n", "900\n", "300\n"):
            self.write("stop", content=text)
            time.sleep(0.4)
        self.assert_ended(self.finish(process), signal=9, stopped=True)
        self.assertLess(time.monotonic() - began, 120)
        os.unlink(self.path("spool", "log"))
        os.unlink(self.path("stop"))
        process = self.start(self.STUBBORN)
        self.wait_for_text("up")
        self.write("stop", content="300\n")
        time.sleep(0.4)
        self.write("stop", content="0\n")
        result = self.finish(process)
        self.assert_ended(result, signal=9, stopped=True)
        self.assertLess(result.ended["wallSeconds"], 120)

    def test_it_shortens_the_grace_after_the_deadline_too(self):
        self.order.update(timeoutSeconds=1.5, graceSeconds=600)
        process = self.start("import signal, time; signal.signal(15, lambda *_: print('got')); time.sleep(600)")
        self.wait_for_text("got")
        self.write("stop", content="0\n")
        result = self.finish(process)
        self.assert_ended(result, signal=9, stopped=False, timedOut=True)

    def test_what_is_no_number_asks_for_nothing(self):
        for text, expected in (
            *((text, None) for text in ("", "\n", "5", "-1\n", "nan\n", "inf\n", "1e1\n", "5 \n", " 5\n", ".\n", "1.2.3\n")),
            *((text, None) for text in ("x" * 100 + "\n5\n", "5" * 64 + "\n", b"\xff\n", "\n5\n")),
            *(("0\n", 0), ("7\n", 7), ("2.5\nand more", 2.5)),
        ):
            with self.subTest(text):
                self.write("stop", content=text)
                self.assertEqual(job_runner.StopFile(self.path("stop")).look(), expected)

    def test_what_is_no_file_asks_for_nothing_and_holds_nothing_up(self):
        process = self.start("import time; print('up', flush=True); time.sleep(0.8)")
        self.wait_for_text("up")
        os.mkfifo(self.path("stop"))
        time.sleep(0.3)
        os.unlink(self.path("stop"))
        os.mkdir(self.path("stop"))
        self.assert_ended(self.finish(process), exitCode=0, stopped=False)

    def test_a_stop_before_the_start_ends_with_143_and_runs_nothing(self):
        self.write("stop", content="5\n")
        result = self.run_script("open('ran', 'w')")
        self.assertEqual((result.code, result.frames), (143, []))
        self.assertFalse(os.path.exists(self.path("output", "ran")))

    def test_waiting_for_it_costs_next_to_nothing(self):
        process = self.start("import time; print('up', flush=True); time.sleep(1.2)")
        self.wait_for_text("up")
        self.assert_sleeps(process)
        self.assert_ended(self.finish(process), exitCode=0)


class TheFrames(RunnerCase):
    def test_a_log_begins_with_started_and_ends_with_ended(self):
        before = time.time()
        result = self.run_script("import os, time; time.sleep(0.2); sum(range(10**6)); print(os.getpid())")
        after = time.time()
        kinds = [frame.kind for frame in result.frames]
        self.assertEqual((kinds[0], set(kinds[1:-1]), kinds[-1]), (STARTED, {OUTPUT}, ENDED))
        started = json.loads(result.frames[0].payload)
        self.assertEqual(sorted(started), ["pid", "python", "version"])
        self.assertEqual((started["version"], started["pid"]), (1, int(result.text())))
        self.assertRegex(started["python"], r"^3\.\d+\.\d+")
        self.assertEqual({(frame.kind, frame.stream) for frame in result.frames}, {(STARTED, 0), (OUTPUT, STDOUT), (ENDED, 0)})
        for frame in result.frames:
            self.assertTrue(before <= frame.time_us / 1e6 <= after)
        self.assertEqual(
            sorted(result.ended),
            sorted(
                "exitCode signal timedOut stopped diskExceeded oomKills droppedBytes wallSeconds cpuSeconds maxRssBytes".split()
            ),
        )
        self.assert_ended(result, exitCode=0, signal=None, timedOut=False, stopped=False, diskExceeded=False, oomKills=0)
        self.assertTrue(0.2 <= result.ended["wallSeconds"] < after - before)
        self.assertTrue(0.001 < result.ended["cpuSeconds"] < 5)
        self.assertTrue(1 << 20 < result.ended["maxRssBytes"] < 1 << 30)
        self.assertEqual((result.torn, result.stderr), (b"", b""))

    def test_reaped_children_count_as_usage(self):
        result = self.run_script(
            """
            import subprocess, sys
            subprocess.run([sys.executable, "-c", "import time; b = 'x' * 200000000\\nwhile time.process_time() < 0.4: pass"])
            """
        )
        self.assertTrue(0.4 < result.ended["cpuSeconds"] < 5)
        self.assertGreater(result.ended["maxRssBytes"], 200_000_000)

    def test_both_streams_arrive_whole_and_numbered_without_a_gap(self):
        result = self.run_script(
            """
            import sys
            for i in range(20000):
                print("out", i)
                print("err", i, file=sys.stderr)
            """
        )
        self.assertEqual(result.text(STDOUT), "".join("out %d\n" % i for i in range(20000)))
        self.assertEqual(result.text(STDERR), "".join("err %d\n" % i for i in range(20000)))
        self.assert_sequence(result)

    def test_what_was_printed_to_one_stream_first_comes_before_the_other_stream(self):
        result = self.run_script(
            """
            import sys, time
            for _ in range(5):
                print("a", end=""); time.sleep(0.002); print("b", end=""); print("c", end="", file=sys.stderr)
                time.sleep(0.05)
            """
        )
        everything = b"".join(frame.payload for frame in result.of(OUTPUT)).decode()
        self.assertEqual(everything, "abc" * 5)

    def test_frames_hold_at_most_65536_bytes_and_never_split_a_character(self):
        result = self.run_script("import sys; sys.stdout.write('x' + '€𝄞ä' * 300000)")
        self.assertEqual(result.text(), "x" + "€𝄞ä" * 300000)
        for frame in result.of(OUTPUT):
            self.assertLessEqual(len(frame.payload), 65536)
            frame.payload.decode()
        self.assertGreater(max(len(frame.payload) for frame in result.of(OUTPUT)), 65500)

    def test_a_character_split_over_reads_is_put_together(self):
        result = self.run_script(
            """
            import os, time
            for byte in "ä€𝄞".encode():
                os.write(1, bytes([byte])); time.sleep(0.02)
            """
        )
        self.assertEqual(result.text(), "ä€𝄞")

    def test_invalid_bytes_are_replaced_as_python_does_it_wherever_reads_split_them(self):
        data = b"a\xff\x00\xc3(\xe2\x82x\xf0\x9d\x84\xed\xa0\x80\xc0\x80\xf4\x90\x80\x80 \xe2\x82"
        self.assertEqual(self.run_script("import os; os.write(1, %r)" % data).text(), data.decode("utf-8", "replace"))
        for cut in range(len(data) + 1):
            pipe = job_runner.Pipe(STDOUT)
            try:
                decoded = pipe.decode(data[:cut]) + pipe.decode(data[cut:]) + pipe.decode(b"", final=True)
            finally:
                os.close(pipe.fd)
                os.close(pipe.script_end)
            self.assertEqual(decoded.decode(), data.decode("utf-8", "replace"), "cut at %d" % cut)

    def test_the_first_bytes_after_a_quiet_moment_are_written_at_once(self):
        result = self.run_script(
            """
            import os, time
            for _ in range(5):
                time.sleep(0.7)
                os.write(1, b"%d\\n" % time.time_ns())
            """,
            runner=self.gathering(0.5),
        )
        delays = [frame.time_us / 1e6 - int(frame.payload) / 1e9 for frame in result.of(OUTPUT)]
        self.assertEqual(len(delays), 5)
        self.assertLess(statistics.median(delays), 0.4)

    def test_a_printed_line_is_one_frame(self):
        # The instant in which the rest of a line follows is long here, for a machine that is busy.
        patient = self.changed_runner("time.sleep(0.0002)\n", "time.sleep(0.2)\n")
        result = self.run_script("import time\nfor i in range(6): time.sleep(0.4); print('line', i)", runner=patient)
        whole = [frame for frame in result.of(OUTPUT) if frame.payload.endswith(b"\n")]
        self.assertGreaterEqual(len(whole), 5)
        self.assertLessEqual(len(result.of(OUTPUT)), 8)

    def test_while_output_keeps_coming_it_is_gathered_for_5_ms(self):
        self.assertEqual(job_runner.Pipe.GATHER_SECONDS, 0.005)
        result = self.run_script(
            """
            import os, time
            until = time.monotonic() + 2
            while time.monotonic() < until:
                os.write(1, b"x"); time.sleep(0.002)
            """,
            runner=self.gathering(0.25),
        )
        times = [frame.time_us / 1e6 for frame in result.of(OUTPUT)]
        pauses = [later - earlier for earlier, later in zip(times, times[1:])]
        self.assertGreater(statistics.median(pauses), 0.2)
        self.assertGreaterEqual(len(times), 4)

    def gathering(self, seconds):
        """A runner that gathers for so long that a busy machine does not matter."""
        return self.changed_runner("GATHER_SECONDS = 0.005", "GATHER_SECONDS = %r" % seconds)

    def test_a_line_without_end_and_large_writes_flow(self):
        usage = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        began = usage()
        self.order["maxLogBytes"] = 1 << 30
        result = self.run_script("import os\nfor _ in range(100): os.write(1, b'x' * 1000000)")
        self.assertEqual(len(result.bytes()), 100_000_000)
        self.assertLess(usage() - began, 20)

    def test_a_script_that_closes_its_streams_early_runs_on(self):
        result = self.run_script(
            """
            import os, time
            os.write(1, b"last"); os.close(1); os.close(2); time.sleep(0.1); os._exit(5)
            """
        )
        self.assertEqual(result.text(), "last")
        self.assert_ended(result, exitCode=5)
        self.assertLess(result.ended["cpuSeconds"], 1)

    def test_the_runner_sleeps_while_nothing_happens(self):
        process = self.start("import os, time; os.close(1); print('x', file=__import__('sys').stderr); time.sleep(1.2)")
        self.wait_for_text("x")
        self.assert_sleeps(process)
        self.finish(process)


class TheLimitOfTheLog(RunnerCase):
    def test_a_full_log_keeps_its_end_after_a_gap(self):
        self.order["maxLogBytes"] = 100_000
        result = self.run_script(
            """
            import sys
            for i in range(40000):
                print("line %06d ä" % i)
                if i % 10 == 0:
                    print("warning", i, file=sys.stderr)
            1 / 0
            """
        )
        printed = {
            STDOUT: "".join("line %06d ä\n" % i for i in range(40000)).encode(),
            STDERR: "".join("warning %d\n" % i for i in range(0, 40000, 10)).encode(),
        }
        self.assertLessEqual(len(result.log), 100_000 + SLACK_BYTES)
        self.assertGreater(len(result.log), 100_000 - 65536 + SLACK_BYTES - 16384)
        self.assert_sequence(result)
        gaps = result.of(GAP)
        first_gap = result.frames.index(gaps[0])
        head, tail = result.frames[:first_gap], result.frames[first_gap + len(gaps) :]
        self.assertEqual([frame.kind for frame in result.frames if frame.kind == GAP], [GAP] * len(gaps))
        for stream in (STDOUT, STDERR):
            before = b"".join(frame.payload for frame in head if frame.stream == stream and frame.kind == OUTPUT)
            after = b"".join(frame.payload for frame in tail if frame.stream == stream and frame.kind == OUTPUT)
            after = after.split(b"Traceback")[0]
            lost = sum(int(frame.payload) for frame in gaps if frame.stream == stream)
            self.assertTrue(printed[stream].startswith(before))
            self.assertTrue(printed[stream].endswith(after))
            self.assertEqual(len(before) + lost + len(after), len(printed[stream]))
        for frame in result.of(OUTPUT):
            frame.payload.decode()
        self.assertIn("ZeroDivisionError", result.text(STDERR))
        self.assert_ended(result, exitCode=1, droppedBytes=sum(int(frame.payload) for frame in gaps))
        self.assertGreater(result.ended["droppedBytes"], 100_000)

    def test_what_still_fits_into_the_tail_is_not_lost(self):
        self.order["maxLogBytes"] = 10_000
        result = self.run_script("for i in range(10000): print('%09d' % i)")
        self.assertEqual(result.text(), "".join("%09d\n" % i for i in range(10000)))
        self.assertEqual(result.of(GAP), [])
        self.assert_ended(result, droppedBytes=0)

    def test_a_limit_of_zero_still_ends_properly(self):
        self.order["maxLogBytes"] = 0
        result = self.run_script("print('x' * 5000000)\nprint('end')")
        self.assertLessEqual(len(result.log), SLACK_BYTES)
        self.assertTrue(result.text().endswith("x\nend\n"))
        self.assertEqual(len(result.bytes()) + result.ended["droppedBytes"], 5000005)

    def test_many_tiny_pieces_do_not_grow_the_tail(self):
        file = tempfile.TemporaryFile()
        self.addCleanup(file.close)
        log = job_runner.Log(file.fileno(), 0)
        for i in range(50000):
            log.output(STDOUT + i % 2, b"\xc3\xa4")
        self.assertLess(len(log.tail), 20000)
        self.assertTrue(log.ended(b"{}"))
        file.seek(0)
        frames, torn = parse_frames(file.read())
        self.assertEqual(torn, b"")
        self.assertLessEqual(file.tell(), SLACK_BYTES)
        kept = sum(len(frame.payload) for frame in frames if frame.kind == OUTPUT)
        lost = sum(int(frame.payload) for frame in frames if frame.kind == GAP)
        self.assertEqual(kept + lost, 100000)

    def limit_file_size(self, size):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def test_a_write_that_fails_counts_as_dropped_and_the_end_is_still_written(self):
        process = self.start(
            """
            import os, time
            for i in range(100000): print("%09d" % i)
            while not os.path.exists("go"): time.sleep(0.01)
            print("done")
            """,
            preexec_fn=self.limit_file_size(300_001),
        )
        self.wait_for_text("0000")
        self.wait_for(lambda: len(self.read_log()) == 300_001, "a full disk")
        time.sleep(0.2)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        self.write("output", "go", content="")
        result = self.finish(process)
        self.assert_sequence(result)
        self.assertEqual(result.torn, b"")
        self.assertTrue(result.text().endswith("\ndone\n"))
        lost = sum(int(frame.payload) for frame in result.of(GAP))
        self.assertEqual(len(result.bytes()) + lost, 1_000_005)
        self.assert_ended(result, exitCode=0, droppedBytes=lost)

    def test_a_disk_that_stays_full_leaves_whole_frames_a_torn_one_and_the_exit_code(self):
        result = self.run_script(
            "for i in range(100000): print('%09d' % i)\nraise SystemExit(7)", preexec_fn=self.limit_file_size(300_001)
        )
        self.assertEqual(result.code, 7)
        self.assertEqual(len(result.log), 300_001)
        self.assertIsNone(result.ended)
        self.assertIn(b"could not be written", result.stderr)

    @needs_root
    def test_a_full_file_system_is_survived(self):
        mounted = works("mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", self.path("spool"))
        if not mounted:
            self.skipTest(tell("SKIPPED", "what needs a small file system to be mounted"))
        self.addCleanup(subprocess.run, ["umount", self.path("spool")], check=True)
        self.order["env"] = {"SPOOL": self.path("spool")}
        result = self.run_script(
            """
            import os, time
            filler = os.environ["SPOOL"] + "/filler"
            open(filler, "wb").write(bytes(3700 * 1024))
            for i in range(100000): print("%09d" % i)
            while os.statvfs(os.environ["SPOOL"]).f_bavail: time.sleep(0.01)
            os.unlink(filler)
            print("done")
            """
        )
        self.assert_ended(result, exitCode=0)
        self.assert_sequence(result)
        self.assertTrue(result.text().endswith("\ndone\n"))
        self.assertEqual(len(result.bytes()) + result.ended["droppedBytes"], 1_000_005)


class TheCourtesyCopy(RunnerCase):
    def test_it_is_the_plain_text_of_both_streams(self):
        result = self.run_script("import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)")
        self.assertEqual(sorted(result.stdout.split()), [b"err", b"out"])

    def test_it_is_at_most_1_mib(self):
        result = self.run_script("print('x' * 3000000)")
        self.assertEqual(len(result.bytes()), 3000001)
        self.assertLessEqual(len(result.stdout), 1 << 20)

    def test_nobody_reading_it_holds_nothing_up(self):
        process = self.start("for i in range(200000): print('%09d' % i)")
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(len(Result(self.read_log(), 0, b"", b"").bytes()), 2_000_000)

    def test_a_reader_that_went_away_changes_nothing(self):
        process = self.start("import time; time.sleep(0.2); print('x')")
        process.stdout.close()
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(Result(self.read_log(), 0, b"", b"").text(), "x\n")


class TheEnd(RunnerCase):
    def assert_gone(self, pid):
        self.wait_for(lambda: not is_alive(pid), "the end of process %d" % pid)

    def test_the_deadline_sends_sigterm_to_the_whole_tree_and_then_sigkill(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.5)
        result = self.run_script(
            """
            import os, signal, time
            def note(number, frame):
                os.write(1, b"%s got %d\\n" % (name, number))
            signal.signal(signal.SIGTERM, note)
            name = b"parent"
            if os.fork() == 0:
                os.setsid()
                name = b"grandchild" if os.fork() == 0 else b"child"
            while True: time.sleep(60)
            """
        )
        self.assertEqual(sorted(result.text().splitlines()), ["child got 15", "grandchild got 15", "parent got 15"])
        self.assert_ended(result, exitCode=None, signal=9, timedOut=True, stopped=False)
        self.assertEqual(result.code, 137)
        self.assertTrue(2.5 <= result.ended["wallSeconds"] < 50, result.ended)

    def test_a_script_that_ends_inside_the_grace_has_timed_out(self):
        self.order.update(timeoutSeconds=2, graceSeconds=100)
        result = self.run_script(
            """
            import signal, sys, time
            signal.signal(signal.SIGTERM, lambda *_: (print("bye"), sys.exit(0)))
            time.sleep(60)
            """
        )
        self.assertEqual(result.text(), "bye\n")
        self.assert_ended(result, exitCode=0, timedOut=True)
        self.assertEqual(result.code, 0)
        self.assertLess(result.ended["wallSeconds"], 50)

    def test_a_deadline_ends_a_stopped_process_too(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.2)
        result = self.run_script("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
        self.assert_ended(result, signal=9, timedOut=True)

    def test_a_script_that_prints_without_end_meets_its_deadline(self):
        self.order.update(timeoutSeconds=0.5, graceSeconds=0.2, maxLogBytes=1 << 20)
        result = self.run_script("while True: print('x' * 100)")
        self.assert_ended(result, timedOut=True)
        self.assertLess(result.ended["wallSeconds"], 60)

    def test_sigterm_and_sigint_stop_the_tree(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                process = self.start("import time; print('up'); time.sleep(60)")
                self.wait_for_text("up")
                process.send_signal(number)
                result = self.finish(process)
                self.assert_ended(result, signal=15, stopped=True, timedOut=False)
                self.assertEqual(result.code, 143)
                os.unlink(self.path("spool", "log"))

    def test_the_runner_sleeps_during_the_grace(self):
        self.order.update(timeoutSeconds=1.5, graceSeconds=1)
        process = self.start("import signal, time; signal.signal(15, lambda *_: print('got')); time.sleep(60)")
        self.wait_for_text("got")
        self.assert_sleeps(process)
        self.assert_ended(self.finish(process), timedOut=True)

    def test_a_stop_is_followed_by_sigkill_after_the_grace(self):
        self.order["graceSeconds"] = 0.3
        process = self.start("import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(60)")
        self.wait_for_text("up")
        process.terminate()
        result = self.finish(process)
        self.assert_ended(result, signal=9, stopped=True, timedOut=False)

    def test_a_stop_during_the_start_is_not_lost(self):
        for delay in (0.03, 0.04, 0.05, 0.06):
            process = self.start("import time; time.sleep(60)")
            self.wait_for(lambda: blocks_sigterm(process.pid), "the runner's first steps")
            time.sleep(delay - 0.03)
            process.terminate()
            self.assert_ended(self.finish(process), signal=15, stopped=True)
            os.unlink(self.path("spool", "log"))

    def test_a_daemon_that_holds_stdout_is_killed_and_waited_for_by_nobody(self):
        result = self.run_script(
            """
            import os, signal, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    print("daemon", os.getpid(), flush=True)
                    time.sleep(60)
                os._exit(0)
            os.wait()
            time.sleep(0.3)
            """
        )
        self.assert_ended(result, exitCode=0)
        self.assertLess(result.ended["wallSeconds"], 50)
        self.assert_gone(int(result.text().split()[1]))

    def test_a_child_that_prints_without_end_does_not_keep_the_job_open(self):
        result = self.run_script("import os, time\nif os.fork() == 0:\n    while True: print('x' * 1000)\ntime.sleep(0.2)")
        self.assert_ended(result, exitCode=0)

    def test_what_is_in_the_pipes_at_the_end_is_not_lost(self):
        for size in (1, 5000, 65536, 900_000):
            result = self.run_script("import os; os.write(1, b'a'); os.write(1, b'x' * %d); os._exit(1)" % size)
            self.assertEqual(len(result.bytes()), size + 1)
            os.unlink(self.path("spool", "log"))

    def test_many_children_are_ended(self):
        result = self.run_script(
            """
            import os, time
            for _ in range(300):
                if os.fork() == 0:
                    os.setsid(); time.sleep(60); os._exit(0)
            print(os.getpid())
            """
        )
        self.assert_ended(result, exitCode=0)
        self.assertEqual(processes_with_environment(self.root), [])

    def test_the_script_dies_with_a_runner_that_is_killed(self):
        process = self.start("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
        self.wait_for_text("\n")
        pid = int(Result(self.read_log(), 0, b"", b"").text())
        process.kill()
        self.assert_gone(pid)

    def test_a_failure_of_the_runner_ends_the_script_with_123_and_a_sentence(self):
        broken = textwrap.dedent(
            """
            import runpy, sys
            sys.argv = [%r]
            namespace = runpy.run_path(%r)
            def fail(*_):
                raise RuntimeError("made to fail")
            namespace["Runner"].read_pipes = fail
            namespace["main"]()
            import time; time.sleep(60)
            """
        ) % (RUNNER, RUNNER)
        self.write("broken.py", content=broken)
        self.write("job", "script.py", content="")
        self.write("job", "job.json", content=json.dumps(self.order))
        # The script's process prints from the harness itself: main() returns in it.
        broken = broken.replace("import time; time.sleep(60)", "import time; print('up', flush=True); time.sleep(60)")
        self.write("broken.py", content=broken)
        process = subprocess.run([PYTHON, "-u", self.path("broken.py")], env=self.environ, stderr=subprocess.PIPE, timeout=PATIENCE_SECONDS)
        self.assertEqual(process.returncode, 123)
        self.assertEqual(process.stderr, b"job_runner: RuntimeError: made to fail\n")
        self.assertEqual(processes_with_environment(self.root), [])
        self.assertIsNone(Result(self.read_log(), 0, b"", b"").ended)


class TheLimitOfTheOutput(RunnerCase):
    def test_the_meter_kills_the_tree_above_the_limit(self):
        self.order["maxOutputBytes"] = 1_000_000
        result = self.run_script(
            """
            import os, time
            os.makedirs("a/b")
            for i in range(30): open("a/b/%d" % i, "wb").write(bytes(50_000))
            time.sleep(60)
            """
        )
        self.assert_ended(result, signal=9, diskExceeded=True, timedOut=False)
        self.assertLess(result.ended["wallSeconds"], 50)

    def test_links_and_special_files_count_nothing(self):
        self.order["maxOutputBytes"] = 1_000_000
        self.write("big", content=bytes(3_000_000))
        self.order["env"] = {"BIG": self.path("big")}
        result = self.run_script(
            """
            import os, time
            os.symlink(os.environ["BIG"], "link"); os.symlink(os.path.dirname(os.environ["BIG"]), "folder")
            os.mkfifo("fifo"); os.mkdir("closed"); os.chmod("closed", 0)
            time.sleep(0.7)
            """
        )
        self.assert_ended(result, exitCode=0, diskExceeded=False)

    def test_one_file_cannot_grow_above_the_limit(self):
        self.order["maxOutputBytes"] = 1_000_000
        result = self.run_script("f = open('big', 'wb', buffering=0)\nwhile True: f.write(bytes(100_001))")
        self.assertEqual(os.path.getsize(self.path("output", "big")), 1_000_000)
        self.assertIn("[Errno 27]", result.text(STDERR))
        self.assert_ended(result, exitCode=1, diskExceeded=True)

    def test_a_script_that_fails_for_another_reason_has_not_exceeded(self):
        self.order["maxOutputBytes"] = 1_000_000
        result = self.run_script("open('small', 'wb').write(bytes(999_999)); raise SystemExit(1)")
        self.assert_ended(result, exitCode=1, diskExceeded=False)

    def test_measuring_is_done_in_slices(self):
        for i in range(3000):
            self.write("output", str(i), content="x")
        meter = job_runner.OutputMeter(self.path("output"), 2900)
        meter.SLICE_SECONDS = 0.0005
        slices, began = 1, time.monotonic()
        while not meter.exceeds():
            slices += 1
            self.assertLess(slices, 1000)
            self.assertGreater(meter.next_at, began)
            began = time.monotonic()
        self.assertGreater(slices, 2)

    def test_folders_that_vanish_deepen_or_cannot_be_read_do_not_stop_it(self):
        deep = self.path("output")
        for _ in range(100):
            deep += "/" + "d" * 20
            os.mkdir(deep)
        with open(deep + "/file", "w") as file:
            file.write("12345")
        os.mkdir(self.path("output", "vanishing"))
        sizes = job_runner.file_sizes(self.path("output"))
        next(sizes)
        shutil.rmtree(self.path("output", "vanishing"))
        self.assertEqual(sum(sizes), 5)
        self.assertEqual(sum(job_runner.file_sizes(self.path("absent"))), 0)

    def test_a_path_too_long_for_the_system_does_not_stop_it(self):
        result = self.run_script(
            """
            import os, time
            for _ in range(100):
                os.mkdir("d" * 200); os.chdir("d" * 200)
            time.sleep(0.7)
            """
        )
        self.assert_ended(result, exitCode=0)
        subprocess.run(["rm", "-rf", self.path("output")], check=True)


class AsPidOne(RunnerCase):
    """Where the runner is PID 1 of its own PID namespace, as in a container."""

    def start(self, script, prefix=(), **popen):
        return super().start(script, (*UNSHARE, *prefix), **popen)

    def runner_pid(self, process):
        """The runner's pid as it is outside of its namespace."""
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as file:
            return int(file.read().split()[0])

    @needs_namespace
    def test_it_is_pid_1_and_the_script_is_not(self):
        result = self.run_script("import os; print(os.getppid(), os.getpid() > 1)")
        self.assertEqual(result.text(), "1 True\n")
        self.assertEqual(json.loads(result.frames[0].payload)["pid"] > 1, True)

    @needs_namespace
    def test_a_script_cannot_end_it_by_any_signal(self):
        result = self.run_script(
            """
            import os, signal, time
            for number in signal.valid_signals():
                os.kill(1, number)
            time.sleep(0.3)
            print("still here")
            """
        )
        self.assertEqual(result.text(), "still here\n")
        self.assert_ended(result, exitCode=0, stopped=False)

    @needs_namespace
    def test_a_signal_with_a_forged_sender_is_ignored(self):
        result = self.run_script(
            """
            import ctypes, os, struct, time
            SYS_rt_sigqueueinfo = {"x86_64": 129, "aarch64": 138}[os.uname().machine]
            info = struct.pack("=iiii", 15, 0, -1, 0) + struct.pack("=II", 0, 0) + bytes(128)
            print(ctypes.CDLL(None).syscall(SYS_rt_sigqueueinfo, 1, 15, info))
            time.sleep(0.2)
            print("still here")
            """
        )
        self.assertEqual(result.text(), "0\nstill here\n")
        self.assert_ended(result, exitCode=0, stopped=False)

    @needs_namespace
    def test_a_sigterm_from_outside_stops_the_tree(self):
        process = self.start("import time; print('up'); time.sleep(60)")
        self.wait_for_text("up")
        os.kill(self.runner_pid(process), signal.SIGTERM)
        self.assert_ended(self.finish(process), signal=15, stopped=True)

    @needs_namespace
    def test_a_script_that_kills_everything_ends_by_itself(self):
        with open(os.path.join(HERE, "..", "test", "fixtures", "scripts", "kills-everything.py")) as file:
            result = self.run_script(file.read())
        self.assertEqual(result.text(), "still here\n")
        self.assert_ended(result, exitCode=0, signal=None)

    @needs_namespace
    def test_a_fork_bomb_is_ended(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.2)
        self.order["limits"] = {"processes": 400}
        result = self.run_script(
            """
            import os, signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                try:
                    os.fork()
                except OSError:
                    pass
            """,
            prefix=("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"),
        )
        self.assert_ended(result, timedOut=True, signal=9)
        self.assertEqual(processes_with_environment(self.root), [])

    @needs_namespace
    def test_orphans_and_zombies_are_reaped_while_the_script_runs(self):
        result = self.run_script(
            """
            import os, time
            for _ in range(50):
                if os.fork() == 0:
                    os.fork(); os._exit(0)
                os.wait()
            time.sleep(0.3)
            print(sum(name.isdigit() for name in os.listdir("/proc")))
            """
        )
        self.assertEqual(result.text(), "2\n")

    @needs_namespace
    def test_neither_its_environment_nor_its_descriptors_nor_its_memory_can_be_read(self):
        self.environ["SECRET"] = "of the runner"
        result = self.run_script(
            """
            import os
            for path in ("environ", "fd", "mem", "maps", "cwd"):
                try:
                    path = "/proc/1/" + path
                    os.listdir(path) if path.endswith("fd") else os.readlink(path) if path.endswith("cwd") else open(path).read(1)
                    print("READ", path)
                except PermissionError:
                    print("denied")
            print("SECRET" in open("/proc/self/environ").read())
            """,
            prefix=("setpriv", "--reuid=%d" % UNPRIVILEGED_UID, "--regid=%d" % UNPRIVILEGED_UID, "--clear-groups"),
        )
        self.assertEqual(result.text(), "denied\n" * 5 + "False\n", result.stderr)

    @needs_namespace
    def test_the_deadline_and_daemons_hold_as_well(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.2)
        result = self.run_script(
            """
            import os, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork() == 0:
                os.setsid()
            time.sleep(60)
            """
        )
        self.assert_ended(result, signal=9, timedOut=True)


class OutOfMemory(RunnerCase):
    """The evidence of the cgroup, in a cgroup of the test's own (cgroup v1 or v2, root)."""

    def make_cgroup(self, limit):
        v1 = os.path.isdir("/sys/fs/cgroup/memory")
        path = "/sys/fs/cgroup/%srunner-test-%d" % ("memory/" if v1 else "", os.getpid())
        try:
            os.mkdir(path)
            with open(path + ("/memory.limit_in_bytes" if v1 else "/memory.max"), "w") as file:
                file.write(str(limit))
            with contextlib.suppress(OSError):
                with open(path + ("/memory.memsw.limit_in_bytes" if v1 else "/memory.swap.max"), "w") as file:
                    file.write(str(limit if v1 else 0))
        except OSError:
            self.skipTest(tell("SKIPPED", "what needs a memory cgroup to be made"))
        self.addCleanup(lambda: self.wait_for(lambda: not os.path.exists(path) or remove_folder(path), "cgroup removal"))
        return path + "/cgroup.procs"

    def run_in_cgroup(self, script):
        procs = self.make_cgroup(100 << 20)

        def enter():
            with open(procs, "w") as file:
                file.write("0")

        return self.run_script(script, preexec_fn=enter)

    @needs_root
    def test_a_script_killed_for_its_memory_is_told_with_the_evidence(self):
        result = self.run_in_cgroup("print('before', flush=True)\nheld = [b'x' * (1 << 20) for _ in range(1000)]")
        self.assertEqual(result.text(), "before\n")
        self.assert_ended(result, exitCode=None, signal=9, oomKills=1)

    @needs_root
    def test_a_child_killed_for_its_memory_is_counted_too(self):
        result = self.run_in_cgroup(
            """
            import subprocess, sys
            print(subprocess.run([sys.executable, "-c", "held = [b'x' * (1 << 20) for _ in range(1000)]"]).returncode)
            """
        )
        self.assertEqual(result.text(), "-9\n")
        self.assert_ended(result, exitCode=0, oomKills=1)

    def test_a_sigkill_alone_is_no_evidence(self):
        result = self.run_script("import os; os.kill(os.getpid(), 9)")
        self.assert_ended(result, signal=9, oomKills=0)


def remove_folder(path):
    try:
        os.rmdir(path)
        return True
    except OSError:
        return False


def processor_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        return sum(map(int, file.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def blocks_sigterm(pid):
    with open("/proc/%d/status" % pid) as file:
        return int(re.search(r"^SigBlk:\s*(\w+)", file.read(), re.M).group(1), 16) >> 14 & 1


def processes_with_environment(root):
    """Living processes that work below `root`."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.readlink("/proc/%s/cwd" % name).startswith(root) and is_alive(int(name)):
                    found.append(int(name))
    return found


if __name__ == "__main__":
    unittest.main()
