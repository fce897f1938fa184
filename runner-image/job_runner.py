"""Runs one job's script and leaves everything that can be known about it in files.

    python -u job_runner.py            (PID 1 of its PID namespace, where there is one)

Reads the order `/job/job.json`, runs `/job/script.py` as `__main__` in a forked child, and appends what it prints to
`/spool/log` as frames. Deadline, log limit and disk limit hold here, so that a job needs no server while it runs. The
contract, with folders, frames and exit codes, is docs/runner-contract.md.

Two processes, in the order of this file:

* the *script's process* is forked as early as possible, makes itself look like a fresh `python -u script.py`, and waits
  for the go byte. Worker mode will let it wait here for a message instead.
* the *runner* hides itself, writes `started`, gives the go byte, and from then on only waits: one thread, one `select`
  over two pipes and a signalfd.

Every job pays for what this file imports: `signal`, `json` and `subprocess` would each add 5 to 8 ms to its start.
"""

import _signal as signal  # the module without its enums, whose import takes 5 ms
import fcntl
import os
import resource
import select
import struct
import sys
import time
from codecs import utf_8_decode

EXIT_SPOOL_IN_USE = 121
EXIT_BAD_ORDER = 122
EXIT_RUNNER_FAILED = 123
EXIT_NO_SECRETS = 124
EXIT_WITHDRAWN = 125
EXIT_STOPPED = 128 + signal.SIGTERM

JOB_DIR = os.environ.get("RUNNER_JOB_DIR", "/job")
INPUT_DIR = os.environ.get("RUNNER_INPUT_DIR", "/input")
OUTPUT_DIR = os.environ.get("RUNNER_OUTPUT_DIR", "/output")
SPOOL_DIR = os.environ.get("RUNNER_SPOOL_DIR", "/spool")

KIB = 1024
MIB = 1024 * KIB

clock = time.monotonic


class Refusal(Exception):
    """The job is not run; carries the runner's exit code and a sentence."""

    def __init__(self, exit_code, sentence):
        super().__init__(sentence)
        self.exit_code = exit_code


# --- The order ------------------------------------------------------------------------------------------------------


class Order:
    """What `/job/job.json` asks for; durations in seconds, sizes in bytes."""

    def __init__(self, fields):
        if not isinstance(fields, dict) or fields.get("version") != 1:
            raise ValueError("it must be an object of version 1")
        self.job_id = _expect(fields, "jobId", str)
        self.env = _expect(fields, "env", dict)
        self.timeout_seconds = _expect(fields, "timeoutSeconds", (int, float))
        self.grace_seconds = _expect(fields, "graceSeconds", (int, float))
        self.max_log_bytes = _expect(fields, "maxLogBytes", int)
        self.max_output_bytes = _expect(fields, "maxOutputBytes", int)
        self.secret_names = fields.get("secrets") or []
        limits = fields.get("limits") or {}
        self.rlimits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: self.max_output_bytes,
            resource.RLIMIT_NOFILE: limits.get("openFiles"),
            resource.RLIMIT_NPROC: limits.get("processes"),
            resource.RLIMIT_AS: limits.get("addressSpaceBytes"),
        }
        for name, value in self.env.items():
            if not isinstance(value, str) or not name or "=" in name or "\0" in name + value:
                raise ValueError("env must hold names and text")
        if not isinstance(self.secret_names, list):
            raise ValueError("secrets must be a list")
        for name in self.secret_names:
            if not isinstance(name, str) or not name or "=" in name or "\0" in name:
                raise ValueError("secrets must hold names")
        for value in self.rlimits.values():
            if value is not None and (type(value) is not int or value < 0):
                raise ValueError("limits must be whole numbers or null")


def _expect(fields, name, kinds):
    value = fields.get(name)
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise ValueError("%s is missing or of the wrong type" % name)
    if not isinstance(value, (str, dict)) and not 0 <= value < 2**63:
        raise ValueError("%s is out of range" % name)
    return value


def read_order():
    """The order of this job; `Refusal` where there is none that is understood."""
    path = JOB_DIR + "/job.json"
    try:
        with open(path, encoding="utf-8") as file:
            fields = parse_json(file.read())
        if fields.get("withdrawn"):
            raise Refusal(EXIT_WITHDRAWN, "the order was withdrawn")
        order = Order(fields)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise Refusal(EXIT_BAD_ORDER, "the order %s cannot be used: %s" % (path, error)) from error
    if not os.path.isfile(JOB_DIR + "/script.py"):
        raise Refusal(EXIT_BAD_ORDER, "there is no %s/script.py, and worker mode is not built yet" % JOB_DIR)
    return order


