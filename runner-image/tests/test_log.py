"""The frames of the log, and its limit."""

import json
import os
import resource
import statistics
import subprocess
import tempfile
import time

from runner.log import Log
from runner.pipes import Pipe
from .support import (
    ENDED,
    GAP,
    OUTPUT,
    SLACK_BYTES,
    STARTED,
    STDERR,
    STDOUT,
    RunnerCase,
    needs_root,
    parse_frames,
    tell,
    works,
)


class TheFrames(RunnerCase):
    def test_a_log_begins_with_started_and_ends_with_ended(self):
        before = time.time()
        result = self.run_script("import os, time; time.sleep(0.2); sum(range(10**6)); print(os.getpid())")
        after = time.time()
        kinds = [frame.kind for frame in result.frames]
        self.assertEqual((kinds[0], set(kinds[1:-1]), kinds[-1]), (STARTED, {OUTPUT}, ENDED))
        started = json.loads(result.frames[0].payload)
        self.assertEqual(sorted(started), ["pid", "python", "version"])
        self.assertEqual((started["version"], started["pid"]), (1, int(result.text())))
        self.assertRegex(started["python"], r"^3\.\d+\.\d+")
        self.assertEqual({(frame.kind, frame.stream) for frame in result.frames}, {(STARTED, 0), (OUTPUT, STDOUT), (ENDED, 0)})
        for frame in result.frames:
            self.assertTrue(before <= frame.time_us / 1e6 <= after)
        self.assertEqual(
            sorted(result.ended),
            sorted(
                "exitCode signal timedOut stopped diskExceeded oomKills droppedBytes wallSeconds cpuSeconds maxRssBytes "
                "alone oomCounted".split()
            ),
        )
        self.assert_ended(result, exitCode=0, signal=None, timedOut=False, stopped=False, diskExceeded=False, oomKills=0, alone=True)
        self.assertTrue(0.2 <= result.ended["wallSeconds"] < after - before)
        self.assertTrue(0.001 < result.ended["cpuSeconds"] < 5)
        self.assertTrue(1 << 20 < result.ended["maxRssBytes"] < 1 << 30)
        self.assertEqual((result.torn, result.stderr), (b"", b""))

    def test_reaped_children_count_as_usage(self):
        result = self.run_script(
            """
            import subprocess, sys
            subprocess.run([sys.executable, "-c", "import time; b = 'x' * 200000000\\nwhile time.process_time() < 0.4: pass"])
            """
        )
        self.assertTrue(0.4 < result.ended["cpuSeconds"] < 5)
        self.assertGreater(result.ended["maxRssBytes"], 200_000_000)

    def test_both_streams_arrive_whole_and_numbered_without_a_gap(self):
        result = self.run_script(
            """
            import sys
            for i in range(20000):
                print("out", i)
                print("err", i, file=sys.stderr)
            """
        )
        self.assertEqual(result.text(STDOUT), "".join("out %d\n" % i for i in range(20000)))
        self.assertEqual(result.text(STDERR), "".join("err %d\n" % i for i in range(20000)))
        self.assert_sequence(result)

    def test_what_was_printed_to_one_stream_first_comes_before_the_other_stream(self):
        result = self.run_script(
            """
            import sys, time
            for _ in range(5):
                print("a", end=""); time.sleep(0.002); print("b", end=""); print("c", end="", file=sys.stderr)
                time.sleep(0.05)
            """
        )
        everything = b"".join(frame.payload for frame in result.of(OUTPUT)).decode()
        self.assertEqual(everything, "abc" * 5)

    def test_frames_hold_at_most_65536_bytes_and_never_split_a_character(self):
        result = self.run_script("import sys; sys.stdout.write('x' + '€𝄞ä' * 300000)")
        self.assertEqual(result.text(), "x" + "€𝄞ä" * 300000)
        for frame in result.of(OUTPUT):
            self.assertLessEqual(len(frame.payload), 65536)
            frame.payload.decode()
        self.assertGreater(max(len(frame.payload) for frame in result.of(OUTPUT)), 65500)

    def test_a_character_split_over_reads_is_put_together(self):
        result = self.run_script(
            """
            import os, time
            for byte in "ä€𝄞".encode():
                os.write(1, bytes([byte])); time.sleep(0.02)
            """
        )
        self.assertEqual(result.text(), "ä€𝄞")

    def test_invalid_bytes_are_replaced_as_python_does_it_wherever_reads_split_them(self):
        data = b"a\xff\x00\xc3(\xe2\x82x\xf0\x9d\x84\xed\xa0\x80\xc0\x80\xf4\x90\x80\x80 \xe2\x82"
        self.assertEqual(self.run_script("import os; os.write(1, %r)" % data).text(), data.decode("utf-8", "replace"))
        for cut in range(len(data) + 1):
            pipe = Pipe(STDOUT)
            try:
                decoded = pipe.decode(data[:cut]) + pipe.decode(data[cut:]) + pipe.decode(b"", final=True)
            finally:
                os.close(pipe.fd)
                os.close(pipe.script_end)
            self.assertEqual(decoded.decode(), data.decode("utf-8", "replace"), "cut at %d" % cut)

    def test_the_first_bytes_after_a_quiet_moment_are_written_at_once(self):
        result = self.run_script(
            """
            import os, time
            for _ in range(5):
                time.sleep(0.7)
                os.write(1, b"%d\\n" % time.time_ns())
            """,
            runner=self.gathering(0.5),
        )
        delays = [frame.time_us / 1e6 - int(frame.payload) / 1e9 for frame in result.of(OUTPUT)]
        self.assertEqual(len(delays), 5)
        self.assertLess(statistics.median(delays), 0.4)

    def test_a_printed_line_is_one_frame(self):
        # The instant in which the rest of a line follows is long here, for a machine that is busy.
        patient = self.changed_runner("time.sleep(0.0002)\n", "time.sleep(0.2)\n")
        result = self.run_script("import time\nfor i in range(6): time.sleep(0.4); print('line', i)", runner=patient)
        whole = [frame for frame in result.of(OUTPUT) if frame.payload.endswith(b"\n")]
        self.assertGreaterEqual(len(whole), 5)
        self.assertLessEqual(len(result.of(OUTPUT)), 8)

    def test_while_output_keeps_coming_it_is_gathered_for_5_ms(self):
        self.assertEqual(Pipe.GATHER_SECONDS, 0.005)
        result = self.run_script(
            """
            import os, time
            until = time.monotonic() + 2
            while time.monotonic() < until:
                os.write(1, b"x"); time.sleep(0.002)
            """,
            runner=self.gathering(0.25),
        )
        times = [frame.time_us / 1e6 for frame in result.of(OUTPUT)]
        pauses = [later - earlier for earlier, later in zip(times, times[1:])]
        self.assertGreater(statistics.median(pauses), 0.2)
        self.assertGreaterEqual(len(times), 4)

    def gathering(self, seconds):
        """A runner that gathers for so long that a busy machine does not matter."""
        return self.changed_runner("GATHER_SECONDS = 0.005", "GATHER_SECONDS = %r" % seconds)

    def test_a_line_without_end_and_large_writes_flow(self):
        usage = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        began = usage()
        self.order["maxLogBytes"] = 1 << 30
        result = self.run_script("import os\nfor _ in range(100): os.write(1, b'x' * 1000000)")
        self.assertEqual(len(result.bytes()), 100_000_000)
        self.assertLess(usage() - began, 20)

    def test_a_script_that_closes_its_streams_early_runs_on(self):
        result = self.run_script(
            """
            import os, time
            os.write(1, b"last"); os.close(1); os.close(2); time.sleep(0.1); os._exit(5)
            """
        )
        self.assertEqual(result.text(), "last")
        self.assert_ended(result, exitCode=5)
        self.assertLess(result.ended["cpuSeconds"], 1)

    def test_the_runner_sleeps_while_nothing_happens(self):
        process = self.start("import os, time; os.close(1); print('x', file=__import__('sys').stderr); time.sleep(1.2)")
        self.wait_for_text("x")
        self.assert_sleeps(process)
        self.finish(process)


