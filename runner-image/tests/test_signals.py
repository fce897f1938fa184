"""The runner as PID 1, which hears all signals and ends all processes."""

import json
import os
import signal

from .support import RUNNER_IMAGE, UNPRIVILEGED_UID, UNSHARE, RunnerCase, needs_namespace, processes_with_environment


class AsPidOne(RunnerCase):
    """Where the runner is PID 1 of its own PID namespace, as in a container."""

    def start(self, script, prefix=(), **popen):
        return super().start(script, (*UNSHARE, *prefix), **popen)

    def runner_pid(self, process):
        """The runner's pid as it is outside of its namespace."""
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as file:
            return int(file.read().split()[0])

    @needs_namespace
    def test_it_is_pid_1_and_the_script_is_not(self):
        result = self.run_script("import os; print(os.getppid(), os.getpid() > 1)")
        self.assertEqual(result.text(), "1 True\n")
        self.assertEqual(json.loads(result.frames[0].payload)["pid"] > 1, True)

    @needs_namespace
    def test_a_script_cannot_end_it_by_any_signal(self):
        result = self.run_script(
            """
            import os, signal, time
            for number in signal.valid_signals():
                os.kill(1, number)
            time.sleep(0.3)
            print("still here")
            """
        )
        self.assertEqual(result.text(), "still here\n")
        self.assert_ended(result, exitCode=0, stopped=False)

    @needs_namespace
    def test_a_signal_with_a_forged_sender_is_ignored(self):
        result = self.run_script(
            """
            import ctypes, os, struct, time
            SYS_rt_sigqueueinfo = {"x86_64": 129, "aarch64": 138}[os.uname().machine]
            info = struct.pack("=iiii", 15, 0, -1, 0) + struct.pack("=II", 0, 0) + bytes(128)
            ctypes.CDLL(None).syscall(SYS_rt_sigqueueinfo, 1, 15, info)
            time.sleep(0.2)
            print("still here")
            """
        )
        self.assertEqual(result.text(), "still here\n")
        self.assert_ended(result, exitCode=0, stopped=False)

    @needs_namespace
    def test_a_sigterm_from_outside_stops_the_tree(self):
        process = self.start("import time; print('up'); time.sleep(60)")
        self.wait_for_text("up")
        os.kill(self.runner_pid(process), signal.SIGTERM)
        self.assert_ended(self.finish(process), signal=15, stopped=True)

    @needs_namespace
    def test_a_script_that_kills_everything_ends_by_itself(self):
        with open(os.path.join(RUNNER_IMAGE, "..", "test", "fixtures", "scripts", "kills-everything.py")) as file:
            result = self.run_script(file.read())
        self.assertEqual(result.text(), "still here\n")
        self.assert_ended(result, exitCode=0, signal=None)

    @needs_namespace
    def test_a_fork_bomb_is_ended(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.2)
        self.order["limits"] = {"processes": 400}
        result = self.run_script(
            """
            import os, signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                try:
                    os.fork()
                except OSError:
                    pass
            """,
            prefix=("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"),
        )
        self.assert_ended(result, timedOut=True, signal=9)
        self.assertEqual(processes_with_environment(self.root), [])

    @needs_namespace
    def test_orphans_and_zombies_are_reaped_while_the_script_runs(self):
        result = self.run_script(
            """
            import os, time
            for _ in range(50):
                if os.fork() == 0:
                    os.fork(); os._exit(0)
                os.wait()
            time.sleep(0.3)
            print(sum(name.isdigit() for name in os.listdir("/proc")))
            """
        )
        self.assertEqual(result.text(), "2\n")

    @needs_namespace
    def test_neither_its_environment_nor_its_descriptors_nor_its_memory_can_be_read(self):
        self.environ["SECRET"] = "of the runner"
        result = self.run_script(
            """
            import os
            for path in ("environ", "fd", "mem", "maps", "cwd"):
                try:
                    path = "/proc/1/" + path
                    os.listdir(path) if path.endswith("fd") else os.readlink(path) if path.endswith("cwd") else open(path).read(1)
                    print("READ", path)
                except PermissionError:
                    print("denied")
            print("SECRET" in open("/proc/self/environ").read())
            """,
            prefix=("setpriv", "--reuid=%d" % UNPRIVILEGED_UID, "--regid=%d" % UNPRIVILEGED_UID, "--clear-groups"),
        )
        self.assertEqual(result.text(), "denied\n" * 5 + "False\n", result.stderr)

    @needs_namespace
    def test_the_deadline_and_daemons_hold_as_well(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.2)
        result = self.run_script(
            """
            import os, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork() == 0:
                os.setsid()
            time.sleep(60)
            """
        )
        self.assert_ended(result, signal=9, timedOut=True)