class JsonRules:
    """What the C scanner of the `json` module asks its decoder for."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_int = int
    parse_float = parse_constant = float


def parse_json(text):
    """`json.loads` without importing `json`, which imports `re` and so takes 8 ms; its C scanner takes 0.3 ms."""
    try:
        from _json import make_scanner

        stripped = text.strip()
        value, end = make_scanner(JsonRules)(stripped, 0)
        if end == len(stripped):
            return value
    except (ImportError, StopIteration, SystemError):
        pass  # how the scanner fails where `json` is not imported
    import json

    return json.loads(text)  # has the words for what is wrong


# --- The secrets ----------------------------------------------------------------------------------------------------

SECRETS_PATIENCE_SECONDS = 30.0
MAX_SECRETS_BYTES = 256 * KIB


def read_secrets(names):
    """The values of the order's secrets by name; `Refusal`, which shows no value, where one is missing."""
    if os.environ.get("RUNNER_SECRETS_FROM") == "stdin":
        return parse_secrets(read_line(0, clock() + SECRETS_PATIENCE_SECONDS), names)
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive: there is no %s" % ", ".join(missing))
    return {name: os.environ[name] for name in names}


def read_line(fd, deadline):
    """The bytes up to a newline, without it; what follows is left alone or lost."""
    data = b""
    while b"\n" not in data:
        # Signals are blocked: before there is a script to end, they are looked for here.
        if not signal.sigpending().isdisjoint((signal.SIGTERM, signal.SIGINT)):
            raise Refusal(EXIT_STOPPED, "asked to stop before the secrets arrived")
        try:
            is_ready = select.select([fd], [], [], 0.1)[0]
            piece = os.read(fd, 64 * KIB) if is_ready else None
        except OSError as error:
            raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive: %s" % error.strerror) from error
        if piece is None:
            if clock() > deadline:
                raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive in time")
            continue
        data += piece
        if not piece or len(data) > MAX_SECRETS_BYTES:
            raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive: the input is not a line")
    return data.partition(b"\n")[0]


def parse_secrets(line, names):
    try:
        values = parse_json(line.decode())
        for value in values.values():
            if "\0" in value:
                raise ValueError
            value.encode()  # fails for half a surrogate pair
        if values.keys() == set(names):
            return values
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass  # what is wrong with them is said by nobody who might show them
    raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive: the line does not hold %s" % ", ".join(names))


class SecretMask:
    """Puts `***` for each value in the text of one stream, which comes in pieces.

    What a value may have begun in is held back. Time is linear in the text: values are found by the interpreter's own
    search, and only the last bytes, fewer than a value has, are looked at one by one.
    """

    STARS = b"***"
    SLICE_BYTES = 64 * KIB  # bounds the memory that a value of one character may take

    def __init__(self, values):
        # As the stream turns bytes into text, so that one that is not UTF-8 is found, too.
        texts = {os.fsencode(value).decode("utf-8", "replace").encode() for value in values}
        self.needles = [Needle(value) for value in texts if value]
        self.held = b""
        self.hidden = 0  # how much of the front of `held` is covered by stars that are out already

    def feed(self, data, final=False):
        """The next bytes that are decided; `data` is whole characters, and so are they."""
        slices = [data[at : at + self.SLICE_BYTES] for at in range(0, len(data), self.SLICE_BYTES)]
        decided = [self._feed_slice(each, False) for each in slices]
        if final:
            decided.append(self._feed_slice(b"", True))
        return b"".join(decided)

    def _feed_slice(self, data, final):
        text = self.held + data
        held_from = len(text) - (0 if final else self._undecided(text))
        pieces, shown = [], self.hidden
        for start, end in sorted(found for needle in self.needles for found in needle.occurrences(text)):
            if start >= held_from:
                break
            if start >= shown:  # else it overlaps the one before
                pieces += text[shown:start], self.STARS
            shown = max(shown, end)
        if shown < held_from:
            pieces.append(text[shown:held_from])
        self.held = text[held_from:]
        self.hidden = max(0, shown - held_from)
        return b"".join(pieces)

    def _undecided(self, text):
        """The length of the longest end of the text that is the beginning of a value and not the whole of it."""
        return max((needle.begun(text) for needle in self.needles), default=0)


class Needle:
    """A value and what it shares with itself, which bounds how often a byte of the text is looked at."""

    def __init__(self, value):
        self.value = value
        self.borders = border_lengths(value)
        self.period = len(value) - self.borders[-1]

    def occurrences(self, text):
        """(start, end) of what occurrences cover; those that follow each other by the value's own period are one."""
        value, period = self.value, self.period
        overlaps_itself, step = period < len(value), value[-period:]
        start = text.find(value)
        while start >= 0:
            end = start + len(value)
            while overlaps_itself and text.startswith(step, end):
                end += period
            yield start, end
            # None begins before this: overlapping by a period or more, it would have the same period, and be found.
            start = text.find(value, end - period + 1)

    def begun(self, text):
        """How many of the last bytes of the text are the beginning of the value; less than its length."""
        value, borders = self.value, self.borders
        at, end, length = max(0, len(text) - len(value) + 1), len(text), 0
        while at < end:
            if not length:
                at = text.find(value[:1], at)
                if at < 0:
                    return 0
            while length and value[length] != text[at]:
                length = borders[length - 1]
            length += value[length] == text[at]
            at += 1
        return length


