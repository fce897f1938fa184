"""The libraries ahead: what is put back, and what is not imported at all."""

import os
import re

from ..support import PATIENCE_SECONDS, STDERR, needs_a_look_at_others, processes_with_environment
from .compared_scripts import AS_NOBODY
from .support import WorkerCase


class Readiness(WorkerCase):
    def test_it_says_what_it_has_imported_and_leaves_the_log_empty(self):
        self.module("reads", "import os\nos.environ.get('COLOUR'), os.getenv('SHAPE'), 'SIZE' in os.environ")
        process = self.start_worker(" json , reads,xml.dom.minidom,")
        said = self.ready()
        self.assertEqual(said["version"], 1)
        self.assertEqual([each["module"] for each in said["preloaded"]], ["json", "reads", "xml.dom.minidom"])
        self.assertTrue(all(0 <= each["milliseconds"] < 60_000 for each in said["preloaded"]))
        self.assertLessEqual({"COLOUR", "SHAPE", "SIZE"}, set(said["environmentRead"]))
        self.assertEqual((said["failed"], said["openFiles"], said["threads"]), ([], [], 1))
        self.assertEqual(self.read_log(), b"")
        self.assertEqual(sorted(os.listdir(self.path("spool"))), ["log", "ready"])
        self.hand_over("import os, sys; print(os.getpid(), 'xml.dom.minidom' in sys.modules)")
        self.assertEqual(self.finish(process).text(), "%d True\n" % said["pid"])

    def test_without_a_list_it_waits_as_well(self):
        result = self.run_warm("print('x')", "")
        self.assertEqual((result.text(), self.said["preloaded"], self.said["failed"]), ("x\n", [], []))

    def assert_not_preloaded(self, preload, module, reason, **how):
        process = self.start_worker(preload, **how)
        said = self.ready()
        self.assertEqual((said["preloaded"], said["environmentRead"]), ([], []))
        self.assertEqual([each["module"] for each in said["failed"]], [module])
        self.assertRegex(said["failed"][0]["reason"], reason)
        self.assertEqual(processes_with_environment(self.root), [said["pid"]])
        self.hand_over("import sys; print('decimal' in sys.modules, 'bad' in sys.modules)")
        result = self.finish(process)
        self.assertEqual(result.text(), "False False\n")
        self.assert_ended(result, exitCode=0)
        self.assertRegex(result.stderr.decode(), "nothing is preloaded, because of %s: .*%s" % (module, reason))
        self.assertEqual(processes_with_environment(self.root), [])
        self.clear()

    def test_a_module_that_cannot_be_imported_leaves_nothing_preloaded_and_is_named(self):
        for source, reason in (
            ("import nosuch", "ModuleNotFoundError: No module named 'nosuch'"),
            ("1 / 0", "ZeroDivisionError"),
            ("raise SystemExit(3)", "SystemExit: 3"),
            ("raise KeyboardInterrupt", "KeyboardInterrupt"),
            ("def broken(:", "SyntaxError"),
            ("import os\nos._exit(0)", "ended with code 0"),
            ("import os\nos._exit(7)", "ended with code 7"),
            ("import ctypes\nctypes.string_at(0)", "ended with signal 11"),
            ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", "ended with signal 15"),
            ("import os\nif os.fork(): os._exit(1)\nimport time; time.sleep(60)", "ended with code 1"),
        ):
            with self.subTest(source):
                self.module("bad", source)
                self.assert_not_preloaded("decimal,bad", "bad", reason)

    def test_a_module_that_is_not_there_is_named(self):
        self.assert_not_preloaded("decimal,no-such", "no-such", "ModuleNotFoundError")

    def test_nothing_is_imported_from_the_jobs_folder(self):
        self.write("job", "bad.py", content="")
        self.assert_not_preloaded("bad", "bad", "ModuleNotFoundError")

    def test_what_cannot_be_taken_back_counts_as_a_failure(self):
        for source, reason in (
            ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "a Python thread"),
            ("import subprocess\nkept = subprocess.Popen(['sleep', '60'])", "a process running"),
            ("import socket\nkept = socket.socket()", "a descriptor open that is not a file for reading: socket"),
            ("import os\nkept, write = os.pipe()\nos.close(write)", "a descriptor open that is not a file for reading: pipe"),
            ("kept = open('/dev/null', 'w')", "a descriptor open that is not a file for reading: /dev/null"),
        ):
            with self.subTest(source):
                self.module("bad", source)
                self.assert_not_preloaded("decimal,bad", "bad", reason)

    def test_a_daemon_that_an_import_leaves_counts_as_a_failure(self):
        self.module("bad", "import os, time\nif os.fork() == 0:\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)\nos.wait()")
        self.assert_not_preloaded("decimal,bad", "decimal, bad", "a process running")

    def test_a_daemon_that_has_ended_does_not(self):
        self.module(
            "fine",
            """
            import os, time
            read, write = os.pipe()
            if os.fork() == 0:
                daemon = os.fork()
                if daemon: os.write(write, b"%d" % daemon)
                os._exit(0)
            os.wait()
            path = "/proc/" + os.read(read, 9).decode()
            while os.path.exists(path): time.sleep(0.01)
            os.close(read); os.close(write)
            """,
        )
        self.assertEqual(self.run_warm("print('x')", "fine").text(), "x\n")
        self.assertEqual(self.said["failed"], [])

    @needs_a_look_at_others
    def test_what_may_not_be_put_back_counts_as_a_failure(self):
        self.module("bad", "import os\nos.nice(5)")
        self.assert_not_preloaded("bad", "bad", "cannot be put back: PermissionError", prefix=AS_NOBODY)

    def test_an_import_that_takes_too_long_is_given_up(self):
        self.module("bad", "import time\ntime.sleep(60)")
        impatient = self.changed_runner("PATIENCE_SECONDS = 60.0", "PATIENCE_SECONDS = 0.5")
        self.assert_not_preloaded("decimal,bad", "bad", "longer than", runner=impatient)

    def test_files_that_a_library_reads_stay_open_and_are_not_inherited(self):
        self.write("data", content="of the library")
        self.module("keeps", "import os\nfd = os.open(%r, os.O_RDONLY)\nos.set_inheritable(fd, True)" % self.path("data"))
        script = """
            import keeps, os, subprocess
            print(os.read(keeps.fd, 100).decode())
            print(subprocess.run(["readlink", "/proc/self/fd/%d" % keeps.fd], close_fds=False).returncode)
        """
        result = self.run_warm(script, "keeps")
        self.assertEqual(self.said["openFiles"], [self.path("data")])
        self.assertEqual(result.text(), "of the library\n1\n", result.text(STDERR))

    def test_what_an_import_prints_goes_to_the_runners_stderr(self):
        self.module("loud", "import sys, warnings\nprint('out')\nwarnings.warn('old')\nimport os\nos.system('echo child')")
        result = self.run_warm("import loud; print('x')", "loud")
        self.assertEqual((result.text(), result.text(STDERR)), ("x\n", ""))
        for word in (b"out", b"old", b"child"):
            self.assertIn(word, result.stderr)

    def test_filters_for_a_librarys_own_warnings_stay_and_general_ones_do_not(self):
        self.module(
            "filters",
            """
            import warnings
            class Mine(UserWarning): pass
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "of the library")
            warnings.simplefilter("always", Mine)
            """,
        )
        script = """
            import warnings, filters
            warnings.warn("of the library"); warnings.warn("other")
            for _ in range(2): warnings.warn("mine", filters.Mine)
        """
        result = self.run_warm(script, "filters")
        shown = re.findall(r"(?:UserWarning|Mine): .+", result.text(STDERR))
        self.assertEqual(shown, ["UserWarning: other", "Mine: mine", "Mine: mine"])
        self.assert_ended(result, exitCode=0)

    def test_no_two_workers_draw_the_same_numbers(self):
        os.makedirs(self.path("library", "numpy", "random"))
        self.write("library", "numpy", "__init__.py", content="")
        numpy = "import os\ndef seed(value=None): global drawn; drawn = os.urandom(9).hex() if value is None else value\nseed(1)"
        self.write("library", "numpy", "random", "__init__.py", content=numpy)
        self.module("seeds", "import random\nrandom.seed(1)")
        numbers = []
        for _ in range(2):
            result = self.run_warm("import random, numpy.random as n; print(random.random()); print(n.drawn)", "seeds,numpy.random")
            numbers += result.text().split()
            self.clear()
        self.assertEqual(len(set(numbers)), 4, numbers)
        self.assertNotIn("1", numbers)

    def test_its_settings_must_be_understood(self):
        for seconds in ("", "soon", "-1", "nan", "1e3"):
            self.assert_nothing_ran(self.start_worker(RUNNER_WORKER_IDLE_SECONDS=seconds), 123, "RUNNER_WORKER_IDLE_SECONDS")

    def test_a_spool_in_use_is_refused(self):
        self.write("spool", "log", content="something")
        self.assertEqual(self.start_worker().wait(PATIENCE_SECONDS), 121)

    def test_a_script_process_that_cannot_be_set_up_ends_it(self):
        os.rmdir(self.path("output"))
        process = self.start_worker()
        self.assertEqual(process.wait(PATIENCE_SECONDS), 123)
        self.assertIn(b"FileNotFoundError", process.stderr.read())
