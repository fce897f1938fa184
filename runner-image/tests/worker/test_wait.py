"""The wait of a worker, and how it takes its job."""

import json
import os
import signal
import time

from ..support import (
    ENDED,
    STARTED,
    UNPRIVILEGED_UID,
    UNSHARE,
    Listener,
    needs_namespace,
    processes_with_environment,
    processor_seconds,
)
from .support import WorkerCase


class Waiting(WorkerCase):
    def test_its_time_ends(self):
        process = self.start_worker("json", RUNNER_WORKER_IDLE_SECONDS="0.3")
        self.assert_nothing_ran(process, 118, r"\Ajob_runner: no job came in 0\.3 s\n\Z")

    def test_it_signs_what_it_says_and_keeps_its_key_until_the_script_begins(self):
        self.give_key()
        self.order["signed"] = True
        process = self.start_worker("json")
        self.ready()
        with open(self.path("spool", "ready"), "rb") as file:
            self.assertTrue(self.is_signed("ready", b"", file.read(), attempt=0))
        with open(self.path("spool", "key")) as file:
            self.assertEqual(file.read(), self.key_text)
        self.hand_over("import os; print(os.path.exists(%r))" % self.path("spool", "key"))
        result = self.finish(process)
        self.assertEqual(result.text(), "False\n")
        self.assert_signed(result)

    def test_it_signs_after_a_module_that_cannot_be_imported(self):
        self.give_key()
        process = self.start_worker("nosuch")
        self.assertEqual(self.ready()["failed"][0]["module"], "nosuch")
        self.hand_over("print(1)")
        self.assert_signed(self.finish(process))

    def test_it_takes_no_signed_order_without_a_key(self):
        process = self.start_worker("json")
        self.ready()
        self.hand_over("open('ran', 'w')", {**self.order, "signed": True})
        self.assert_nothing_ran(process, 121, "a job is never run twice")

    def test_it_shows_that_it_is_alive(self):
        process = self.start_worker("json", runner=self.changed_runner("BEAT_SECONDS = 2", "BEAT_SECONDS = 0.05"))
        self.assertEqual(self.ready()["heartbeatSeconds"], 0.05)
        touched = lambda: os.stat(self.path("spool", "ready")).st_mtime_ns
        first = touched()
        self.wait_for(lambda: touched() > first, "a sign of life")
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        last = touched()
        time.sleep(0.3)
        self.assertEqual(touched(), last)
        process.send_signal(signal.SIGCONT)
        self.wait_for(lambda: touched() > last, "another sign of life")

    def test_signals_end_it_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start_worker("json")
            self.ready()
            process.send_signal(number)
            self.assert_nothing_ran(process, 143, "asked to stop")
            self.clear()

    def test_a_signal_ends_it_while_it_imports(self):
        self.module("slow", "import time\nopen(%r, 'w').close()\ntime.sleep(60)" % self.path("imports"))
        process = self.start_worker("slow")
        self.wait_for(lambda: os.path.exists(self.path("imports")), "the import")
        process.terminate()
        self.assert_nothing_ran(process, 143, "asked to stop")

    def test_the_stop_file_ends_it(self):
        process = self.start_worker("json", RUNNER_STOP_FILE=self.path("stop"))
        self.ready()
        self.write("stop", content="10\n")
        self.assert_nothing_ran(process, 143, "asked to stop")

    def test_a_stop_that_comes_with_the_order_wins(self):
        deaf = self.changed_runner("INTERVAL_SECONDS = 0.25", "INTERVAL_SECONDS = 30.0")
        process = self.start_worker(runner=deaf, RUNNER_STOP_FILE=self.path("stop"))
        self.ready()
        self.write("stop", content="10\n")
        self.hand_over("open('ran', 'w')")
        self.assert_nothing_ran(process, 143, "asked to stop")

    def test_it_is_ready_when_the_network_is_closed_and_its_job_waits_no_more(self):
        listener = Listener()
        self.addCleanup(listener.close)
        process = self.start_worker("json", RUNNER_AWAIT_CLOSED=listener.address, RUNNER_AWAIT_CLOSED_SECONDS="60")
        self.wait_for(lambda: listener.count >= 3, "connections")
        self.assertFalse(os.path.exists(self.path("spool", "ready")))
        listener.close()
        self.ready()
        self.hand_over("print('x')")
        result = self.finish(process)
        self.assertEqual(result.text(), "x\n")
        network = json.loads(result.of(STARTED)[0].payload)["network"]
        self.assertEqual((network["closed"], network["wasOpen"]), (True, True))

    def test_a_network_that_stays_open_ends_it_with_117(self):
        listener = Listener()
        self.addCleanup(listener.close)
        process = self.start_worker("json", RUNNER_AWAIT_CLOSED=listener.address, RUNNER_AWAIT_CLOSED_SECONDS="0.3")
        self.assert_nothing_ran(process, 117, "the network is open after 0.3 s")
        self.assertFalse(os.path.exists(self.path("spool", "ready")))

    def test_a_stop_ends_its_wait_for_the_network(self):
        listener = Listener()
        self.addCleanup(listener.close)
        process = self.start_worker(RUNNER_AWAIT_CLOSED=listener.address, RUNNER_STOP_FILE=self.path("stop"))
        self.wait_for(lambda: listener.count >= 1, "a connection")
        self.write("stop", content="10\n")
        self.assert_nothing_ran(process, 143, "asked to stop")

    def test_the_end_of_the_waiting_process_ends_it(self):
        process = self.start_worker("json")
        os.kill(self.ready()["pid"], signal.SIGKILL)
        self.assert_nothing_ran(process, 123, "ended with signal 9 while it waited")

    def test_the_waiting_process_ends_with_it(self):
        process = self.start_worker("json")
        self.ready()
        process.kill()
        self.wait_for(lambda: processes_with_environment(self.root) == [], "the end of all")

    def test_it_sleeps(self):
        process = self.start_worker("json")
        pid = self.ready()["pid"]
        before, began = processor_seconds(process.pid) + processor_seconds(pid), time.monotonic()
        self.wait_for(lambda: time.monotonic() > began + 2, "two seconds")
        self.assertLess(processor_seconds(process.pid) + processor_seconds(pid) - before, 0.25)

    def test_orders_that_it_must_not_carry_out_are_refused(self):
        for change, code, sentence in (
            ({"withdrawn": True}, 125, "withdrawn"),
            ({"version": 2}, 122, "version 1"),
            ({"secrets": ["API_KEY"]}, 119, "secrets"),
            ({"env": {"OMP_NUM_THREADS": "4", "FINE": "x", "TZ": "UTC"}}, 119, "variables: OMP_NUM_THREADS, TZ\n"),
            ({"env": {"COLOUR": "red"}}, 119, "variables: COLOUR\n"),
        ):
            with self.subTest(change):
                self.module("reads", "import os\nos.environ.get('COLOUR')")
                process = self.start_worker("reads")
                self.ready()
                self.hand_over("open('ran', 'w')", {**self.order, **change})
                self.assert_nothing_ran(process, code, sentence)
                self.clear()

    def test_text_that_is_no_order_is_refused_and_an_empty_file_is_none_yet(self):
        process = self.start_worker()
        self.ready()
        self.write("job", "job.json", content="")
        self.hand_over("print('x')")
        self.assertEqual(self.finish(process).text(), "x\n")
        self.clear()
        for text in ("{", "[]", '{"version":1}'):
            process = self.start_worker()
            self.ready()
            self.write("job", "new", content=text)
            os.rename(self.path("job", "new"), self.path("job", "job.json"))
            self.assert_nothing_ran(process, 122, "cannot be used")
            self.clear()

    def test_an_order_without_a_script_is_refused(self):
        process = self.start_worker()
        self.ready()
        self.write("job", "job.json", content=json.dumps(self.order))
        self.assert_nothing_ran(process, 122, "there is no .*script.py")


