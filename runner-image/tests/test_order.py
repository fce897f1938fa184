"""The order: which are refused, and with which code."""

import os
import subprocess

from .support import PATIENCE_SECONDS, PYTHON, RUNNER, RunnerCase


class TheOrder(RunnerCase):
    def assert_refused(self, code, process):
        result = self.finish(process)
        self.assertEqual(result.code, code)
        self.assertRegex(result.stderr.decode(), r"\Ajob_runner: .+\n\Z")
        self.assertEqual(result.frames, [])

    def test_a_spool_that_is_not_empty_is_refused_with_121_and_left_alone(self):
        self.write("spool", "log", content="something")
        result = self.start("open('ran', 'w')")
        self.assertEqual(result.wait(PATIENCE_SECONDS), 121)
        self.assertEqual(self.read_log(), b"something")
        self.assertFalse(os.path.exists(self.path("output", "ran")))

    def test_an_empty_log_file_is_no_hindrance(self):
        self.write("spool", "log", content="")
        self.assertEqual(self.run_script("print(1)").text(), "1\n")

    def test_a_log_that_is_a_link_is_not_followed(self):
        self.write("elsewhere", content="")
        os.symlink(self.path("elsewhere"), self.path("spool", "log"))
        process = self.start("print(1)")
        self.assertEqual(process.wait(PATIENCE_SECONDS), 123)
        self.assertEqual(os.path.getsize(self.path("elsewhere")), 0)

    def test_a_log_that_is_a_fifo_is_refused_instead_of_waited_for(self):
        os.mkfifo(self.path("spool", "log"))
        self.assertEqual(self.start("print(1)").wait(PATIENCE_SECONDS), 123)

    def test_a_missing_order_ends_with_122(self):
        process = subprocess.run([PYTHON, "-u", RUNNER], env=self.environ, stderr=subprocess.PIPE)
        self.assertEqual(process.returncode, 122)
        self.assertIn(b"job.json", process.stderr)

    def test_orders_that_are_not_understood_end_with_122(self):
        good = dict(self.order)
        for change in (
            {"version": 2},
            {"version": None},
            {"env": {"A": 1}},
            {"env": {"A=B": "x"}},
            {"env": {"A": "nul\0"}},
            {"env": []},
            {"timeoutSeconds": None},
            {"timeoutSeconds": "600"},
            {"timeoutSeconds": True},
            {"graceSeconds": -1},
            {"maxLogBytes": 1.5},
            {"maxOutputBytes": None},
            {"jobId": 7},
            {"limits": {"openFiles": "many"}},
            {"limits": 7},
        ):
            with self.subTest(change):
                self.order = {**good, **change}
                self.assert_refused(122, self.start("print(1)"))

    def test_text_that_is_not_one_json_object_ends_with_122(self):
        self.write("job", "script.py", content="print(1)")
        for text in ("", "{", "[]", "null", '{"version":1}', '{"version":1} x', "\xff", "[" * 100000):
            with self.subTest(text[:20]):
                self.write("job", "job.json", content=text.encode("latin-1"))
                process = subprocess.run([PYTHON, "-u", RUNNER], env=self.environ, stderr=subprocess.PIPE)
                self.assertEqual(process.returncode, 122, process.stderr)

    def test_a_withdrawn_order_ends_with_125(self):
        self.order["withdrawn"] = True
        self.assert_refused(125, self.start("print(1)"))

    def test_without_a_script_it_ends_with_122(self):
        self.assert_refused(122, self.start(None))

    def test_a_runner_that_cannot_set_the_script_up_ends_with_123(self):
        os.rmdir(self.path("output"))
        self.assert_refused(123, self.start("print(1)"))
