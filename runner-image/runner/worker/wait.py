"""The wait of a worker for its job."""

import os
import resource
import struct
import time
from time import monotonic as clock

from ..complain import complain
from ..contract import (
    EXIT_NEEDS_COLD_START,
    EXIT_NO_JOB_CAME,
    EXIT_RUNNER_FAILED,
    JOB_DIR,
    KIB,
    READY_FILE,
    Refusal,
    is_unfit,
)
from ..libc import PR_SET_CHILD_SUBREAPER, libc_function
from ..log import open_log, write_all
from ..network import find_network_gate
from ..order import bad_order, parse_order, read_order
from ..signals import SignalReader, descendants, kill_tree, reap_all
from ..signature import find_signer, signer_for
from ..stop import find_stop_file, refuse_to_begin, wait_for_any
from ..supervise import hide, supervise
from .messages import parse_message
from .preload import PreloadFailed
from .script import warm_script_process

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
    signer = signer_for(order, worker.signer)
    refuse_to_begin(worker.stop_file)
    # Before the order is told: what the waiting process has used is the worker's, not the job's.
    cpu_before = child_cpu_seconds(child.pid)
    if write_all(child.go, [struct.pack("<Q", len(data)), data]) < len(data):
        raise Refusal(EXIT_RUNNER_FAILED, "the script's process has ended")
    return supervise(order, worker.log_fd, child, worker.signals, worker.stop_file, signer, cpu_before, worker.network)


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
        self.signer = None
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
        self.signer = find_signer()
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

        text = json.dumps(fields)
        with open(READY_FILE + ".new", "w") as file:
            file.write(self.signer.sign("ready", b"", text.encode()).decode() if self.signer else text)
        os.rename(READY_FILE + ".new", READY_FILE)

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
        os.utime(READY_FILE)
    except OSError:
        pass  # nobody needs it more than a job that may come all the same


def read_idle_seconds():
    text = os.environ.get("RUNNER_WORKER_IDLE_SECONDS", DEFAULT_IDLE_SECONDS)
    if not text.replace(".", "", 1).isdigit():
        raise Refusal(EXIT_RUNNER_FAILED, "RUNNER_WORKER_IDLE_SECONDS is not a number of seconds")
    return float(text)


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
