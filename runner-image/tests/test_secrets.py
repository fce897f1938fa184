"""The values of secrets: how they come, and that nobody else sees them."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time

from .support import (
    GAP,
    PATIENCE_SECONDS,
    SLACK_BYTES,
    STDERR,
    UNPRIVILEGED_UID,
    UNSHARE,
    RunnerCase,
    blocks_sigterm,
    needs_namespace,
)


class Secrets(RunnerCase):
    """Values come by environment or by standard input, reach the script, and do not show."""

    VALUE = "s3cret/wert-\u00e4\u20ac"

    def by_environment(self, **values):
        self.order["secrets"] = list(values)
        self.environ.update(values)
        return {}

    def by_input(self, line, names=("API_KEY",)):
        self.order["secrets"] = list(names)
        self.environ["RUNNER_SECRETS_FROM"] = "stdin"
        read, write = os.pipe()
        os.write(write, line if isinstance(line, bytes) else (json.dumps(line) + "\n").encode())
        os.close(write)
        self.addCleanup(os.close, read)
        return {"stdin": read}

    def assert_refused(self, result, code=124):
        self.assertEqual(result.code, code)
        self.assertEqual(result.frames, [])
        self.assertRegex(result.stderr.decode(), r"\Ajob_runner: .+\n\Z")
        self.assertFalse(os.path.exists(self.path("output", "ran")))

    SCRIPT = """
        import hashlib, os, subprocess, sys
        value = os.environ["API_KEY"]
        print(hashlib.sha256(value.encode()).hexdigest())
        print(value, file=sys.stderr)
        sys.stdout.write("<" + value[:5]); sys.stdout.flush()
        import time; time.sleep(0.05)
        sys.stdout.write(value[5:] + ">\\n")
        print(subprocess.run(["printenv", "API_KEY"], stdout=subprocess.PIPE).stdout.decode() == value + "\\n")
        print(sys.stdin.read() == "")
    """

    def assert_masked(self, result):
        digest = hashlib.sha256(self.VALUE.encode()).hexdigest()
        self.assertEqual(result.text(), digest + "\n<***>\nTrue\nTrue\n")
        self.assertEqual(result.text(STDERR), "***\n")
        self.assert_ended(result, exitCode=0)
        self.assert_sequence(result)
        for place in (result.log, result.stdout, result.stderr):
            self.assertNotIn(self.VALUE.encode(), place)
        self.assertEqual(result.stdout.count(b"***"), 2)

    def test_a_value_from_the_environment_reaches_the_script_and_is_masked(self):
        self.assert_masked(self.run_script(self.SCRIPT, **self.by_environment(API_KEY=self.VALUE)))

    def test_a_value_from_standard_input_reaches_the_script_and_is_masked(self):
        self.assert_masked(self.run_script(self.SCRIPT, **self.by_input({"API_KEY": self.VALUE})))

    def test_a_script_that_is_executed_anew_has_it_too(self):
        self.order["env"] = {"PYTHONHASHSEED": "0"}
        self.assert_masked(self.run_script(self.SCRIPT, **self.by_input({"API_KEY": self.VALUE})))

    def test_a_secret_that_only_a_new_interpreter_reads_is_honoured(self):
        how = self.by_input({"PYTHONWARNINGS": "error"}, names=["PYTHONWARNINGS"])
        self.assertEqual(self.run_script("import sys; print(sys.warnoptions)", **how).text(), "['***']\n")

    def test_it_wins_over_env_and_not_over_what_the_runner_sets(self):
        self.order["env"] = {"A": "env", "B": "env"}
        how = self.by_input({"A": "s", "JOB_ID": "t"}, names=["A", "JOB_ID"])
        result = self.run_script("import os; print(*(len(os.environ[n]) for n in ('A', 'B', 'JOB_ID')))", **how)
        self.assertEqual(result.text(), "1 3 5\n")

    def test_a_script_gets_no_value_that_its_order_does_not_name(self):
        self.environ.update(API_KEY="one", OTHER_KEY="of another job")
        self.order["secrets"] = ["API_KEY"]
        script = "import os; print('OTHER_KEY' in os.environ, 'another' in open('/proc/self/environ').read())"
        self.assertEqual(self.run_script(script).text(), "False False\n")
        os.unlink(self.path("spool", "log"))
        del self.order["secrets"]
        self.assertEqual(self.run_script("import os; print('API_KEY' in os.environ)").text(), "False\n")

    def test_a_missing_variable_ends_with_124_and_is_named(self):
        how = self.by_environment(API_KEY=self.VALUE)
        self.order["secrets"].append("OTHER_KEY")
        result = self.run_script("open('ran', 'w')", **how)
        self.assert_refused(result)
        self.assertIn(b"OTHER_KEY", result.stderr)
        self.assertNotIn(self.VALUE.encode(), result.stderr)

    def test_a_line_that_is_not_the_values_ends_with_124_and_is_not_shown(self):
        for line in (
            b"",
            b"\n",
            b'{"API_KEY":"broken off',
            b'{"API_KEY":"without an end"}',
            b"[]\n",
            b"null\n",
            b'{"API_KEY":7}\n',
            b'{"API_KEY":["value"]}\n',
            b'{"API_KEY":"\\ud800"}\n',
            b'{"API_KEY":"value\\u0000"}\n',
            b'{"API_KEY":"\xff"}\n',
            {"OTHER": "value"},
            {"API_KEY": "value", "OTHER": "value"},
            [[[[]]]],
        ):
            with self.subTest(line):
                result = self.run_script("open('ran', 'w')", **self.by_input(line))
                self.assert_refused(result)
                self.assertIn(b"secrets did not arrive", result.stderr)
                self.assertNotIn(b"value", result.stderr)
                self.assertNotIn(b"Traceback", result.stderr)

    def test_a_line_too_long_ends_with_124(self):
        process = self.start("open('ran', 'w')", stdin=subprocess.PIPE, **self.asking())
        with contextlib.suppress(BrokenPipeError):
            for _ in range(40):
                process.stdin.write(b"x" * 10_000)
        process.wait(PATIENCE_SECONDS)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdin = None
        self.assert_refused(self.finish(process))

    def asking(self):
        self.order["secrets"] = ["API_KEY"]
        self.environ["RUNNER_SECRETS_FROM"] = "stdin"
        return {}

    def test_an_input_that_is_closed_ends_with_124(self):
        process = self.start("open('ran', 'w')", ("sh", "-c", 'exec "$@" <&-', "sh"), **self.asking())
        self.assert_refused(self.finish(process))

    def test_a_line_that_comes_late_and_in_pieces_is_waited_for(self):
        process = self.start("import os; print(len(os.environ['API_KEY']))", stdin=subprocess.PIPE, **self.asking())
        for piece in (b'{"API_', b'KEY":"val', b'ue"}', b"\nand more"):
            time.sleep(0.15)
            process.stdin.write(piece)
            process.stdin.flush()
        self.assertEqual(self.finish(process).text(), "5\n")

    def test_a_line_that_does_not_come_ends_with_124_in_time(self):
        impatient = self.changed_runner("PATIENCE_SECONDS = 30.0", "PATIENCE_SECONDS = 0.3")
        process = self.start("open('ran', 'w')", stdin=subprocess.PIPE, runner=impatient, **self.asking())
        self.assertEqual(process.wait(PATIENCE_SECONDS), 124)
        process.stdin.close()

    def test_a_stop_while_it_waits_ends_with_143_and_runs_nothing(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start("open('ran', 'w')", stdin=subprocess.PIPE, **self.asking())
            self.wait_for(lambda: blocks_sigterm(process.pid), "the runner's first steps")
            process.send_signal(number)
            process.wait(PATIENCE_SECONDS)
            process.stdin.close()
            process.stdin = None
            self.assert_refused(self.finish(process), 143)
            os.unlink(self.path("spool", "log"))

    def test_orders_whose_secrets_are_no_names_end_with_122(self):
        for secrets in ("API_KEY", {"API_KEY": "value"}, [7], [""], ["A=B"], ["A\0"]):
            with self.subTest(secrets):
                self.order["secrets"] = secrets
                self.assertEqual(self.run_script("print(1)").code, 122)

    def test_what_is_held_back_comes_out_at_the_end_however_that_comes(self):
        for how, script in (
            ("close", "import os, time; os.write(1, b's3c'); os.close(1); time.sleep(0.1)"),
            ("exit", "import os; os.write(1, b's3c'); os._exit(0)"),
            ("kill", "import os; os.write(1, b's3c'); os.kill(os.getpid(), 9)"),
            ("deadline", "import os, time; os.write(1, b's3c'); time.sleep(60)"),
        ):
            with self.subTest(how):
                self.order["timeoutSeconds"] = 2
                result = self.run_script(script, **self.by_environment(API_KEY=self.VALUE))
                self.assertEqual(result.text(), "s3c")
                self.assertEqual(result.stdout, b"s3c")
                self.assertIsNotNone(result.ended)
                os.unlink(self.path("spool", "log"))

    def test_what_cannot_become_a_value_is_not_held_back(self):
        process = self.start(
            "import os, time; os.write(1, b's3x'); time.sleep(60)", **self.by_environment(API_KEY=self.VALUE)
        )
        self.wait_for_text("s3x")
        process.terminate()
        self.finish(process)

    def test_invalid_bytes_beside_a_value_do_not_hide_it(self):
        script = "import os, time\nfor b in os.fsencode(%r): os.write(1, bytes([b])); time.sleep(0.003)"
        around = os.fsdecode(b"\xe2\x82" + self.VALUE.encode() + b"\x82\xff" + self.VALUE.encode() + b"\xc3")
        result = self.run_script(script % around, **self.by_environment(API_KEY=self.VALUE))
        self.assertEqual(result.text(), "\ufffd***\ufffd\ufffd***\ufffd")

    def test_a_value_that_is_not_utf_8_is_masked_as_the_text_it_becomes(self):
        how = self.by_environment(API_KEY=os.fsdecode(b"k\xffy\xe2\x82."))
        result = self.run_script("import os; os.write(1, b'<' + os.environb[b'API_KEY'] + b'>')", **how)
        self.assertEqual(result.text(), "<***>")

    def test_an_empty_value_masks_nothing(self):
        result = self.run_script("import os; print(repr(os.environ['API_KEY']))", **self.by_environment(API_KEY=""))
        self.assertEqual(result.text(), "''\n")

    def test_a_traceback_and_many_lines_are_masked(self):
        value = "-----BEGIN KEY-----\nabc\ndef\n-----END KEY-----\n"
        script = "import os\nfor _ in range(3000): print(os.environ['API_KEY'])\nraise ValueError(os.environ['API_KEY'])"
        result = self.run_script(script, **self.by_environment(API_KEY=value))
        self.assertEqual(result.text(), "***\n" * 3000)
        self.assertTrue(result.text(STDERR).endswith("ValueError: ***\n"), result.text(STDERR))

    def test_the_tail_of_a_full_log_is_masked_and_its_limit_counts_masked_text(self):
        self.order["maxLogBytes"] = 100_000
        value = "v" * 999
        script = "import os\nfor i in range(200_000): print(os.environ['API_KEY'], i)"
        result = self.run_script(script, **self.by_environment(API_KEY=value))
        self.assertNotIn(b"vv", result.log)
        self.assertTrue(result.text().endswith("\n*** 199999\n"))
        gap = int(result.of(GAP)[0].payload)
        self.assertEqual(gap + len(result.bytes()), len("".join("*** %d\n" % i for i in range(200_000))))
        self.assertLess(len(result.log), 100_000 + SLACK_BYTES)

    @needs_namespace
    def test_neither_the_runners_environment_nor_its_input_gives_it_away_as_pid_1(self):
        script = """
            import os
            for path in ("/proc/1/environ", "/proc/1/fd/0", "/proc/1/mem"):
                try:
                    open(path, "rb").read(1)
                    print("read", path)
                except PermissionError:
                    print("refused")
        """
        for give in (lambda: self.by_environment(API_KEY=self.VALUE), lambda: self.by_input({"API_KEY": self.VALUE})):
            how = give()
            prefix = (*UNSHARE, "setpriv", "--reuid", str(UNPRIVILEGED_UID), "--clear-groups")
            os.chmod(self.root, 0o777)
            result = self.run_script(script, prefix=prefix, **how)
            self.assertEqual(result.text(), "refused\n" * 3, result.stderr)
            os.unlink(self.path("spool", "log"))