def border_lengths(value):
    """For each beginning of the value the length of its longest border (Knuth, Morris, Pratt)."""
    borders, length = [0], 0
    for byte in value[1:]:
        while length and value[length] != byte:
            length = borders[length - 1]
        length += value[length] == byte
        borders.append(length)
    return borders


# --- The script's process -------------------------------------------------------------------------------------------

# Read by the interpreter or the C library only while a process starts, so a forked interpreter would ignore them.
START_UP_VARIABLES = ("PYTHON", "LD_", "LC_", "MALLOC_", "GLIBC_TUNABLES", "LANG", "TZ")


def script_environment(order, secrets):
    """The whole environment of the script, built from empty."""
    home = os.environ.get("HOME", "/tmp")
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "MPLCONFIGDIR": os.path.join(home, ".matplotlib"),
    }
    for name in os.environ.get("RUNNER_PASS_ENV", "").split(","):
        if name in os.environ:
            env[name] = os.environ[name]
    env.update(order.env)
    env.update(secrets)
    env.update(
        JOB_ID=order.job_id,
        INPUT_DIR=INPUT_DIR,
        OUTPUT_DIR=OUTPUT_DIR,
        REQUEST_PATH=INPUT_DIR + "/request.json",
    )
    return env


def become_clean_process(stdout, stderr, keep):
    """Takes this fork out of the runner's session and gives it back what a new process has.

    `keep` are the descriptors that stay open besides 0, 1 and 2.
    """
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in keep:
            try:
                os.close(fd)
            except OSError:
                pass  # the descriptor of the listing itself
    for number in signal.valid_signals():
        if number not in (signal.SIGPIPE, signal.SIGXFSZ) and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if os.getppid() != 1:
        libc_function("prctl")(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # so that the kernel spares the runner, which has to tell what happened
    except OSError:
        pass


def replace_environment(env):
    """Makes `env` the environment of this process, for Python, for C and for /proc."""
    os.environ.clear()
    os.environ.update(env)
    try:
        # The fork has the runner's environment in the place that /proc/self/environ shows.
        with open("/proc/self/stat", "rb") as file:
            start, end = map(int, file.read().rpartition(b")")[2].split()[47:49])
        with open("/proc/self/mem", "r+b", buffering=0) as file:
            file.seek(start)
            file.write(bytes(end - start))
    except (OSError, ValueError, OverflowError):
        pass


def link_font_list(env):
    """Lets matplotlib find the image's font list in its folder, which has to be writable and so begins empty."""
    source = os.environ.get("RUNNER_MPL_CACHE")
    if source:
        try:
            os.makedirs(env["MPLCONFIGDIR"], exist_ok=True)
            for name in os.listdir(source):
                os.symlink(os.path.join(source, name), os.path.join(env["MPLCONFIGDIR"], name))
        except OSError:
            pass  # a slower import, nothing worse


def limit_resources(rlimits):
    for kind, value in rlimits.items():
        if value is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))


def prepare_script(order, secrets):
    """Sets up the forked process for one order; returns (path, namespace) of the script to run."""
    path = JOB_DIR + "/script.py"
    env = script_environment(order, secrets)
    link_font_list(env)
    os.chdir(OUTPUT_DIR)
    replace_environment(env)
    limit_resources(order.rlimits)

    from _frozen_importlib_external import SourceFileLoader  # importlib.machinery imports 0.7 ms of more

    main = type(sys)("__main__")
    main.__file__ = path
    main.__cached__ = None
    main.__builtins__ = __builtins__
    main.__annotations__ = {}
    main.__loader__ = SourceFileLoader("__main__", path)
    sys.modules["__main__"] = main
    sys.argv = [path]
    sys.path[0] = JOB_DIR
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = [sys.executable, "-u", path]
    return path, main.__dict__


def script_process(order, secrets, stdout, stderr, ready, go):
    """The forked child up to the script's first line; returns (path, namespace) once the runner says go.

    Nothing may be in this process's memory that the script must not see: it can read all of it.
    """
    try:
        become_clean_process(stdout, stderr, keep=(ready, go))
        script = prepare_script(order, secrets)
        os.write(ready, b"\0")
    except BaseException as error:
        os.write(ready, ("%s: %s" % (type(error).__name__, error)).encode())
        os._exit(EXIT_RUNNER_FAILED)
    os.close(ready)
    if not os.read(go, 1):  # the runner is gone
        os._exit(EXIT_RUNNER_FAILED)
    os.close(go)
    if any(name.startswith(START_UP_VARIABLES) for name in (*order.env, *secrets)):
        os.execv(sys.executable, [sys.executable, "-u", script[0]])
    return script


