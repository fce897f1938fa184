"""Runs one job's script and leaves everything that can be known about it in files.

    python -u job_runner.py            (PID 1 of its PID namespace, where there is one)

Reads the order `/job/job.json`, runs `/job/script.py` as `__main__` in a forked child, and appends what it prints to
`/spool/log` as frames. Deadline, log limit and disk limit hold here, so that a job needs no server while it runs. The
contract, with folders, frames and exit codes, is docs/runner-contract.md.

Two processes, in the order of this file:

* the *script's process* is forked as early as possible, makes itself look like a fresh `python -u script.py`, and waits
  for the go byte.
* the *runner* hides itself, waits until the network is closed where it is told to, writes `started`, gives the go byte,
  and from then on only waits: one thread, one `select` over two pipes and a signalfd.

As a *worker* (RUNNER_WORKER=1) it does the same with a pause in the middle: the script's process is forked before there
is an order, imports libraries ahead, and is told the order when it comes.

Every job pays for what this file imports: `signal`, `json` and `subprocess` would each add 5 to 8 ms to its start.
"""

import _signal as signal  # the module without its enums, whose import takes 5 ms
import errno
import fcntl
import os
import resource
import select
import struct
import sys
import time
from codecs import utf_8_decode

EXIT_NETWORK_OPEN = 117
EXIT_NO_JOB_CAME = 118
EXIT_NEEDS_COLD_START = 119
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
    """The bytes of the order; OSError where there is none."""
    with open(JOB_DIR + "/job.json", "rb", buffering=0) as file:
        return file.read()


def parse_order(data):
    """The order of this job; `Refusal` where it is not one that can be carried out."""
    try:
        fields = parse_json(data.decode())
        if fields.get("withdrawn"):
            raise Refusal(EXIT_WITHDRAWN, "the order was withdrawn")
        order = Order(fields)
    except (ValueError, AttributeError, RecursionError) as error:
        raise bad_order(error) from error
    if not os.path.isfile(JOB_DIR + "/script.py"):
        raise Refusal(EXIT_BAD_ORDER, "there is no %s/script.py" % JOB_DIR)
    return order


def bad_order(error):
    return Refusal(EXIT_BAD_ORDER, "the order %s/job.json cannot be used: %s" % (JOB_DIR, error))


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


def base_environment():
    """What every script of this image gets, built from empty."""
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
    return env


def script_environment(base, order, secrets):
    """The whole environment of the script."""
    env = dict(base)
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


def prepare_script(order, env):
    """Sets up the forked process for one order; returns (path, namespace) of the script to run."""
    link_font_list(env)
    os.chdir(OUTPUT_DIR)
    replace_environment(env)
    limit_resources(order.rlimits)
    return become_script_module()


def become_script_module():
    """Puts a fresh `__main__` for the script in the place of the runner's; returns its path and namespace."""
    path = JOB_DIR + "/script.py"
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
    sys.path_importer_cache.pop(JOB_DIR, None)  # a worker may have looked before there was anything
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = [sys.executable, "-u", path]
    return path, main.__dict__


class ScriptChild:
    """The script's process and the pipes between it and the runner; both have this object after the fork."""

    def __init__(self):
        self.pid = None  # 0 in the script's process

    def fork(self):
        """Returns true in the script's process."""
        self.pipes = Pipe(STDOUT), Pipe(STDERR)
        self.ready, self.script_ready = os.pipe()
        self.script_go, self.go = os.pipe()
        script_ends = self.script_ready, self.script_go, self.pipes[0].script_end, self.pipes[1].script_end
        self.pid = os.fork()
        if self.pid:
            for fd in script_ends:
                os.close(fd)
        return self.pid == 0

    def close(self):
        for fd in (self.ready, self.go, self.pipes[0].fd, self.pipes[1].fd):
            os.close(fd)


def script_process(child, order, secrets):
    """The forked child up to the script's first line; returns (path, namespace) once the runner says go.

    Nothing may be in this process's memory that the script must not see: it can read all of it.
    """
    try:
        stdout, stderr = (pipe.script_end for pipe in child.pipes)
        become_clean_process(stdout, stderr, keep=(child.script_ready, child.script_go))
        script = prepare_script(order, script_environment(base_environment(), order, secrets))
    except BaseException as error:
        give_up(child, error)
    await_go(child)
    if any(name.startswith(START_UP_VARIABLES) for name in (*order.env, *secrets)):
        os.execv(sys.executable, [sys.executable, "-u", script[0]])
    return script


