"""What keeps a script's hands off its runner.

Both have one user, so the kernel lets the script lower the runner's limits until it cannot write how the script ended, or give it
so little of the processor that it neither keeps the time nor dies when it is killed. It may also send a signal whose sender the
kernel forgets, when there is no room for it. A filter of system calls refuses all that, for the script and what it starts.
"""

import os
import struct

from .libc import PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address_of, libc_function

# (kind of machine; calls whose first argument is a process: prlimit64, sched_setparam, sched_setscheduler, sched_setaffinity,
# sched_setattr, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo; setpriority and ioprio_set, with their word for all of a user)
CALLS = {
    "x86_64": (0xC000003E, (302, 142, 144, 203, 314, 200, 234, 129, 297), ((141, 2), (251, 3))),
    "aarch64": (0xC00000B7, (261, 118, 119, 122, 274, 130, 131, 138, 240), ((140, 2), (30, 3))),
}
PIDFD_SEND_SIGNAL = 424
X32_BIT = 0x40000000  # of x86's calls with short pointers, which have numbers of their own

LOAD, RETURN, IF_EQUAL, IF_AT_LEAST = 0x20, 0x06, 0x15, 0x35
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16  # places in `struct seccomp_data`
ALLOW, NO_PERMISSION, NO_SUCH_CALL = 0x7FFF0000, 0x00050001, 0x00050026


def shield(runner_pid):
    """For this process and all that it starts, for good. Where the kernel has no filters it does nothing."""
    calls = CALLS.get(os.uname().machine)
    if calls is None:
        return
    code = b"".join(struct.pack("<HBBI", *each) for each in program(runner_pid, *calls))
    prctl = libc_function("prctl")
    try:
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, struct.pack("@HP", len(code) // 8, address_of(code)))
    except OSError:
        pass


def program(runner_pid, machine, of_a_process, of_several):
    """The instructions of the filter: (operation, how many to skip if true, if false, operand)."""
    yield LOAD, 0, 0, MACHINE
    yield IF_EQUAL, 1, 0, machine
    yield RETURN, 0, 0, NO_SUCH_CALL  # 32-bit calls, in which all of this has other numbers
    yield LOAD, 0, 0, NUMBER
    yield IF_AT_LEAST, 0, 1, X32_BIT
    yield RETURN, 0, 0, NO_SUCH_CALL
    for number in of_a_process:
        yield IF_EQUAL, 0, 4, number
        yield LOAD, 0, 0, argument(0)
        yield IF_EQUAL, 0, 1, runner_pid
        yield RETURN, 0, 0, NO_PERMISSION
        yield RETURN, 0, 0, ALLOW
    for number, all_of_a_user in of_several:
        yield IF_EQUAL, 0, 6, number
        yield LOAD, 0, 0, argument(1)
        yield IF_EQUAL, 2, 0, runner_pid  # or its group
        yield LOAD, 0, 0, argument(0)
        yield IF_EQUAL, 0, 1, all_of_a_user
        yield RETURN, 0, 0, NO_PERMISSION
        yield RETURN, 0, 0, ALLOW
    # A descriptor does not say whose it is, so nobody gets a signal with words of the sender's own by it.
    yield IF_EQUAL, 0, 5, PIDFD_SEND_SIGNAL
    yield LOAD, 0, 0, argument(2)
    yield IF_EQUAL, 0, 2, 0
    yield LOAD, 0, 0, argument(2) + 4
    yield IF_EQUAL, 1, 0, 0
    yield RETURN, 0, 0, NO_PERMISSION
    yield RETURN, 0, 0, ALLOW


def argument(index):
    """The place of its lower half, on a little-endian machine."""
    return ARGUMENTS + 8 * index