def hide_runner_frames():
    """Makes the traceback that is about to be shown start at the script's own frames."""
    show = sys.excepthook

    def show_script_frames(kind, error, traceback):
        traceback = traceback and traceback.tb_next
        show(kind, error.with_traceback(traceback), traceback)

    sys.excepthook = show_script_frames


# --- The log --------------------------------------------------------------------------------------------------------

HEADER = struct.Struct("<2sBBIQQ")  # magic, kind, stream, payload length, seq, microseconds since 1970
STARTED, OUTPUT, GAP, ENDED = 1, 2, 3, 4
STDOUT, STDERR = 1, 2
MAX_PAYLOAD = 64 * KIB
SLACK_BYTES = 256 * KIB  # what the log may hold above its limit: the tail, its gaps and `ended`
TAIL_BYTES = SLACK_BYTES - 4 * KIB


class Log:
    """The frames of `/spool/log`. When its limit or a failing write closes it, the newest output is kept for the end."""

    def __init__(self, fd, max_bytes):
        self.fd = fd
        self.room = max_bytes
        self.seq = 0
        self.closed = False
        self.torn = b""  # what is missing of a frame that a failing write left half done: the next write begins with it
        self.tail = []  # (stream, time, payload), from `tail_start` on
        self.tail_start = 0
        self.tail_size = 0
        self.dropped = {STDOUT: 0, STDERR: 0}

    def started(self, pid):
        payload = '{"version":1,"pid":%d,"python":"%s"}' % (pid, sys.version.split()[0])
        if not self._write([(STARTED, 0, now_us(), payload.encode())]):
            raise OSError("cannot write to the spool")

    def output(self, stream, data):
        """Appends valid UTF-8 as frames, or keeps it as the tail."""
        time_us = now_us()
        frames = [(OUTPUT, stream, time_us, piece) for piece in split_characters(data)]
        written = 0
        if not self.closed:
            fitting = 0
            for frame in frames:
                self.room -= HEADER.size + len(frame[3])
                if self.room < 0:
                    break
                fitting += 1
            written = self._write(frames[:fitting])
            self.closed = written < len(frames)
        for frame in frames[written:]:
            self._keep(stream, time_us, frame[3])

    def ended(self, payload):
        """Appends the gaps, the tail and the last frame; false when they could not be written."""
        time_us = now_us()
        frames = [(GAP, stream, time_us, b"%d" % lost) for stream, lost in self.dropped.items() if lost]
        frames += [(OUTPUT,) + kept for kept in self.tail[self.tail_start :]]
        frames.append((ENDED, 0, time_us, payload))
        return self._write(frames) == len(frames) and not self.torn

    def _keep(self, stream, time_us, payload):
        self.tail.append((stream, time_us, payload))
        self.tail_size += HEADER.size + len(payload)
        while self.tail_size > TAIL_BYTES:
            stream, time_us, oldest = self.tail[self.tail_start]
            rest = cut_front(oldest, self.tail_size - TAIL_BYTES)
            self.dropped[stream] += len(oldest) - len(rest)
            self.tail_size -= len(oldest) - len(rest)
            if rest:
                self.tail[self.tail_start] = (stream, time_us, rest)
            else:
                self.tail_size -= HEADER.size
                self.tail[self.tail_start] = None
                self.tail_start += 1
        if self.tail_start > 1000:
            del self.tail[: self.tail_start]
            self.tail_start = 0

    def _write(self, frames):
        """Appends frames and returns how many of them are in the log now, counting a torn one."""
        sizes, buffers, seq = [], [self.torn], self.seq
        for kind, stream, time_us, payload in frames:
            numbered = kind in (OUTPUT, GAP)
            seq += numbered
            buffers.append(HEADER.pack(b"LF", kind, stream, len(payload), seq if numbered else 0, time_us))
            buffers.append(payload)
            sizes.append(HEADER.size + len(payload))
        done = write_all(self.fd, buffers)
        if done < len(self.torn):
            self.torn = self.torn[done:]
            return 0
        done -= len(self.torn)
        self.torn = b""
        written = 0
        while written < len(sizes) and done > 0:
            if done < sizes[written]:
                self.torn = b"".join(map(bytes, buffers[1 + 2 * written : 3 + 2 * written]))[done:]
            done -= sizes[written]
            written += 1
        self.seq += sum(frame[0] in (OUTPUT, GAP) for frame in frames[:written])
        return written


