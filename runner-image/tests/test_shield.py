"""What a script of the runner's own user cannot do to it, and does to itself as ever."""

import os
import unittest

from runner.shield import CALLS
from .support import RunnerCase, needs

needs_the_filter = needs(os.uname().machine in CALLS, "a kind of machine whose system calls are known")


@needs_the_filter
class TheShield(RunnerCase):
    def test_refuses_what_would_change_the_runner(self):
        for attempt in (
            "resource.prlimit(runner, resource.RLIMIT_FSIZE, (0, 0))",
            "resource.prlimit(runner, resource.RLIMIT_CPU, (0, 0))",
            "os.setpriority(os.PRIO_PROCESS, runner, 19)",
            "os.setpriority(os.PRIO_PGRP, runner, 19)",
            "os.setpriority(os.PRIO_USER, 0, 19)",
            "os.sched_setscheduler(runner, os.SCHED_IDLE, os.sched_param(0))",
            "os.sched_setaffinity(runner, {min(os.sched_getaffinity(0))})",
            "call('tgkill', runner, runner, 15)",
            "call('sigqueue', runner, 15, 0)",
        ):
            with self.subTest(attempt):
                self.give_key()
                result = self.run_script(
                    """
                    import ctypes, os, resource
                    runner = os.getppid()
                    def call(name, *arguments):
                        if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) == -1:
                            raise OSError(ctypes.get_errno(), name)
                    try:
                        %s
                    except PermissionError:
                        print("refused")
                    """
                    % attempt
                )
                self.assertEqual(result.text(), "refused\n", result.text(2))
                self.assert_signed(result)
                self.assert_ended(result, exitCode=0, stopped=False)
                os.unlink(self.path("spool", "log"))

    def test_leaves_the_script_what_is_its_own(self):
        result = self.run_script(
            """
            import os, resource, signal, subprocess, sys, threading
            for pid in (0, os.getpid()):
                resource.prlimit(pid, resource.RLIMIT_CPU, (1000, 1000))
                os.setpriority(os.PRIO_PROCESS, pid, 5)
                os.sched_setaffinity(pid, os.sched_getaffinity(pid))
                os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
            os.setpriority(os.PRIO_PGRP, 0, 6)
            signal.signal(signal.SIGUSR1, lambda *_: print("heard"))
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            resource.prlimit(child.pid, resource.RLIMIT_CPU, (10, 10))
            signal.pidfd_send_signal(os.pidfd_open(child.pid), signal.SIGKILL)
            print(child.wait())
            """
        )
        self.assertEqual((result.text(), result.text(2)), ("heard\n-9\n", ""))


if __name__ == "__main__":
    unittest.main()
