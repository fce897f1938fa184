"""The runner as one file: what it loads, and that nobody finds a trace of it."""

import os

from .support import PATIENCE_SECONDS, RUNNER, RunnerCase, bundle

NAMES_OF_MODULES = "import sys; print([name for name in sys.modules if 'runner' in name])"


class TheBundle(RunnerCase):
    def test_a_script_finds_no_module_of_it(self):
        self.write("job", "runner.py", content="print('its own')")
        result = self.run_script(NAMES_OF_MODULES + "\nimport runner, sys\nprint(sys.meta_path)")
        plain = self.run_plain(NAMES_OF_MODULES + "\nimport runner, sys\nprint(sys.meta_path)")
        self.assertEqual(without_addresses(result.bytes()), without_addresses(plain.stdout))

    def test_what_a_worker_imports_ahead_finds_no_module_of_it(self):
        self.write("runner.py", content=NAMES_OF_MODULES)
        self.environ.update(RUNNER_WORKER="1", RUNNER_PRELOAD="runner", PYTHONPATH=self.root)
        result = self.run_script("import runner; print(runner.__file__)")
        self.assertEqual((result.stderr, result.text()), (b"['runner']\n", self.path("runner.py") + "\n"))

    def test_a_cold_start_loads_nothing_of_the_worker(self):
        broken = self.changed_runner("PRELOAD_PATIENCE_SECONDS = 60.0", "PRELOAD_PATIENCE_SECONDS = 1 / 0")
        self.assertEqual(self.run_script("print(1)", runner=broken).text(), "1\n")
        self.environ["RUNNER_WORKER"] = "1"
        self.assertIn(b"ZeroDivisionError", self.start("print(1)", runner=broken).communicate(timeout=PATIENCE_SECONDS)[1])

    def test_a_traceback_names_the_files_and_lines_of_the_sources(self):
        broken = self.changed_runner("from codecs import utf_8_decode\n", "raise RuntimeError('made to fail')\n")
        process = self.start("print(1)", runner=broken)
        stderr = process.communicate(timeout=PATIENCE_SECONDS)[1].decode()
        self.assertRegex(stderr, r'(?s)File "job_runner\.py", line \d+, in load\b.*File "runner/pipes\.py", line 6, in <module>')
        self.assertEqual(process.returncode, 1)

    def test_the_same_sources_make_the_same_file(self):
        with open(RUNNER, "rb") as first, open(bundle(), "rb") as second:
            self.assertEqual(first.read(), second.read())

    def test_it_runs_from_a_descriptor(self):
        fd = os.open(RUNNER, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.write("job", "script.py", content="import sys; print(sys.argv, sys.path[0])")
        process = self.start(None, runner="/dev/fd/%d" % fd, pass_fds=[fd])
        result = self.finish(process)
        self.assertEqual(result.text(), "%r %s\n" % ([self.path("job", "script.py")], self.path("job")))


def without_addresses(text):
    return [line.partition(b" object at ")[0] for line in text.splitlines()]