def now_us():
    return time.time_ns() // 1000


def write_all(fd, buffers):
    """Writes the buffers in one call where the system allows; returns the number of bytes written before a failure."""
    total = sum(map(len, buffers))
    done = 0
    try:
        for first in range(0, len(buffers), 1000):  # IOV_MAX is 1024
            batch = buffers[first : first + 1000]
            size = sum(map(len, batch))
            written = os.writev(fd, batch)
            done += written
            if written < size:
                rest = memoryview(b"".join(batch))
                while written < size:
                    count = os.write(fd, rest[written:])
                    written += count
                    done += count
    except OSError:
        return done
    return total


def split_characters(data):
    """Cuts UTF-8 into pieces of at most one frame, never inside a character."""
    if len(data) <= MAX_PAYLOAD:
        return [data]
    view, pieces, start = memoryview(data), [], 0
    while len(data) - start > MAX_PAYLOAD:
        end = start + MAX_PAYLOAD
        while data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(view[start:end])
        start = end
    pieces.append(view[start:])
    return pieces


def cut_front(data, count):
    """UTF-8 without its first `count` bytes and without the rest of a character this would split."""
    while count < len(data) and data[count] & 0xC0 == 0x80:
        count += 1
    return bytes(data[count:])


class Pipe:
    """The runner's end of the script's stdout or stderr, and when it is to be read next.

    The first bytes after a quiet moment are read at once; after that the pipe itself gathers what comes, for at most
    `GATHER_SECONDS`, less when it would fill up and make the script wait.
    """

    GATHER_SECONDS = 0.005

    def __init__(self, stream):
        self.stream = stream
        self.fd, self.script_end = os.pipe()
        os.set_blocking(self.fd, False)
        try:
            self.size = fcntl.fcntl(self.fd, 1031, MIB)  # F_SETPIPE_SZ
        except OSError:
            self.size = 64 * KIB
        self.open = True
        self.rest = b""  # an incomplete character
        self.mask = None
        self.read_at = 0.0
        self.last_read = clock()

    def fileno(self):
        return self.fd

    def read(self):
        """What is there as UTF-8, maybe empty; sets when to come again."""
        try:
            data = os.read(self.fd, self.size)
        except BlockingIOError:
            return b""
        now = clock()
        elapsed = now - self.last_read
        self.last_read = now
        if not data:
            self.open = False
            return self.decode(b"", final=True)
        if elapsed > self.GATHER_SECONDS and data[-1:] != b"\n":
            data += self.rest_of_line()
        # The time in which half the pipe fills at the present rate.
        delay = elapsed * self.size / (2 * len(data)) if len(data) < self.size else 0.0
        self.read_at = now + min(delay, self.GATHER_SECONDS)
        return self.decode(data)

    def rest_of_line(self):
        """What follows within an instant: `print` writes the end of a line by itself."""
        time.sleep(0.0002)
        try:
            return os.read(self.fd, self.size)
        except BlockingIOError:
            return b""

    def decode(self, data, final=False):
        """The bytes as valid UTF-8, invalid ones replaced and secrets masked; what is incomplete is kept for later."""
        if self.rest:
            data = self.rest + data
        try:
            _, used = utf_8_decode(data, "strict", final)
            valid = data if used == len(data) else data[:used]
        except UnicodeDecodeError:
            text, used = utf_8_decode(data, "replace", final)
            valid = text.encode()
        self.rest = data[used:]
        return self.mask.feed(valid, final) if self.mask else valid

    def drain(self):
        """What is in the pipe now and not what is still being written to it, plus an incomplete character's U+FFFD."""
        pieces, left = [], self.size
        while left > 0:
            try:
                data = os.read(self.fd, left)
            except BlockingIOError:
                break
            if not data:
                break
            pieces.append(data)
            left -= len(data)
        return self.decode(b"".join(pieces), final=True)


class CourtesyCopy:
    """Plain text on the runner's own stdout for people who look with the engine's tools: bounded, and never waits."""

    def __init__(self):
        self.left = MIB
        try:
            os.set_blocking(1, False)
        except OSError:
            self.left = 0

    def write(self, data):
        if self.left > 0:
            try:
                self.left -= os.write(1, memoryview(data)[: self.left])
            except BlockingIOError:
                pass  # nobody reads fast enough: lossy by contract
            except OSError:
                self.left = 0


# --- Processes and limits -------------------------------------------------------------------------------------------

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
SI_USER, SI_KERNEL, SI_TKILL = 0, 0x80, -6
HANDLED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


def libc_function(name):
    """A function of the C library that takes integers, raising OSError when it returns -1."""
    import ctypes  # 2 ms: the runner pays while the script's process sets itself up

    function = getattr(ctypes.CDLL(None, use_errno=True), name)

    def call(*arguments):
        result = function(*(ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments))
        if result == -1:
            raise OSError(ctypes.get_errno(), name + ": " + os.strerror(ctypes.get_errno()))
        return result

    return call