class TheLimitOfTheLog(RunnerCase):
    def test_a_full_log_keeps_its_end_after_a_gap(self):
        self.order["maxLogBytes"] = 100_000
        result = self.run_script(
            """
            import sys
            for i in range(40000):
                print("line %06d ä" % i)
                if i % 10 == 0:
                    print("warning", i, file=sys.stderr)
            1 / 0
            """
        )
        printed = {
            STDOUT: "".join("line %06d ä\n" % i for i in range(40000)).encode(),
            STDERR: "".join("warning %d\n" % i for i in range(0, 40000, 10)).encode(),
        }
        self.assertLessEqual(len(result.log), 100_000 + SLACK_BYTES)
        self.assertGreater(len(result.log), 100_000 - 65536 + SLACK_BYTES - 16384)
        self.assert_sequence(result)
        gaps = result.of(GAP)
        first_gap = result.frames.index(gaps[0])
        head, tail = result.frames[:first_gap], result.frames[first_gap + len(gaps) :]
        self.assertEqual([frame.kind for frame in result.frames if frame.kind == GAP], [GAP] * len(gaps))
        for stream in (STDOUT, STDERR):
            before = b"".join(frame.payload for frame in head if frame.stream == stream and frame.kind == OUTPUT)
            after = b"".join(frame.payload for frame in tail if frame.stream == stream and frame.kind == OUTPUT)
            after = after.split(b"Traceback")[0]
            lost = sum(int(frame.payload) for frame in gaps if frame.stream == stream)
            self.assertTrue(printed[stream].startswith(before))
            self.assertTrue(printed[stream].endswith(after))
            self.assertEqual(len(before) + lost + len(after), len(printed[stream]))
        for frame in result.of(OUTPUT):
            frame.payload.decode()
        self.assertIn("ZeroDivisionError", result.text(STDERR))
        self.assert_ended(result, exitCode=1, droppedBytes=sum(int(frame.payload) for frame in gaps))
        self.assertGreater(result.ended["droppedBytes"], 100_000)

    def test_what_still_fits_into_the_tail_is_not_lost(self):
        self.order["maxLogBytes"] = 10_000
        result = self.run_script("for i in range(10000): print('%09d' % i)")
        self.assertEqual(result.text(), "".join("%09d\n" % i for i in range(10000)))
        self.assertEqual(result.of(GAP), [])
        self.assert_ended(result, droppedBytes=0)

    def test_a_limit_of_zero_still_ends_properly(self):
        self.order["maxLogBytes"] = 0
        result = self.run_script("print('x' * 5000000)\nprint('end')")
        self.assertLessEqual(len(result.log), SLACK_BYTES)
        self.assertTrue(result.text().endswith("x\nend\n"))
        self.assertEqual(len(result.bytes()) + result.ended["droppedBytes"], 5000005)

    def test_many_tiny_pieces_do_not_grow_the_tail(self):
        file = tempfile.TemporaryFile()
        self.addCleanup(file.close)
        log = Log(file.fileno(), 0)
        for i in range(50000):
            log.output(STDOUT + i % 2, b"\xc3\xa4")
        self.assertLess(len(log.tail), 20000)
        self.assertTrue(log.ended(b"{}"))
        file.seek(0)
        frames, torn = parse_frames(file.read())
        self.assertEqual(torn, b"")
        self.assertLessEqual(file.tell(), SLACK_BYTES)
        kept = sum(len(frame.payload) for frame in frames if frame.kind == OUTPUT)
        lost = sum(int(frame.payload) for frame in frames if frame.kind == GAP)
        self.assertEqual(kept + lost, 100000)

    def limit_file_size(self, size):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def test_a_write_that_fails_counts_as_dropped_and_the_end_is_still_written(self):
        process = self.start(
            """
            import os, time
            for i in range(100000): print("%09d" % i)
            while not os.path.exists("go"): time.sleep(0.01)
            print("done")
            """,
            preexec_fn=self.limit_file_size(300_001),
        )
        self.wait_for_text("0000")
        self.wait_for(lambda: len(self.read_log()) == 300_001, "a full disk")
        time.sleep(0.2)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        self.write("output", "go", content="")
        result = self.finish(process)
        self.assert_sequence(result)
        self.assertEqual(result.torn, b"")
        self.assertTrue(result.text().endswith("\ndone\n"))
        lost = sum(int(frame.payload) for frame in result.of(GAP))
        self.assertEqual(len(result.bytes()) + lost, 1_000_005)
        self.assert_ended(result, exitCode=0, droppedBytes=lost)

    def test_a_disk_that_stays_full_leaves_whole_frames_a_torn_one_and_the_exit_code(self):
        result = self.run_script(
            "for i in range(100000): print('%09d' % i)\nraise SystemExit(7)", preexec_fn=self.limit_file_size(300_001)
        )
        self.assertEqual(result.code, 7)
        self.assertEqual(len(result.log), 300_001)
        self.assertIsNone(result.ended)
        self.assertIn(b"could not be written", result.stderr)

    @needs_root
    def test_a_full_file_system_is_survived(self):
        mounted = works("mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", self.path("spool"))
        if not mounted:
            self.skipTest(tell("SKIPPED", "what needs a small file system to be mounted"))
        self.addCleanup(subprocess.run, ["umount", self.path("spool")], check=True)
        self.order["env"] = {"SPOOL": self.path("spool")}
        result = self.run_script(
            """
            import os, time
            filler = os.environ["SPOOL"] + "/filler"
            open(filler, "wb").write(bytes(3700 * 1024))
            for i in range(100000): print("%09d" % i)
            while os.statvfs(os.environ["SPOOL"]).f_bavail: time.sleep(0.01)
            os.unlink(filler)
            print("done")
            """
        )
        self.assert_ended(result, exitCode=0)
        self.assert_sequence(result)
        self.assertTrue(result.text().endswith("\ndone\n"))
        self.assertEqual(len(result.bytes()) + result.ended["droppedBytes"], 1_000_005)
