"""What the tests of the runner stand on. They hold it to docs/runner-contract.md:

    python3 -m unittest discover -s runner-image/tests -t runner-image

Most start the real runner, bundled, with its folders moved to a temporary place. Those that need more (a PID namespace,
another uid, a small file system) run as root and are skipped with a reason elsewhere; with RUNNER_TESTS_REQUIRE_ALL=1 a
skip is a failure. RUNNER_TEST_PYTHON chooses the interpreter.
"""

import atexit
import collections
import contextlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

RUNNER_IMAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The system's interpreter rather than one in somebody's home, where the tests' other uids may not go.
SYSTEM_PYTHON = "/usr/bin/python3"
PYTHON = os.environ.get("RUNNER_TEST_PYTHON") or (SYSTEM_PYTHON if os.path.exists(SYSTEM_PYTHON) else sys.executable)
UNPRIVILEGED_UID = 10001

# Bounds for what hangs, not measures: a loaded machine may take many times as long as an idle one.
PATIENCE_SECONDS = 120


def bundle(sources=RUNNER_IMAGE):
    """The runner as one file, where the tests' other uids may go: a checkout in somebody's home is closed to them."""
    folder = tempfile.mkdtemp(prefix="runner-under-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    target = os.path.join(folder, "job_runner.py")
    subprocess.run([PYTHON, "-B", os.path.join(sources, "bundle.py"), target], check=True)
    os.chmod(target, 0o644)
    return target


def copy_sources(target):
    shutil.copytree(os.path.join(RUNNER_IMAGE, "runner"), os.path.join(target, "runner"))
    for name in ("bundle.py", "loader.py"):
        shutil.copy(os.path.join(RUNNER_IMAGE, name), target)


def read_text(path):
    with open(path) as file:
        return file.read()


RUNNER = bundle()
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

    def give_key(self):
        """A key as a server gives it, where the runner looks."""
        self.key = os.urandom(32)
        self.workload = "runner-job-1"
        self.key_text = json.dumps({"version": 1, "workload": self.workload, "key": self.key.hex()}) + "\n"
        self.write("spool", "key", content=self.key_text)
        os.chmod(self.path("spool", "key"), 0o600)

    def is_signed(self, kind, header, payload, attempt=1):
        text, _, tail = payload.rpartition(b',"mac":"')
        context = "maps-runner-1\0%s\0%d\0%s\0" % (self.workload, attempt, kind)
        mac = hmac.new(self.key, context.encode() + header + text, "sha256").hexdigest()
        return tail.decode() == mac + '"}'

    def assert_signed(self, result):
        """That the log begins and ends with frames that verify."""
        for kind, frame in ("started", result.frames[0]), ("ended", result.frames[-1]):
            header = HEADER.pack(b"LF", frame.kind, frame.stream, len(frame.payload), frame.seq, frame.time_us)
            self.assertEqual({"started": STARTED, "ended": ENDED}[kind], frame.kind)
            self.assertTrue(self.is_signed(kind, header, frame.payload), frame)

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

    def run_plain(self, script, **variables):
        """The same script by a plain `python -u script.py` in the same place: the measure of what is the same."""
        self.write("job", "script.py", content=textwrap.dedent(script))

        def listen_to_signals():  # a shell lets what it starts in the background ignore some
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)

        return subprocess.run(
            [PYTHON, "-u", self.path("job", "script.py")],
            cwd=self.path("output"),
            env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "HOME": self.root, **variables},
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
        """The runner with one place of its source changed."""
        sources = self.path("sources-%d" % len(os.listdir(self.root)))
        copy_sources(sources)
        paths = [os.path.join(folder, file) for folder, _, files in os.walk(sources) for file in files]
        texts = [(path, read_text(path)) for path in paths]
        found = [(path, text) for path, text in texts if old in text]
        self.assertEqual([text.count(old) for _, text in found], [1], old)
        for path, text in found:
            with open(path, "w") as file:
                file.write(text.replace(old, new))
        return bundle(sources)

    def assert_sleeps(self, process):
        before = processor_seconds(process.pid)
        time.sleep(0.8)
        self.assertLess(processor_seconds(process.pid) - before, 0.25)

    def assert_sequence(self, result):
        numbered = [frame.seq for frame in result.frames if frame.kind in (OUTPUT, GAP)]
        self.assertEqual(numbered, list(range(1, len(numbered) + 1)))
        self.assertEqual({frame.seq for frame in result.frames if frame.kind in (STARTED, ENDED)}, {0})


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