class SignalReader:
    """The handled signals as readable events: unlike a handler, a signalfd knows the sender."""

    SIGINFO_BYTES = 128

    def __init__(self):
        mask = sum(1 << (number - 1) for number in HANDLED_SIGNALS)
        sigset = mask.to_bytes(128, sys.byteorder)
        self.fd = libc_function("signalfd")(-1 & 0xFFFFFFFF, sigset, os.O_CLOEXEC | os.O_NONBLOCK)

    def fileno(self):
        return self.fd

    def read(self):
        """(signal number, whether it counts as sent from outside) of each one that came."""
        try:
            data = os.read(self.fd, 32 * self.SIGINFO_BYTES)
        except BlockingIOError:
            return []
        return [
            (number, os.getpid() != 1 or (sender == 0 and code in (SI_USER, SI_KERNEL, SI_TKILL)))
            for number, _, code, sender in (
                struct.unpack_from("=IiiI", data, start) for start in range(0, len(data), self.SIGINFO_BYTES)
            )
        ]


def signal_tree(script_pid, number):
    """Sends a signal to everything the script started; as PID 1 that is every other process there is."""
    if os.getpid() == 1:
        targets = [(os.kill, -1)]
    else:
        targets = [(os.kill, pid) for pid in descendants(os.getpid())]
        if number == signal.SIGKILL:  # at one go for those that fork faster than /proc is read; others get theirs once
            targets.insert(0, (os.killpg, script_pid))
    for send, target in targets:
        try:
            send(target, number)
        except OSError:
            pass  # ended meanwhile


def kill_tree(script_pid, reap, patience_seconds=5.0):
    """SIGKILL to everything the script started until `reap()` finds no child any more, or patience ends."""
    give_up_at = clock() + patience_seconds
    pause = 0.0002
    while reap() and clock() < give_up_at:
        signal_tree(script_pid, signal.SIGKILL)
        time.sleep(pause)
        pause = min(0.02, pause * 2)


def reap_all():
    """Collects ended children; false when there are no children any more."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    except ChildProcessError:
        return False


def descendants(ancestor):
    """The pids below `ancestor`; orphans are among them, because the runner is a subreaper."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found = children.get(ancestor, [])
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


class OomKills:
    """How many processes of the runner's own cgroup the kernel's out-of-memory killer has taken."""

    def __init__(self):
        self.path = next((path for path in self._candidates() if self._read(path) is not None), None)
        self.before = self._count()

    def since_start(self):
        return self._count() - self.before

    def _count(self):
        return self._read(self.path) or 0 if self.path else 0

    @staticmethod
    def _candidates():
        """Where the counter may be: below the cgroup's path, or at the root, where a container sees its own."""
        try:
            with open("/proc/self/cgroup") as file:
                lines = [line.rstrip("\n").split(":", 2) for line in file]
        except OSError:
            return
        for _, controllers, path in lines:
            if "memory" in controllers.split(","):
                yield "/sys/fs/cgroup/memory%s/memory.oom_control" % path
                yield "/sys/fs/cgroup/memory/memory.oom_control"
            elif controllers == "":
                yield "/sys/fs/cgroup%s/memory.events" % path
                yield "/sys/fs/cgroup/memory.events"

    @staticmethod
    def _read(path):
        try:
            with open(path) as file:
                return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), None)
        except OSError:
            return None


def file_sizes(root):
    """Yields the apparent size of each regular file below `root`, 0 for all else; follows no link, minds no error."""
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(folder + "/" + entry.name)
                            yield 0
                        elif entry.is_file(follow_symlinks=False):
                            yield entry.stat(follow_symlinks=False).st_size
                        else:
                            yield 0
                    except OSError:
                        pass  # gone meanwhile
        except OSError:
            pass
        finally:
            os.close(fd)


class OutputMeter:
    """Measures a folder in slices, so that neither the script's output nor its share of the processor waits for it."""

    INTERVAL_SECONDS = 0.5
    SLICE_SECONDS = 0.02
    PAUSE_SHARE = 4  # it pauses this many times as long as it worked

    def __init__(self, root, max_bytes):
        self.root = root
        self.max_bytes = max_bytes
        self.next_at = clock() + self.INTERVAL_SECONDS
        self._begin()

    def _begin(self):
        self.sizes = file_sizes(self.root)
        self.total = 0

    def exceeds(self):
        """Measures for one slice; true once the files found in this walk exceed the limit."""
        began = now = clock()
        for size in self.sizes:
            self.total += size
            now = clock()
            if self.total > self.max_bytes:
                return True
            if now - began > self.SLICE_SECONDS:
                self.next_at = now + self.PAUSE_SHARE * (now - began)
                return False
        self.next_at = now + max(self.INTERVAL_SECONDS, self.PAUSE_SHARE * (now - began))
        self._begin()
        return False