class HandOut(WorkerCase):
    def test_an_order_that_is_there_before_the_worker_is_taken(self):
        self.hand_over("print('x')")
        process = self.start_worker("json")
        self.assertEqual(self.finish(process).text(), "x\n")
        self.assertEqual(self.ready()["failed"], [])

    def test_an_order_that_comes_during_the_imports_waits_for_them(self):
        imports, go = self.path("imports"), self.path("go")
        self.module("slow", "import os, time\nopen(%r, 'w').close()\nwhile not os.path.exists(%r): time.sleep(0.01)" % (imports, go))
        process = self.start_worker("slow")
        self.wait_for(lambda: os.path.exists(imports), "the import")
        self.hand_over("import sys; print('slow' in sys.modules)")
        self.assertEqual(self.read_log(), b"")
        self.assertFalse(os.path.exists(self.path("spool", "ready")))
        self.write("go", content="")
        self.assertEqual(self.finish(process).text(), "True\n")

    def test_it_hears_of_the_order_and_does_not_wait_for_its_next_look(self):
        self.assert_taken(self.changed_runner("POLL_SECONDS = 0.1", "POLL_SECONDS = 60.0"))

    def test_it_looks_for_the_order_where_the_system_tells_nothing(self):
        self.assert_taken(self.changed_runner("inotify_add_watch", "no_such_function"))
        self.assert_taken(self.changed_runner("IN_CLOSE_WRITE, IN_MOVED_TO = 0x08, 0x80", "IN_CLOSE_WRITE, IN_MOVED_TO = 0x200, 0"))

    def assert_taken(self, runner):
        process = self.start_worker(runner=runner)
        self.ready()
        self.hand_over("print('x')")
        began = time.monotonic()
        self.assertEqual(self.finish(process).text(), "x\n")
        self.assertLess(time.monotonic() - began, 30)
        self.clear()

    def test_there_is_no_second_job(self):
        process = self.start_worker("json")
        self.ready()
        self.hand_over("import os, time\nprint('first', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)")
        self.wait_for_text("first")
        self.hand_over("print('second')", {**self.order, "jobId": "job-2"})
        self.write("output", "go", content="")
        result = self.finish(process)
        self.assertEqual((result.text(), len(result.of(STARTED)), len(result.of(ENDED))), ("first\n", 1, 1))

    def test_a_large_order_arrives_whole(self):
        self.order["env"] = {"N%d" % i: "x" * 100 for i in range(3000)}
        result = self.run_warm("import os; print(sum(len(v) for n, v in os.environ.items() if n[0] == 'N'))")
        self.assertEqual(result.text(), "300000\n")

    def test_the_deadline_counts_from_the_start_of_the_script(self):
        self.order.update(timeoutSeconds=2, graceSeconds=0.2)
        process = self.start_worker()
        self.ready()
        began = time.monotonic()
        self.wait_for(lambda: time.monotonic() > began + 2.2, "the time of the job")
        self.hand_over("import time; print('up'); time.sleep(60)")
        result = self.finish(process)
        self.assertEqual(result.text(), "up\n")
        self.assert_ended(result, timedOut=True)
        self.assertGreaterEqual(result.ended["wallSeconds"], 2)

    def test_the_processor_time_of_the_imports_is_not_the_jobs(self):
        self.module("busy", "import time\nwhile time.process_time() < 1: pass")
        result = self.run_warm("import time; print(time.process_time() > 1)", "busy")
        self.assertEqual(result.text(), "True\n")
        self.assertLess(result.ended["cpuSeconds"], 0.7)
        self.clear()
        result = self.run_warm("import time\nbegan = time.process_time()\nwhile time.process_time() < began + 0.5: pass", "busy")
        self.assertTrue(0.5 <= result.ended["cpuSeconds"] < 1.2, result.ended)

    def test_the_processor_time_of_a_failed_preload_is_not_the_jobs(self):
        self.module("busy", "import time\nwhile time.process_time() < 1: pass\n1 / 0")
        self.assertLess(self.run_warm("print(1)", "busy").ended["cpuSeconds"], 0.7)

    def test_a_stop_after_the_start_is_one_of_the_script(self):
        process = self.start_worker("json")
        self.ready()
        self.hand_over("import time; print('up', flush=True); time.sleep(60)")
        self.wait_for_text("up")
        process.terminate()
        result = self.finish(process)
        self.assert_ended(result, signal=15, stopped=True)
        self.assertEqual(result.code, 143)

    def test_many_workers_take_a_job_each(self):
        cases = [WorkerCase() for _ in range(12)]
        processes = []
        for case in cases:
            case.setUp()
            self.addCleanup(case.doCleanups)
            processes.append(case.start_worker("json"))
        for number, case in enumerate(cases):
            case.ready()
            case.order["jobId"] = "job-%d" % number
        for case in cases:
            case.hand_over("import os; print(os.environ['JOB_ID'])")
        for number, (case, process) in enumerate(zip(cases, processes)):
            self.assertEqual(case.finish(process).text(), "job-%d\n" % number)