def give_up(child, error):
    os.write(child.script_ready, ("%s: %s" % (type(error).__name__, error)).encode("utf-8", "backslashreplace"))
    os._exit(EXIT_RUNNER_FAILED)


def await_go(child):
    """Tells the runner that the script may begin and waits for its word."""
    os.write(child.script_ready, b"\0")
    os.close(child.script_ready)
    if not os.read(child.script_go, 1):  # the runner is gone
        os._exit(EXIT_RUNNER_FAILED)
    os.close(child.script_go)


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

    def started(self, pid, network=None):
        more = ',"network":' + network if network else ""
        payload = '{"version":1,"pid":%d,"python":"%s"%s}' % (pid, sys.version.split()[0], more)
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


def wait_for_any(fds, signals, stop_file, seconds, before_what):
    """Those of `fds` that can be read within that time; `Refusal` when the runner is asked to stop."""
    ready = select.select([signals, *fds], [], [], max(0.0, seconds))[0]
    for number, from_outside in signals.read():
        if number != signal.SIGCHLD and from_outside:
            raise Refusal(EXIT_STOPPED, "asked to stop before " + before_what)
    if stop_file and clock() >= stop_file.next_at:
        refuse_to_begin(stop_file)
    return ready


def holds_at_least(root, min_bytes, seconds=1.0):
    """Whether the files below `root` add up to `min_bytes`, as far as that can be found out in the given time."""
    total, until = 0, clock() + seconds
    for size in file_sizes(root):
        total += size
        if total >= min_bytes or clock() > until:
            break
    return total >= min_bytes


# --- The network ----------------------------------------------------------------------------------------------------


class NetworkGate:
    """Waits until nothing takes a connection any more at addresses that a script must not reach.

    What enforces a network's policy may hear of a container only when it runs already, and then lets be what was opened
    by then. So the script begins only when the runner has seen that the policy holds: in a round that finds all
    addresses closed, and in another one, so that a packet lost is no policy. A network that was never open may be one
    that is not there yet: then some time lies between the two.
    """

    DEFAULT_SECONDS = "10"
    ROUND_SECONDS = 0.25  # who has not answered by then, in the same cluster, is taken for closed
    SETTLE_SECONDS = 0.25
    PAUSES_SECONDS = 0.005, 0.1  # the first, and the longest

    def __init__(self, addresses, seconds, is_required):
        self.addresses = addresses
        self.seconds = seconds
        self.is_required = is_required
        self.was_open = False
        self.answer = "nothing was tried"

    def pass_through(self, pause):
        """What `started` is to tell of it, as JSON; `Refusal` when the network stays open. `pause(seconds)` may refuse, too."""
        began, closed_since = clock(), None
        gap, longest_gap = self.PAUSES_SECONDS
        while True:
            looked_at = clock()
            if not self.is_closed():
                closed_since = None
                if clock() - began >= self.seconds:
                    break
                pause(gap)
                gap = min(gap * 1.5, longest_gap)
            elif closed_since is None:
                closed_since = looked_at
                pause(0.0 if self.was_open else looked_at + self.SETTLE_SECONDS - clock())
            else:
                return self.report(True, began)
        if self.is_required:
            raise Refusal(EXIT_NETWORK_OPEN, "the network is open after %g s: %s" % (self.seconds, self.answer))
        return self.report(False, began)

    def report(self, is_closed, began):
        said = '"closed":%s,"wasOpen":%s,"seconds":%.3f' % (json_bool(is_closed), json_bool(self.was_open), clock() - began)
        if is_closed:
            return "{%s}" % said
        import json  # takes 8 ms, of which a closed network spares the script

        return '{%s,"answer":%s}' % (said, json.dumps(self.answer))

    def is_closed(self):
        """Tries all addresses at once; false as soon as one answers, or cannot be tried."""
        import _socket  # without what `socket` puts around it; the script's process was forked before

        tried, pending, poll = {}, set(), select.poll()
        try:
            for host, port in self.addresses:
                family = _socket.AF_INET6 if ":" in host else _socket.AF_INET
                _socket.inet_pton(family, host)  # a name would be looked up, which takes long where nothing answers
                each = _socket.socket(family, _socket.SOCK_STREAM)
                each.setblocking(False)
                # Its end is a reset, so that it leaves nothing behind, in the tables of the network neither.
                each.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, struct.pack("ii", 1, 0))
                error = each.connect_ex((host, port))
                tried[each.fileno()] = each, "%s port %d" % (host, port)
                if error == errno.EINPROGRESS:
                    poll.register(each.fileno(), select.POLLOUT)
                    pending.add(each.fileno())
                elif self.takes(error, each.fileno(), tried):
                    return False
            until = clock() + self.ROUND_SECONDS
            while pending:
                # Once more when the time is over: a runner that got no processor meanwhile has not looked yet.
                ready = poll.poll(max(0.0, (until - clock()) * 1000))
                if not ready:
                    break
                for fd, _ in ready:
                    poll.unregister(fd)
                    pending.remove(fd)
                    if self.takes(tried[fd][0].getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR), fd, tried):
                        return False
            return True
        except OSError as error:
            self.answer = "an address cannot be tried: %s" % error
            return False
        finally:
            for each, _ in tried.values():
                each.close()

    def takes(self, error, fd, tried):
        """Whether a try that ended with `error` shows an open network, or nothing at all."""
        if error in CLOSED_ERRORS:
            return False
        self.was_open = self.was_open or error == 0
        self.answer = "%s %s" % (tried[fd][1], "cannot be tried: " + os.strerror(error) if error else "answers")
        return True