class StopFile:
    """A file by which a runtime that cannot send a signal asks for the end: a line with the seconds of grace."""

    INTERVAL_SECONDS = 0.25
    MAX_BYTES = 64

    def __init__(self, path):
        self.path = path
        self.next_at = clock() + self.INTERVAL_SECONDS

    def look(self):
        """The seconds of grace it asks for, or None."""
        self.next_at = clock() + self.INTERVAL_SECONDS
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                text, end, _ = os.read(fd, self.MAX_BYTES).partition(b"\n")
            finally:
                os.close(fd)
        except OSError:
            return None
        is_number = end and text.replace(b".", b"", 1).isdigit()
        return float(text) if is_number else None


def holds_at_least(root, min_bytes, seconds=1.0):
    """Whether the files below `root` add up to `min_bytes`, as far as that can be found out in the given time."""
    total, until = 0, clock() + seconds
    for size in file_sizes(root):
        total += size
        if total >= min_bytes or clock() > until:
            break
    return total >= min_bytes


# --- The runner -----------------------------------------------------------------------------------------------------


class Runner:
    """Watches one running script until its process has ended, then finishes the log."""

    def __init__(self, order, log, script_pid, pipes, signals, oom_kills, stop_file=None):
        self.order = order
        self.log = log
        self.script_pid = script_pid
        self.pipes = pipes
        self.signals = signals
        self.oom_kills = oom_kills
        self.stop_file = stop_file
        self.copy = CourtesyCopy()
        self.meter = OutputMeter(OUTPUT_DIR, order.max_output_bytes)
        self.started_at = clock()
        self.deadline = self.started_at + order.timeout_seconds
        self.kill_at = float("inf")
        self.status = None
        self.timed_out = self.stopped = self.disk_exceeded = False

    def watch(self):
        """Returns when the script's own process has ended."""
        while self.status is None:
            now = clock()
            due = [pipe for pipe in self.pipes if pipe.open and pipe.read_at <= now]
            ready = select.select([self.signals] + due, [], [], max(0.0, self.next_event(now) - now))[0]
            if ready and ready != [self.signals]:
                self.read_pipes()
            if self.signals in ready:
                self.handle_signals()
            self.enforce_limits()

    def read_pipes(self):
        """Reads both when either is due: what was printed to the other one before must not come after it."""
        for pipe in self.pipes:
            if pipe.open:
                self.record(pipe.stream, pipe.read())

    def next_event(self, now):
        times = [pipe.read_at for pipe in self.pipes if pipe.open and pipe.read_at > now]
        if self.stop_file:
            times.append(self.stop_file.next_at)
        return min([self.deadline, self.kill_at, self.meter.next_at] + times)

    def handle_signals(self):
        for number, from_outside in self.signals.read():
            if number != signal.SIGCHLD and from_outside and not self.is_ending():
                self.stopped = True
                self.terminate(self.order.grace_seconds)
        self.reap()

    def obey_stop_file(self):
        grace_seconds = self.stop_file.look()
        if grace_seconds is None or self.status is not None:
            return
        if self.is_ending():
            self.kill_at = min(self.kill_at, clock() + grace_seconds)
        else:
            self.stopped = True
            self.terminate(grace_seconds)

    def enforce_limits(self):
        now = clock()
        if self.stop_file and now >= self.stop_file.next_at:
            self.obey_stop_file()
        if now >= self.deadline and self.status is None and not self.is_ending():
            self.timed_out = True
            self.terminate(self.order.grace_seconds)
        if now >= self.kill_at:
            self.kill()
        if now >= self.meter.next_at and self.meter.exceeds():
            self.disk_exceeded = True
            self.kill()

    def is_ending(self):
        return self.kill_at != float("inf")

    def terminate(self, grace_seconds):
        signal_tree(self.script_pid, signal.SIGTERM)
        self.deadline = float("inf")
        self.kill_at = clock() + grace_seconds

    def kill(self):
        """Ends the tree; what the kernel did not end is tried again a second later."""
        kill_tree(self.script_pid, self.reap)
        self.deadline = float("inf")
        self.kill_at = clock() + 1.0

    def reap(self):
        """Collects ended children and notes how the script ended; false when there are no children any more."""
        while self.status is None:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == self.script_pid:
                self.status = os.waitstatus_to_exitcode(status)
                self.wall_seconds = clock() - self.started_at
            elif pid == 0:
                return True
        return reap_all()

    def record(self, stream, data):
        if data:
            self.log.output(stream, data)
            self.copy.write(data)

    def finish(self):
        """Ends what the script left behind, completes the log and returns the exit code."""
        self.kill()
        for pipe in self.pipes:
            if pipe.open:
                self.record(pipe.stream, pipe.drain())
        oom_kills = self.count_oom_kills()
        if self.status != 0 and not self.disk_exceeded:
            self.disk_exceeded = holds_at_least(OUTPUT_DIR, self.order.max_output_bytes)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = (
            '{"exitCode":%s,"signal":%s,"timedOut":%s,"stopped":%s,"diskExceeded":%s,"oomKills":%d,'
            '"droppedBytes":%d,"wallSeconds":%.6f,"cpuSeconds":%.6f,"maxRssBytes":%d}'
        ) % (
            self.status if self.status >= 0 else "null",
            -self.status if self.status < 0 else "null",
            json_bool(self.timed_out),
            json_bool(self.stopped),
            json_bool(self.disk_exceeded),
            oom_kills,
            sum(self.log.dropped.values()),
            self.wall_seconds,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * KIB,
        )
        if not self.log.ended(ended.encode()):
            complain("the end of the log could not be written")
        return self.status if self.status >= 0 else 128 - self.status

    def count_oom_kills(self):
        """The counter of cgroup v1 may be read before it has counted the very death that ended the script."""
        give_up_at = clock() + 0.05
        while True:
            count = self.oom_kills.since_start()
            if count or self.status != -signal.SIGKILL or self.is_killed_by_runner() or clock() > give_up_at:
                return count
            time.sleep(0.005)

    def is_killed_by_runner(self):
        return self.timed_out or self.stopped or self.disk_exceeded


