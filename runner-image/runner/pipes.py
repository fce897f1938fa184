"""The pipes through which the script prints."""

import fcntl
import os
import time
from codecs import utf_8_decode
from time import monotonic as clock

from .contract import KIB, MIB


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
