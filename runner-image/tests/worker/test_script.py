"""Runs every script twice, cold and in a worker, and compares all that can be seen of it."""

import concurrent.futures
import glob
import os
import re
import shutil

from ..support import RUNNER_IMAGE, OUTPUT, PATIENCE_SECONDS, PYTHON, STDERR, STDOUT, tell, works
from .compared_scripts import ERRORS_AND_ENDS, HOSTILE, HOW, MULTIPROCESSING, PROBE
from .support import PRELOAD, WorkerCase

FIXTURES = os.path.join(RUNNER_IMAGE, "..", "test", "fixtures", "scripts")
EXAMPLES = os.path.join(RUNNER_IMAGE, "..", "examples")
DIFFERENT = re.compile(r"0x[0-9a-f]+|\nExtension modules: .*\n")
STREAMS = {"stdout": STDOUT, "stderr": STDERR}
SEEN = ("exitCode", "signal", "timedOut", "stopped", "diskExceeded", "oomKills", "droppedBytes")


class ColdAndWarm(WorkerCase):
    maxDiff = None

    def seen(self, result, change):
        """All that is to be the same of two runs: not addresses, nor the modules that faulthandler lists."""
        kinds = [frame.kind for frame in result.frames]
        return {
            "code": result.code,
            "shape": (kinds[0], set(kinds[1:-1]) - {OUTPUT}, kinds[-1]),
            **{name: change(DIFFERENT.sub("", result.text(stream))) for name, stream in STREAMS.items()},
            **{name: result.ended[name] for name in SEEN},
            "outputs": None if result.ended["diskExceeded"] else self.outputs(),
        }

    def outputs(self):
        """Names and sizes of all that a run left: contents may name the time."""
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(self.path("output")) for name in names]
        return sorted((path, os.lstat(path).st_size) for path in paths)

    def assert_same(self, script, preload=PRELOAD, prefix=(), change=lambda text: text):
        self.clear()  # of what a failure has left, too
        cold = self.seen(self.finish(self.start(script, prefix=prefix)), change)
        self.clear()
        result = self.run_warm(script, preload, prefix=prefix)
        warm, self.complaints = self.seen(result, change), result.stderr.decode()
        self.clear()
        self.assertEqual(self.said["failed"], [])
        if len(cold["stdout"]) > 100_000:
            self.assertTrue(cold["stdout"] == warm["stdout"])  # a difference would take minutes to show
            cold["stdout"] = warm["stdout"] = ""
        self.assertEqual(warm, cold)
        return cold

    def test_everything_that_a_script_can_observe(self):
        self.order["env"] = {"NAME": "välue", "EMPTY": ""}
        self.order["limits"] = {"addressSpaceBytes": 1 << 40, "processes": 5000, "openFiles": 99}
        self.environ.update(SECRET="of the server", FROM_IMAGE="yes", RUNNER_PASS_ENV="FROM_IMAGE,PYTHONPATH")
        said = self.assert_same(PROBE)
        self.assertNotIn("SECRET", said["stdout"])
        self.assertIn("'NAME': 'välue'", said["stdout"])

    def test_everything_after_an_import_that_changes_whatever_it_can(self):
        self.module("hostile", HOSTILE)
        self.environ.update(TZ="EST5EDT", RUNNER_PASS_ENV="TZ")
        self.assert_same(PROBE, "hostile")
        self.assertEqual(self.complaints, "left over of the importleft over of C")

    def test_errors_and_ends(self):
        def compare(own, script):
            own.assert_same(script)
            own.assertEqual(own.complaints, "")

        self.assert_each(ERRORS_AND_ENDS, compare)

    def test_multiprocessing_finds_the_script_and_its_own_start_method(self):
        self.module("starts", "import multiprocessing\nmultiprocessing.set_start_method('spawn')")
        self.assert_same(MULTIPROCESSING, PRELOAD + ",starts")

    def test_a_signal_reaches_the_script(self):
        self.order.update(timeoutSeconds=2.5, graceSeconds=60)
        self.assert_same(
            """
            import signal, sys, time
            signal.signal(signal.SIGTERM, lambda number, frame: (print("got", number), sys.exit(6)))
            signal.signal(signal.SIGUSR1, lambda number, frame: print("got", number))
            signal.raise_signal(signal.SIGUSR1)
            while True: time.sleep(60)
            """
        )

    def test_every_fixture(self):
        paths = sorted(glob.glob(os.path.join(FIXTURES, "*.py")))
        self.assertGreater(len(paths), 30)
        names = [os.path.basename(path)[: -len(".py")] for path in paths]
        names = [name for name in names if not name.startswith("tampers-")]  # below
        possible = [name for name in names if HOW.get(name, {}).get("possible", True)]
        for name in sorted({*names} - {*possible}):
            tell("SKIPPED", "the fixture %s cold and warm, which needs what this user may not do" % name)

        def compare(own, name):
            how = HOW.get(name, {})
            own.order.update(how.get("order", {}))
            how = {key: value for key, value in how.items() if key in ("prefix", "change")}
            with open(os.path.join(FIXTURES, name + ".py"), "rb") as file:
                own.assert_same(file.read(), **how)

        self.assert_each(possible, compare)

    def assert_each(self, cases, compare):
        """Compares each in folders of its own, a few at the same time: most of it is waiting."""

        def compare_apart(case):
            own = ColdAndWarm()
            own.setUp()
            try:
                compare(own, case)
            finally:
                own.doCleanups()

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for case, future in [(case, pool.submit(compare_apart, case)) for case in cases]:
                with self.subTest(case):
                    future.result()

    def test_scripts_that_damage_their_log_end_alike(self):
        for path in glob.glob(os.path.join(FIXTURES, "tampers-*.py")):
            with self.subTest(path), open(path, "rb") as file:
                self.order["env"] = {"RUNNER_SPOOL_DIR": self.path("spool")}
                script = file.read()
                cold = self.start(script)
                ends = [(cold.wait(PATIENCE_SECONDS), os.path.islink(self.path("spool", "log")))]
                self.clear()
                warm = self.start_worker(PRELOAD)
                self.ready()
                self.hand_over(script)
                ends.append((warm.wait(PATIENCE_SECONDS), os.path.islink(self.path("spool", "log"))))
                self.clear()
                self.assertEqual(ends[0], ends[1])

    def test_every_example_whose_libraries_are_there(self):
        ran = 0
        for folder in sorted(glob.glob(os.path.join(EXAMPLES, "*", ""))):
            with open(folder + "script.py", "rb") as file:
                script = file.read()
            wanted = re.findall(rb"^(?:import|from) (pandas|geopandas|folium|matplotlib)", script, re.M)
            if not works(PYTHON, "-c", "import os;" + "".join("import %s;" % name.decode() for name in wanted)):
                continue
            shutil.rmtree(self.path("input"))
            os.mkdir(self.path("input"))
            self.write("input", "request.json", content="null")
            if os.path.isdir(folder + "input"):
                shutil.copytree(folder + "input", self.path("input"), dirs_exist_ok=True)
            if os.path.exists(folder + "request.json"):
                shutil.copy(folder + "request.json", self.path("input"))
            with self.subTest(folder):
                self.assert_same(script)
                ran += 1
        self.assertGreaterEqual(ran, 3)
