"""The courtesy copy."""


from .support import PATIENCE_SECONDS, Result, RunnerCase


class TheCourtesyCopy(RunnerCase):
    def test_it_is_the_plain_text_of_both_streams(self):
        result = self.run_script("import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)")
        self.assertEqual(sorted(result.stdout.split()), [b"err", b"out"])

    def test_it_is_at_most_1_mib(self):
        result = self.run_script("print('x' * 3000000)")
        self.assertEqual(len(result.bytes()), 3000001)
        self.assertLessEqual(len(result.stdout), 1 << 20)

    def test_nobody_reading_it_holds_nothing_up(self):
        process = self.start("for i in range(200000): print('%09d' % i)")
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(len(Result(self.read_log(), 0, b"", b"").bytes()), 2_000_000)

    def test_a_reader_that_went_away_changes_nothing(self):
        process = self.start("import time; time.sleep(0.2); print('x')")
        process.stdout.close()
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(Result(self.read_log(), 0, b"", b"").text(), "x\n")
