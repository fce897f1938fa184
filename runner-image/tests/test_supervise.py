"""The order of the streams, the deadline, stops, and what a script leaves behind."""

import os
import signal
import time
import types
import unittest

from runner.pipes import Pipe
from runner.supervise import Runner
from .support import STDERR, STDOUT, Result, RunnerCase, blocks_sigterm, is_alive, processes_with_environment


class TheOrderOfTheStreams(unittest.TestCase):
    def test_an_error_is_never_recorded_before_what_was_printed_before_it(self):
        stdout, stderr = pipes = Pipe(STDOUT), Pipe(STDERR)
        order = types.SimpleNamespace(timeout_seconds=60, max_output_bytes=1)
        runner = Runner(order, None, 0, pipes, None, lambda: 0)
        recorded = []
        runner.record = lambda stream, data: recorded.append((stream, data)) if data else None

        def while_the_runner_reads(pipe):
            """The script prints to both streams after the first pipe has been read and before the other one is."""
            read = pipe.read

            def read_and_print():
                data = read()
                if b"late" not in b"".join(data for _, data in recorded) and not printed:
                    printed.append(True)
                    os.write(stdout.script_end, b"late\n")
                    os.write(stderr.script_end, b"error\n")
                return data

            pipe.read = read_and_print

        printed = []
        while_the_runner_reads(stdout)
        while_the_runner_reads(stderr)
        os.write(stdout.script_end, b"early\n")
        runner.read_pipes()
        runner.read_pipes()
        self.assertEqual(b"early\nlate\nerror\n", b"".join(data for _, data in recorded))
        for pipe in pipes:
            os.close(pipe.fd)
            os.close(pipe.script_end)