CLOSED_ERRORS = (
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH),
    *(errno.EACCES, errno.EPERM),  # a rule at the container's own end
)


def find_network_gate():
    """The gate that the environment orders, or None."""
    text = os.environ.get("RUNNER_AWAIT_CLOSED", "")
    if not text:
        return None
    seconds = os.environ.get("RUNNER_AWAIT_CLOSED_SECONDS", NetworkGate.DEFAULT_SECONDS)
    addresses = [each.strip().rpartition(":")[::2] for each in text.split(",")]
    if not seconds.replace(".", "", 1).isdigit() or not all(map(is_port, (port for _, port in addresses))):
        raise Refusal(EXIT_RUNNER_FAILED, "RUNNER_AWAIT_CLOSED is no list of host:port, or its seconds are no number")
    is_required = os.environ.get("RUNNER_AWAIT_CLOSED_ELSE") != "start"
    return NetworkGate([(host.strip("[]"), int(port)) for host, port in addresses], float(seconds), is_required)


def is_port(text):
    return text.isdigit() and int(text) < 2**16


# --- The runner -----------------------------------------------------------------------------------------------------


class Runner:
    """Watches one running script until its process has ended, then finishes the log."""

    def __init__(self, order, log, script_pid, pipes, signals, oom_kills, stop_file=None, cpu_before=0.0):
        self.order = order
        self.log = log
        self.script_pid = script_pid
        self.pipes = pipes
        self.signals = signals
        self.oom_kills = oom_kills
        self.stop_file = stop_file
        self.cpu_before = cpu_before  # what the children had used up before the script began
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
        """
        Reads both when either is due, and stderr first, to record it last: what the script printed to stdout before an
        error is then read with it or earlier, and cannot push the error out of what is kept of a log that is full.
        """
        stdout, stderr = self.pipes
        errors = stderr.read() if stderr.open else b""
        if stdout.open:
            self.record(STDOUT, stdout.read())
        self.record(STDERR, errors)

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
            max(0.0, usage.ru_utime + usage.ru_stime - self.cpu_before),
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
    child = ScriptChild()
    try:
        start = warm_start if os.environ.get("RUNNER_WORKER") == "1" else cold_start
        result = start(child)
        if child.pid == 0:
            return result
        os._exit(result)
    except Refusal as refusal:
        exit_code = refusal.exit_code
        complain(refusal)
    except BaseException as error:
        exit_code = EXIT_RUNNER_FAILED
        complain("%s: %s" % (type(error).__name__, error))
    if child.pid:
        kill_tree(child.pid, reap_all)
    os._exit(exit_code)


