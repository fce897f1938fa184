"""Signals, and the tree of processes that the script has started."""

import _signal as signal  # the module without its enums, whose import takes 5 ms
import os
import struct
import sys
import time
from time import monotonic as clock

from .libc import libc_function

SI_USER, SI_KERNEL, SI_TKILL = 0, 0x80, -6
HANDLED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


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
