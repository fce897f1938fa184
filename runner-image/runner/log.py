"""The log: what the script printed, as frames in a file."""

import os
import stat
import sys
import time

from .contract import (
    ENDED,
    EXIT_SPOOL_IN_USE,
    GAP,
    HEADER,
    KIB,
    LOG_FILE,
    MAGIC,
    MAX_PAYLOAD,
    OUTPUT,
    SLACK_BYTES,
    STARTED,
    STDERR,
    STDOUT,
    Refusal,
)
from .put_back import put_back
from .signature import TAIL_BYTES as SIGNATURE_BYTES

TAIL_BYTES = SLACK_BYTES - 4 * KIB


def open_log():
    """The empty `/spool/log`; `Refusal` where a job has been run before."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(LOG_FILE, flags, 0o644)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise OSError("%s is not a file" % LOG_FILE)
    if status.st_size > 0:
        raise Refusal(EXIT_SPOOL_IN_USE, "%s is not empty: a job is never run twice" % LOG_FILE)
    return fd


class Log:
    """The frames of `/spool/log`. When its limit or a failing write closes it, the newest output is kept for the end."""

    def __init__(self, fd, max_bytes, signer=None):
        self.fd = fd
        self.signer = signer
        self.max_bytes = max_bytes
        self.room = max_bytes
        self.deciding = []  # the frames without which nobody knows what became of the script
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
        if not self._write([self._deciding("started", STARTED, now_us(), payload.encode())]):
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
        frames.append(self._deciding("ended", ENDED, time_us, payload))
        return self._write(frames) == len(frames) and not self.torn

    def put_back(self):
        """Makes certain that the server finds this log, when nobody is left who could put another one there."""
        return put_back(self.fd, self.max_bytes + SLACK_BYTES, self.deciding)

    def _deciding(self, name, kind, time_us, payload):
        """A frame that decides what is made of the job: signed, and kept for a log that has to be put back."""
        if self.signer:
            size = len(payload) - 1 + SIGNATURE_BYTES
            payload = self.signer.sign(name, HEADER.pack(MAGIC, kind, 0, size, 0, time_us), payload)
        self.deciding += HEADER.pack(MAGIC, kind, 0, len(payload), 0, time_us), payload
        return kind, 0, time_us, payload

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
            buffers.append(HEADER.pack(MAGIC, kind, stream, len(payload), seq if numbered else 0, time_us))
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