def cold_start(child):
    """Runs the job that is there; returns the exit code in the runner, (path, namespace) in the script's process."""
    log_fd = open_log()
    try:
        data = read_order()
    except OSError as error:
        raise bad_order(error) from error
    order = parse_order(data)
    stop_file = find_stop_file()
    refuse_to_begin(stop_file)
    gate = find_network_gate()
    secrets = read_secrets(order.secret_names) if order.secret_names else {}
    # Before the runner hides itself: the script's process is to be an ordinary one.
    if child.fork():
        return script_process(child, order, secrets)
    if secrets:
        for pipe in child.pipes:
            pipe.mask = SecretMask(secrets.values())
    hide()
    signals = SignalReader()

    def pause(seconds):
        wait_for_any([], signals, stop_file, seconds, "the script was started")

    # While the script's process sets itself up; it cannot go on before it is told to.
    network = gate.pass_through(pause) if gate else None
    return supervise(order, log_fd, child, signals, stop_file, network=network)


def find_stop_file():
    path = os.environ.get("RUNNER_STOP_FILE")
    return StopFile(path) if path else None


def refuse_to_begin(stop_file):
    if stop_file and stop_file.look() is not None:
        raise Refusal(EXIT_STOPPED, "asked to stop before the script was started")


def hide():
    """Keeps the script from reading the runner's memory, and gives the runner the script's orphans."""
    prctl = libc_function("prctl")
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def supervise(order, log_fd, child, signals, stop_file, cpu_before=0.0, network=None):
    """The runner's part from the fork to the end; returns the exit code."""
    oom_kills = OomKills()
    log = Log(log_fd, order.max_log_bytes)
    answer = os.read(child.ready, 4 * KIB)
    if answer != b"\0":
        raise Refusal(EXIT_RUNNER_FAILED, "the script could not be set up: " + answer.decode("utf-8", "replace"))
    log.started(child.pid, network)
    runner = Runner(order, log, child.pid, child.pipes, signals, oom_kills, stop_file, cpu_before)
    os.write(child.go, b"\0")
    runner.watch()
    return runner.finish()


# --- The worker: libraries ahead ------------------------------------------------------------------------------------

# Variables that are read while the process or one of its libraries starts, by the C code at least: a job that sets one
# is not for a worker. A star stands for any rest. What Python modules read is noted while they are imported.
UNFIT_VARIABLES = (
    *("PYTHON*", "LD_*", "LC_*", "LANG*", "TZ*", "MALLOC_*", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "GCONV_PATH"),
    *("OPENSSL_*", "OMP_*", "GOMP_*", "KMP_*", "OPENBLAS_*", "GOTO_*", "BLIS_*", "MKL_*", "VECLIB_*", "NUMEXPR_*"),
    *("NPY_*", "GDAL_*", "CPL_*", "OGR_*", "OSR_*", "VSI_*", "PROJ_*", "MPL*", "MATPLOTLIB*", "FONTCONFIG_*"),
    *("FREETYPE_*", "HOME", "XDG_*", "TMPDIR", "TEMP", "TMP"),
)


def is_unfit(name):
    return any(name == rule or (rule[-1] == "*" and name.startswith(rule[:-1])) for rule in UNFIT_VARIABLES)


class PreloadFailed(Exception):
    """A module cannot be imported ahead; carries its name."""

    def __init__(self, module, reason):
        super().__init__(reason)
        self.module = module


def warm_script_process(child, modules):
    """The forked child of a worker: what a script finds, then libraries, then the order, then as in a cold start."""
    try:
        outputs = [pipe.script_end for pipe in child.pipes]
        base = base_environment()
        # What an import prints is not the script's: it goes where the runner complains.
        become_clean_process(2, 2, keep=(child.script_ready, child.script_go, *outputs))
        link_font_list(base)
        os.chdir(OUTPUT_DIR)
        replace_environment(base)
        become_script_module()
        # The first compilation makes all types of the syntax tree, 2 ms that the script need not wait for.
        compile("", JOB_DIR + "/script.py", "exec")
        report = preload(modules, child.script_ready) if modules else NOTHING_PRELOADED
        say(child.script_ready, {"ready": report})
        data = read_message(child.script_go)
        for fd, number in zip(outputs, (1, 2)):
            os.dup2(fd, number)
            os.close(fd)
        order = Order(parse_json(data.decode()))
        script = prepare_script(order, script_environment(base, order, {}))
    except PreloadFailed as failure:
        say(child.script_ready, {"failed": {"module": failure.module, "reason": str(failure)}})
        os._exit(EXIT_RUNNER_FAILED)
    except BaseException as error:
        give_up(child, error)
    await_go(child)
    return script