def json_bool(value):
    return "true" if value else "false"


def complain(sentence):
    try:
        os.write(2, ("job_runner: %s\n" % sentence).encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def open_log():
    """The empty `/spool/log`; `Refusal` where a job has been run before."""
    path = SPOOL_DIR + "/log"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(path, flags, 0o644)
    if os.fstat(fd).st_size > 0:
        raise Refusal(EXIT_SPOOL_IN_USE, "%s is not empty: a job is never run twice" % path)
    return fd


def main():
    """Runs the job and never returns in the runner; in the script's process returns (path, namespace) to run."""
    # First of all: a signal that comes before this is lost to a PID 1, one that comes after it waits for the signalfd.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = 0
    try:
        log_fd = open_log()
        order = read_order()
        stop_path = os.environ.get("RUNNER_STOP_FILE")
        stop_file = StopFile(stop_path) if stop_path else None
        if stop_file and stop_file.look() is not None:
            raise Refusal(EXIT_STOPPED, "asked to stop before the script was started")
        secrets = read_secrets(order.secret_names) if order.secret_names else {}
        pipes = Pipe(STDOUT), Pipe(STDERR)
        ready_read, ready = os.pipe()
        go, go_write = os.pipe()
        # Before the runner hides itself: the script's process is to be an ordinary one.
        pid = os.fork()
        if pid == 0:
            return script_process(order, secrets, pipes[0].script_end, pipes[1].script_end, ready, go)
        for fd in (pipes[0].script_end, pipes[1].script_end, ready, go):
            os.close(fd)
        if secrets:
            for pipe in pipes:
                pipe.mask = SecretMask(secrets.values())
        exit_code = supervise(order, log_fd, pid, pipes, ready_read, go_write, stop_file)
    except Refusal as refusal:
        exit_code = refusal.exit_code
        complain(refusal)
    except BaseException as error:
        exit_code = EXIT_RUNNER_FAILED
        complain("%s: %s" % (type(error).__name__, error))
        if pid:
            kill_tree(pid, reap_all)
    os._exit(exit_code)


def supervise(order, log_fd, pid, pipes, ready, go, stop_file):
    """The runner's part from the fork to the end; returns the exit code."""
    prctl = libc_function("prctl")
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signals = SignalReader()
    oom_kills = OomKills()
    log = Log(log_fd, order.max_log_bytes)
    answer = os.read(ready, 4 * KIB)
    if answer != b"\0":
        raise Refusal(EXIT_RUNNER_FAILED, "the script could not be set up: " + answer.decode("utf-8", "replace"))
    log.started(pid)
    runner = Runner(order, log, pid, pipes, signals, oom_kills, stop_file)
    os.write(go, b"\0")
    runner.watch()
    return runner.finish()


if __name__ == "__main__":
    script_path, script_namespace = main()
    # At the top level, so that a single frame is below the script's and the interpreter's own end does the rest.
    try:
        with open(script_path, "rb") as script_file:
            script_code = compile(script_file.read(), script_path, "exec", dont_inherit=True)
        exec(script_code, script_namespace)
    except BaseException:
        hide_runner_frames()
        raise
