"""The limit of the output, and the evidence of memory that ran out."""

import contextlib
import os
import shutil
import subprocess
import time

from runner.meters import OutputMeter, file_sizes
from .support import STDERR, RunnerCase, needs_root, tell


class TheLimitOfTheOutput(RunnerCase):
    def test_the_meter_kills_the_tree_above_the_limit(self):
        self.order["maxOutputBytes"] = 1_000_000
        result = self.run_script(
            """
            import os, time
            os.makedirs("a/b")
            for i in range(30): open("a/b/%d" % i, "wb").write(bytes(50_000))
            time.sleep(60)
            """
        )
        self.assert_ended(result, signal=9, diskExceeded=True, timedOut=False)
        self.assertLess(result.ended["wallSeconds"], 50)

    def test_links_and_special_files_count_nothing(self):
        self.order["maxOutputBytes"] = 1_000_000
        self.write("big", content=bytes(3_000_000))
        self.order["env"] = {"BIG": self.path("big")}
        result = self.run_script(
            """
            import os, time
            os.symlink(os.environ["BIG"], "link"); os.symlink(os.path.dirname(os.environ["BIG"]), "folder")
            os.mkfifo("fifo"); os.mkdir("closed"); os.chmod("closed", 0)
            time.sleep(0.7)
            """
        )
        self.assert_ended(result, exitCode=0, diskExceeded=False)

    def test_one_file_cannot_grow_above_the_limit(self):
        self.order["maxOutputBytes"] = 1_000_000
        result = self.run_script("f = open('big', 'wb', buffering=0)\nwhile True: f.write(bytes(100_001))")
        self.assertEqual(os.path.getsize(self.path("output", "big")), 1_000_000)
        self.assertIn("[Errno 27]", result.text(STDERR))
        self.assert_ended(result, exitCode=1, diskExceeded=True)

    def test_a_script_that_fails_for_another_reason_has_not_exceeded(self):
        self.order["maxOutputBytes"] = 1_000_000
        result = self.run_script("open('small', 'wb').write(bytes(999_999)); raise SystemExit(1)")
        self.assert_ended(result, exitCode=1, diskExceeded=False)

    def test_measuring_is_done_in_slices(self):
        for i in range(3000):
            self.write("output", str(i), content="x")
        meter = OutputMeter(self.path("output"), 2900)
        meter.SLICE_SECONDS = 0.0005
        slices, began = 1, time.monotonic()
        while not meter.exceeds():
            slices += 1
            self.assertLess(slices, 1000)
            self.assertGreater(meter.next_at, began)
            began = time.monotonic()
        self.assertGreater(slices, 2)

    def test_folders_that_vanish_deepen_or_cannot_be_read_do_not_stop_it(self):
        deep = self.path("output")
        for _ in range(100):
            deep += "/" + "d" * 20
            os.mkdir(deep)
        with open(deep + "/file", "w") as file:
            file.write("12345")
        os.mkdir(self.path("output", "vanishing"))
        sizes = file_sizes(self.path("output"))
        next(sizes)
        shutil.rmtree(self.path("output", "vanishing"))
        self.assertEqual(sum(sizes), 5)
        self.assertEqual(sum(file_sizes(self.path("absent"))), 0)

    def test_a_path_too_long_for_the_system_does_not_stop_it(self):
        result = self.run_script(
            """
            import os, time
            for _ in range(100):
                os.mkdir("d" * 200); os.chdir("d" * 200)
            time.sleep(0.7)
            """
        )
        self.assert_ended(result, exitCode=0)
        subprocess.run(["rm", "-rf", self.path("output")], check=True)


class OutOfMemory(RunnerCase):
    """The evidence of the cgroup, in a cgroup of the test's own (cgroup v1 or v2, root)."""

    def make_cgroup(self, limit):
        v1 = os.path.isdir("/sys/fs/cgroup/memory")
        path = "/sys/fs/cgroup/%srunner-test-%d" % ("memory/" if v1 else "", os.getpid())
        try:
            os.mkdir(path)
            with open(path + ("/memory.limit_in_bytes" if v1 else "/memory.max"), "w") as file:
                file.write(str(limit))
            with contextlib.suppress(OSError):
                with open(path + ("/memory.memsw.limit_in_bytes" if v1 else "/memory.swap.max"), "w") as file:
                    file.write(str(limit if v1 else 0))
        except OSError:
            self.skipTest(tell("SKIPPED", "what needs a memory cgroup to be made"))
        self.addCleanup(lambda: self.wait_for(lambda: not os.path.exists(path) or remove_folder(path), "cgroup removal"))
        return path + "/cgroup.procs"

    def run_in_cgroup(self, script):
        procs = self.make_cgroup(100 << 20)

        def enter():
            with open(procs, "w") as file:
                file.write("0")

        return self.run_script(script, preexec_fn=enter)

    @needs_root
    def test_a_script_killed_for_its_memory_is_told_with_the_evidence(self):
        result = self.run_in_cgroup("print('before', flush=True)\nheld = [b'x' * (1 << 20) for _ in range(1000)]")
        self.assertEqual(result.text(), "before\n")
        self.assert_ended(result, exitCode=None, signal=9, oomKills=1)

    @needs_root
    def test_a_child_killed_for_its_memory_is_counted_too(self):
        result = self.run_in_cgroup(
            """
            import subprocess, sys
            print(subprocess.run([sys.executable, "-c", "held = [b'x' * (1 << 20) for _ in range(1000)]"]).returncode)
            """
        )
        self.assertEqual(result.text(), "-9\n")
        self.assert_ended(result, exitCode=0, oomKills=1)

    def test_a_sigkill_alone_is_no_evidence(self):
        result = self.run_script("import os; os.kill(os.getpid(), 9)")
        self.assert_ended(result, signal=9, oomKills=0)


def remove_folder(path):
    try:
        os.rmdir(path)
        return True
    except OSError:
        return False