def say(fd, message):
    import json

    write_all(fd, [json.dumps(message).encode() + b"\n"])


def read_message(fd):
    """The bytes that follow their length; ends the process when there will be none."""
    size = struct.unpack("<Q", read_exactly(fd, 8))[0]
    return read_exactly(fd, size)


def read_exactly(fd, size):
    data = b""
    while len(data) < size:
        piece = os.read(fd, size - len(data))
        if not piece:  # the runner is gone
            os._exit(EXIT_RUNNER_FAILED)
        data += piece
    return data


NOTHING_PRELOADED = {"preloaded": [], "environmentRead": [], "openFiles": [], "threads": 1}


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
            gc.collect()  # and no gc.freeze(): what the script hangs into a library would never be closed
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


# --- The worker: waiting for a job ----------------------------------------------------------------------------------

PRELOAD_PATIENCE_SECONDS = 60.0
DEFAULT_IDLE_SECONDS = "600"
BEAT_SECONDS = 2  # how often a worker that waits touches its file `ready`
POLL_SECONDS = 0.1  # for file systems that do not tell of what other machines put there
IN_CLOSE_WRITE, IN_MOVED_TO = 0x08, 0x80


def warm_start(child):
    """Waits for a job and runs it; returns what `cold_start` does."""
    worker = Worker(child)
    script = worker.get_ready()
    if child.pid == 0:
        return script
    data = worker.await_order()
    order = parse_order(data)
    refuse_unfit(order, worker.environment_read)
    refuse_to_begin(worker.stop_file)
    # Before the order is told: what the waiting process has used is the worker's, not the job's.
    cpu_before = child_cpu_seconds(child.pid)
    if write_all(child.go, [struct.pack("<Q", len(data)), data]) < len(data):
        raise Refusal(EXIT_RUNNER_FAILED, "the script's process has ended")
    return supervise(order, worker.log_fd, child, worker.signals, worker.stop_file, cpu_before, worker.network)