class TheEnd(RunnerCase):
    def assert_gone(self, pid):
        self.wait_for(lambda: not is_alive(pid), "the end of process %d" % pid)

    def test_a_script_that_makes_the_runner_its_tracer_is_watched_on(self):
        self.order.update(timeoutSeconds=1, graceSeconds=0.2)
        result = self.run_script(
            """
            import ctypes, os, signal
            ctypes.CDLL(None).ptrace(0, 0, None, None)  # PTRACE_TRACEME
            os.kill(os.getpid(), signal.SIGUSR1)  # stops it
            """
        )
        self.assert_ended(result, exitCode=None, signal=signal.SIGKILL, timedOut=True)

    def test_the_deadline_sends_sigterm_to_the_whole_tree_and_then_sigkill(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.5)
        result = self.run_script(
            """
            import os, signal, time
            def note(number, frame):
                os.write(1, b"%s got %d\\n" % (name, number))
            signal.signal(signal.SIGTERM, note)
            name = b"parent"
            if os.fork() == 0:
                os.setsid()
                name = b"grandchild" if os.fork() == 0 else b"child"
            while True: time.sleep(60)
            """
        )
        self.assertEqual(sorted(result.text().splitlines()), ["child got 15", "grandchild got 15", "parent got 15"])
        self.assert_ended(result, exitCode=None, signal=9, timedOut=True, stopped=False)
        self.assertEqual(result.code, 137)
        self.assertTrue(2.5 <= result.ended["wallSeconds"] < 50, result.ended)

    def test_a_script_that_ends_inside_the_grace_has_timed_out(self):
        self.order.update(timeoutSeconds=2, graceSeconds=100)
        result = self.run_script(
            """
            import signal, sys, time
            signal.signal(signal.SIGTERM, lambda *_: (print("bye"), sys.exit(0)))
            time.sleep(60)
            """
        )
        self.assertEqual(result.text(), "bye\n")
        self.assert_ended(result, exitCode=0, timedOut=True)
        self.assertEqual(result.code, 0)
        self.assertLess(result.ended["wallSeconds"], 50)

    def test_a_deadline_ends_a_stopped_process_too(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.2)
        result = self.run_script("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
        self.assert_ended(result, signal=9, timedOut=True)

    def test_a_script_that_prints_without_end_meets_its_deadline(self):
        self.order.update(timeoutSeconds=0.5, graceSeconds=0.2, maxLogBytes=1 << 20)
        result = self.run_script("while True: print('x' * 100)")
        self.assert_ended(result, timedOut=True)
        self.assertLess(result.ended["wallSeconds"], 60)

    def test_sigterm_and_sigint_stop_the_tree(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                process = self.start("import time; print('up'); time.sleep(60)")
                self.wait_for_text("up")
                process.send_signal(number)
                result = self.finish(process)
                self.assert_ended(result, signal=15, stopped=True, timedOut=False)
                self.assertEqual(result.code, 143)
                os.unlink(self.path("spool", "log"))

    def test_the_runner_sleeps_during_the_grace(self):
        self.order.update(timeoutSeconds=1.5, graceSeconds=1)
        process = self.start("import signal, time; signal.signal(15, lambda *_: print('got')); time.sleep(60)")
        self.wait_for_text("got")
        self.assert_sleeps(process)
        self.assert_ended(self.finish(process), timedOut=True)

    def test_a_stop_is_followed_by_sigkill_after_the_grace(self):
        self.order["graceSeconds"] = 0.3
        process = self.start("import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(60)")
        self.wait_for_text("up")
        process.terminate()
        result = self.finish(process)
        self.assert_ended(result, signal=9, stopped=True, timedOut=False)

    def test_a_stop_during_the_start_is_not_lost(self):
        for delay in (0.03, 0.04, 0.05, 0.06):
            process = self.start("import time; time.sleep(60)")
            self.wait_for(lambda: blocks_sigterm(process.pid), "the runner's first steps")
            time.sleep(delay - 0.03)
            process.terminate()
            self.assert_ended(self.finish(process), signal=15, stopped=True)
            os.unlink(self.path("spool", "log"))

    def test_a_daemon_that_holds_stdout_is_killed_and_waited_for_by_nobody(self):
        result = self.run_script(
            """
            import os, signal, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    print("daemon", os.getpid(), flush=True)
                    time.sleep(60)
                os._exit(0)
            os.wait()
            time.sleep(0.3)
            """
        )
        self.assert_ended(result, exitCode=0)
        self.assertLess(result.ended["wallSeconds"], 50)
        self.assert_gone(int(result.text().split()[1]))

    def test_a_child_that_prints_without_end_does_not_keep_the_job_open(self):
        result = self.run_script("import os, time\nif os.fork() == 0:\n    while True: print('x' * 1000)\ntime.sleep(0.2)")
        self.assert_ended(result, exitCode=0)

    def test_what_is_in_the_pipes_at_the_end_is_not_lost(self):
        for size in (1, 5000, 65536, 900_000):
            result = self.run_script("import os; os.write(1, b'a'); os.write(1, b'x' * %d); os._exit(1)" % size)
            self.assertEqual(len(result.bytes()), size + 1)
            os.unlink(self.path("spool", "log"))

    def test_many_children_are_ended(self):
        result = self.run_script(
            """
            import os, time
            for _ in range(300):
                if os.fork() == 0:
                    os.setsid(); time.sleep(60); os._exit(0)
            print(os.getpid())
            """
        )
        self.assert_ended(result, exitCode=0)
        self.assertEqual(processes_with_environment(self.root), [])

    def test_the_script_dies_with_a_runner_that_is_killed(self):
        process = self.start("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
        self.wait_for_text("\n")
        pid = int(Result(self.read_log(), 0, b"", b"").text())
        process.kill()
        self.assert_gone(pid)

    def test_a_failure_of_the_runner_ends_the_script_with_123_and_a_sentence(self):
        broken = self.changed_runner(
            "    def read_pipes(self):\n", "    def read_pipes(self):\n        raise RuntimeError('made to fail')\n"
        )
        process = self.start("import time; print('up', flush=True); time.sleep(60)", runner=broken)
        result = self.finish(process)
        self.assertEqual(result.code, 123)
        self.assertEqual(result.stderr, b"job_runner: RuntimeError: made to fail\n")
        self.assertEqual(processes_with_environment(self.root), [])
        self.assertIsNone(result.ended)
