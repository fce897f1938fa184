"""The requests to stop: signals, and the file of a runtime that cannot send one."""

import _signal as signal
import os
import select
from time import monotonic as clock

from .contract import EXIT_STOPPED, Refusal


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


def find_stop_file():
    path = os.environ.get("RUNNER_STOP_FILE")
    return StopFile(path) if path else None


def refuse_to_begin(stop_file):
    if stop_file and stop_file.look() is not None:
        raise Refusal(EXIT_STOPPED, "asked to stop before the script was started")


def wait_for_any(fds, signals, stop_file, seconds, before_what):
    """Those of `fds` that can be read within that time; `Refusal` when the runner is asked to stop."""
    ready = select.select([signals, *fds], [], [], max(0.0, seconds))[0]
    for number, from_outside in signals.read():
        if number != signal.SIGCHLD and from_outside:
            raise Refusal(EXIT_STOPPED, "asked to stop before " + before_what)
    if stop_file and clock() >= stop_file.next_at:
        refuse_to_begin(stop_file)
    return ready
