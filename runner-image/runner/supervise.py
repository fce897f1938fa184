"""The runner's part while a script runs: it waits, in one thread, for two pipes, signals and limits."""

import _signal as signal
import os
import resource
import select
import time
from time import monotonic as clock

from .complain import complain
from .contract import EXIT_RUNNER_FAILED, KIB, OUTPUT_DIR, OVER_FILE, STDERR, STDOUT, Refusal
from .json_text import json_bool
from .libc import PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, libc_function
from .log import Log
from .meters import OomKills, OutputMeter, holds_at_least
from .pipes import CourtesyCopy
from .signals import kill_tree, reap_all, signal_tree


def hide():
    """Keeps the script from reading the runner's memory, and gives the runner the script's orphans."""
    prctl = libc_function("prctl")
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def supervise(order, log_fd, child, signals, stop_file, signer=None, cpu_before=0.0, network=None):
    """The runner's part from the fork to the end; returns the exit code."""
    oom_kills = OomKills()
    log = Log(log_fd, order.max_log_bytes, signer)
    answer = os.read(child.ready, 4 * KIB)
    if answer != b"\0":
        raise Refusal(EXIT_RUNNER_FAILED, "the script could not be set up: " + answer.decode("utf-8", "replace"))
    log.started(child.pid, network)
    runner = Runner(order, log, child.pid, child.pipes, signals, oom_kills, stop_file, cpu_before)
    if signer:
        signer.remove_key()  # the last thing before the script may begin: a file that is there proves that it has not
    os.write(child.go, b"\0")
    runner.watch()
    return runner.finish()


def ring():
    """Tells a server that listens that the log is complete. Where that fails it hears it from the engine."""
    try:
        os.close(os.open(OVER_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
    except OSError:
        pass


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
            if os.WIFSTOPPED(status):
                pass  # a script can make its parent its tracer, who is told of more than ends
            elif pid == self.script_pid:
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
        is_alone = not self.reap()
        for pipe in self.pipes:
            if pipe.open:
                self.record(pipe.stream, pipe.drain())
        oom_kills = self.count_oom_kills()
        if self.status != 0 and not self.disk_exceeded:
            self.disk_exceeded = holds_at_least(OUTPUT_DIR, self.order.max_output_bytes)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = (
            '{"exitCode":%s,"signal":%s,"timedOut":%s,"stopped":%s,"diskExceeded":%s,"oomKills":%d,'
            '"droppedBytes":%d,"wallSeconds":%.6f,"cpuSeconds":%.6f,"maxRssBytes":%d,"alone":%s,"oomCounted":%s}'
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
            json_bool(is_alone),
            json_bool(self.oom_kills.are_counted),
        )
        is_written = self.log.ended(ended.encode())
        if not self.log.put_back() or not is_written:
            complain("the end of the log could not be written")
        else:
            ring()
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
