"""The stop file."""

import os
import time

from runner.stop import StopFile
from .support import RunnerCase


class TheStopFile(RunnerCase):
    def setUp(self):
        super().setUp()
        self.environ["RUNNER_STOP_FILE"] = self.path("stop")
        self.order["graceSeconds"] = 20

    STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"

    def test_it_stops_the_script_as_a_sigterm_does(self):
        process = self.start("import time; print('up', flush=True); time.sleep(60)")
        self.wait_for_text("up")
        self.write("stop", content="5\n")
        result = self.finish(process)
        self.assert_ended(result, signal=15, stopped=True, timedOut=False)
        self.assertEqual(result.code, 143)
        self.assertLess(result.ended["wallSeconds"], 60)

    def test_its_grace_takes_the_place_of_the_orders(self):
        process = self.start(self.STUBBORN)
        self.wait_for_text("up")
        self.write("stop", content="0.5\n")
        self.assert_ended(self.finish(process), signal=9, stopped=True)

    def test_a_grace_may_be_longer_than_the_orders(self):
        self.order["graceSeconds"] = 0
        script = "import signal, time; signal.signal(15, lambda *_: (time.sleep(0.6), print('done'), exit(3)))\n"
        process = self.start(script + "print('up', flush=True); time.sleep(60)")
        self.wait_for_text("up")
        self.write("stop", content="10\n")
        result = self.finish(process)
        self.assertEqual(result.text(), "up\ndone\n")
        self.assert_ended(result, exitCode=3, stopped=True)

    def test_a_later_number_makes_the_kill_earlier_and_never_later(self):
        process = self.start(self.STUBBORN)
        self.wait_for_text("up")
        began = time.monotonic()
        for text in ("3\n", "900\n", "300\n"):
            self.write("stop", content=text)
            time.sleep(0.4)
        self.assert_ended(self.finish(process), signal=9, stopped=True)
        self.assertLess(time.monotonic() - began, 120)
        os.unlink(self.path("spool", "log"))
        os.unlink(self.path("stop"))
        process = self.start(self.STUBBORN)
        self.wait_for_text("up")
        self.write("stop", content="300\n")
        time.sleep(0.4)
        self.write("stop", content="0\n")
        result = self.finish(process)
        self.assert_ended(result, signal=9, stopped=True)
        self.assertLess(result.ended["wallSeconds"], 120)

    def test_it_shortens_the_grace_after_the_deadline_too(self):
        self.order.update(timeoutSeconds=1.5, graceSeconds=600)
        process = self.start("import signal, time; signal.signal(15, lambda *_: print('got')); time.sleep(600)")
        self.wait_for_text("got")
        self.write("stop", content="0\n")
        result = self.finish(process)
        self.assert_ended(result, signal=9, stopped=False, timedOut=True)

    def test_what_is_no_number_asks_for_nothing(self):
        for text, expected in (
            *((text, None) for text in ("", "\n", "5", "-1\n", "nan\n", "inf\n", "1e1\n", "5 \n", " 5\n", ".\n", "1.2.3\n")),
            *((text, None) for text in ("x" * 100 + "\n5\n", "5" * 64 + "\n", b"\xff\n", "\n5\n")),
            *(("0\n", 0), ("7\n", 7), ("2.5\nand more", 2.5)),
        ):
            with self.subTest(text):
                self.write("stop", content=text)
                self.assertEqual(StopFile(self.path("stop")).look(), expected)

    def test_what_is_no_file_asks_for_nothing_and_holds_nothing_up(self):
        process = self.start("import time; print('up', flush=True); time.sleep(0.8)")
        self.wait_for_text("up")
        os.mkfifo(self.path("stop"))
        time.sleep(0.3)
        os.unlink(self.path("stop"))
        os.mkdir(self.path("stop"))
        self.assert_ended(self.finish(process), exitCode=0, stopped=False)

    def test_a_stop_before_the_start_ends_with_143_and_runs_nothing(self):
        self.write("stop", content="5\n")
        result = self.run_script("open('ran', 'w')")
        self.assertEqual((result.code, result.frames), (143, []))
        self.assertFalse(os.path.exists(self.path("output", "ran")))

    def test_waiting_for_it_costs_next_to_nothing(self):
        process = self.start("import time; print('up', flush=True); time.sleep(1.2)")
        self.wait_for_text("up")
        self.assert_sleeps(process)
        self.assert_ended(self.finish(process), exitCode=0)