class WorkerAsPidOne(WorkerCase):
    """Where the worker is PID 1 of its own PID namespace, as in a container."""

    def runner_pid(self, process):
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as file:
            return int(file.read().split()[0])

    @needs_namespace
    def test_a_job_runs_and_what_is_left_of_it_is_ended(self):
        script = """
            import os, time
            if os.fork() == 0:
                os.setsid(); time.sleep(60)
            print(os.getppid(), os.getpid())
        """
        result = self.run_warm(script, prefix=UNSHARE)
        self.assertEqual(result.text(), "1 %d\n" % self.said["pid"])
        self.assert_ended(result, exitCode=0)
        self.assertEqual(processes_with_environment(self.root), [])

    @needs_namespace
    def test_a_signal_from_outside_ends_it_while_it_waits(self):
        process = self.start_worker("json", UNSHARE)
        self.ready()
        os.kill(self.runner_pid(process), signal.SIGTERM)
        self.assert_nothing_ran(process, 143, "asked to stop")

    @needs_namespace
    def test_a_signal_that_an_import_sends_does_not_end_it(self):
        self.module("kills", "import os, signal\nos.kill(1, signal.SIGTERM); os.kill(1, signal.SIGINT)")
        self.assertEqual(self.run_warm("print('x')", "kills", prefix=UNSHARE).text(), "x\n")

    @needs_namespace
    def test_a_module_that_ends_every_process_only_fails(self):
        self.module("kills", "import os, signal\nif os.fork() == 0: signal.pause()\nos.kill(-1, 9)\nos.kill(os.getpid(), 9)")
        self.assertEqual(self.run_warm("print('x')", "kills", prefix=UNSHARE).text(), "x\n")
        self.assertEqual(self.said["failed"][0]["reason"], "the process ended with signal 9")

    @needs_namespace
    def test_the_script_reads_neither_the_workers_environment_nor_its_memory(self):
        script = """
            import os
            for path in ("environ", "fd", "mem", "maps"):
                try:
                    path = "/proc/1/" + path
                    os.listdir(path) if path.endswith("fd") else open(path).read(1)
                    print("READ", path)
                except PermissionError:
                    print("denied")
            print(os.stat("/proc/self/maps").st_uid == os.getuid(), "RUNNER" in open("/proc/self/environ").read())
        """
        self.module("bad", "1 / 0")
        nobody = ("setpriv", "--reuid=%d" % UNPRIVILEGED_UID, "--regid=%d" % UNPRIVILEGED_UID, "--clear-groups")
        for preload in ("json", "bad"):  # after a failure the script's process is forked a second time
            with self.subTest(preload):
                result = self.run_warm(script, preload, prefix=(*UNSHARE, *nobody))
                self.assertEqual(result.text(), "denied\n" * 4 + "True False\n", result.stderr)
                self.clear()