class Worker:
    """The runner while it has no order. Whatever ends it before it has one leaves an empty log."""

    def __init__(self, child):
        self.log_fd = open_log()
        self.child = child
        self.modules = [name.strip() for name in os.environ.get("RUNNER_PRELOAD", "").split(",") if name.strip()]
        self.idle_seconds = read_idle_seconds()
        self.signals = SignalReader()
        self.stop_file = find_stop_file()
        self.gate = find_network_gate()
        self.network = None
        self.environment_read = []

    def get_ready(self):
        """Returns when the script's process waits for its order; in that process, when it has got it."""
        modules, failed = self.modules, []
        while True:
            if self.child.fork():
                return warm_script_process(self.child, modules)
            libc_function("prctl")(PR_SET_CHILD_SUBREAPER, 1)
            try:
                report = self.await_report(modules)
                break
            except PreloadFailed as failure:
                if not modules:
                    raise Refusal(EXIT_RUNNER_FAILED, "the script's process could not be set up: %s" % failure) from None
                complain("nothing is preloaded, because of %s: %s" % (failure.module, failure))
                failed.append({"module": failure.module, "reason": str(failure)})
                kill_tree(self.child.pid, reap_all)
                self.child.close()
                modules = []
        # Not earlier: the script's process is to be an ordinary one, and may have been forked for a second time.
        hide()
        self.environment_read = report.get("environmentRead", [])
        if self.gate:
            self.network = self.gate.pass_through(lambda seconds: self.wait([], seconds))
        said = {"version": 1, "pid": self.child.pid, **report, "failed": failed, "heartbeatSeconds": BEAT_SECONDS}
        self.write_ready(said)

    def await_report(self, modules):
        """What the child says when it is through; `PreloadFailed` when it ends, fails or takes too long."""
        text, module, end = b"", "the start", None
        give_up_at = clock() + PRELOAD_PATIENCE_SECONDS
        while clock() < give_up_at:
            end = end or self.child_end()
            piece = b""
            if self.child.ready in self.wait([self.child.ready], 0.0 if end else POLL_SECONDS):
                piece = os.read(self.child.ready, 64 * KIB)
            *lines, text = (text + piece).split(b"\n")
            for message in map(parse_message, lines):
                module = message.get("importing", module)
                if "failed" in message:
                    raise PreloadFailed(message["failed"]["module"], message["failed"]["reason"])
                if "ready" in message:
                    self.refuse_strays(modules)
                    return message["ready"]
            if end and not piece:
                raise PreloadFailed(module, text.decode("utf-8", "replace") or "the process ended with %s" % end)
        raise PreloadFailed(module, "it took longer than %d s" % PRELOAD_PATIENCE_SECONDS)

    def refuse_strays(self, modules):
        self.child_end()  # collects those that have ended
        if modules and descendants(os.getpid()) != [self.child.pid]:
            raise PreloadFailed(", ".join(modules), "it leaves a process running")

    def write_ready(self, fields):
        import json

        path = SPOOL_DIR + "/ready"
        with open(path + ".new", "w") as file:
            file.write(json.dumps(fields))
        os.rename(path + ".new", path)

    def await_order(self):
        """The bytes of the order, once it is there."""
        watch = watch_folder(JOB_DIR)
        fds = [] if watch is None else [watch]
        until = clock() + self.idle_seconds
        beat_at = clock() + BEAT_SECONDS
        while True:
            data = look_for_order()
            if data:
                return data
            if clock() >= beat_at:
                beat_at = clock() + BEAT_SECONDS
                beat()
            how = self.child_end()
            if how is not None:
                raise Refusal(EXIT_RUNNER_FAILED, "the script's process ended with %s while it waited" % how)
            if clock() >= until:
                raise Refusal(EXIT_NO_JOB_CAME, "no job came in %g s" % self.idle_seconds)
            if watch in self.wait(fds, min(POLL_SECONDS, until - clock())):
                os.read(watch, 4 * KIB)

    def wait(self, fds, seconds):
        """Those of `fds` that can be read within that time; `Refusal` when the worker is asked to stop."""
        return wait_for_any(fds, self.signals, self.stop_file, seconds, "a job came")

    def child_end(self):
        """How the script's process has ended, or None while it lives; collects others, too."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return None
                if pid == self.child.pid:
                    code = os.waitstatus_to_exitcode(status)
                    return "code %d" % code if code >= 0 else "signal %d" % -code
        except ChildProcessError:
            return None


def beat():
    """Shows that this process runs: one that hangs, or was frozen, is not given a job."""
    try:
        os.utime(SPOOL_DIR + "/ready")
    except OSError:
        pass  # nobody needs it more than a job that may come all the same


def read_idle_seconds():
    text = os.environ.get("RUNNER_WORKER_IDLE_SECONDS", DEFAULT_IDLE_SECONDS)
    if not text.replace(".", "", 1).isdigit():
        raise Refusal(EXIT_RUNNER_FAILED, "RUNNER_WORKER_IDLE_SECONDS is not a number of seconds")
    return float(text)


def parse_message(line):
    try:
        return parse_json(line.decode())
    except ValueError:
        return {}  # a library wrote into a descriptor that is not its own


def watch_folder(path):
    """A descriptor that can be read when something new is in the folder; None where the system does not tell."""
    try:
        fd = libc_function("inotify_init1")(os.O_CLOEXEC | os.O_NONBLOCK)
        libc_function("inotify_add_watch")(fd, os.fsencode(path), IN_MOVED_TO | IN_CLOSE_WRITE)
        return fd
    except (OSError, AttributeError):
        return None


def look_for_order():
    """The bytes of the order, or nothing while there is none."""
    try:
        return read_order()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise bad_order(error) from error


def refuse_unfit(order, environment_read):
    """`Refusal` of what cannot be given to a process that has started, or must not wait on a disk as an order does."""
    if order.secret_names:
        raise Refusal(EXIT_NEEDS_COLD_START, "an order with secrets is not for a worker")
    names = sorted(name for name in order.env if is_unfit(name) or name in environment_read)
    if names:
        raise Refusal(EXIT_NEEDS_COLD_START, "not for a worker, because of its variables: " + ", ".join(names))


def child_cpu_seconds(pid):
    """What all children have used up to now."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        living = time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
    except OSError:
        living = 0.0
    return usage.ru_utime + usage.ru_stime + living


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
