"""The end of a script loses nothing: each of the scripts beside this file ends as with a plain `python -u script.py`.

They are kept in a folder for each kind, one behaviour each. A kind that is named as a library needs it. What this machine lacks
is run in the image that jobs run in, where there is one; all of it runs there with

    docker run --rm -e RUNNER_TEST_PRELOAD=geopandas,matplotlib.pyplot -v "$PWD":/r:ro py-exec:latest \\
        python3 -m unittest discover -s /r/runner-image/tests/end -t /r/runner-image

RUNNER_TEST_ENDS chooses kinds, comma separated.
"""

import concurrent.futures
import glob
import os
import re
import subprocess

from ..support import PYTHON, RUNNER_IMAGE, STDERR, STDOUT, tell, works
from ..worker.support import PRELOAD, WorkerCase

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
KINDS = os.environ.get("RUNNER_TEST_ENDS", ",".join(sorted(os.listdir(SCRIPTS)))).split(",")
MISSING = [kind for kind in ("h5py", "rasterio") if kind in KINDS and not works(PYTHON, "-c", "import " + kind)]
IMAGE = "py-exec:latest"
DIFFERENT = re.compile(r"0x[0-9a-f]+|pid=\d+")
# A module that tells when it is taken apart: by a weak reference of a library's, which no end has to heed. It outlives the
# module, and holds nothing of it.
TOLD = "taken apart\n"
TELLTALE = """
import os, sys, weakref

class Kept:
    pass

def tell(reference, write=os.write):
    write(2, b"taken apart\\n")

kept = Kept()
sys.telltale = weakref.ref(kept, type(tell)(tell.__code__, {}, "tell", tell.__defaults__))
"""


class TheEnd(WorkerCase):
    maxDiff = None

    def seen(self, code, stdout, stderr):
        files = {}
        for folder, _, names in os.walk(self.path("output")):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    files[os.path.relpath(file.name, self.path("output"))] = file.read()
        return {
            "code": code if code >= 0 else 128 - code,
            "stdout": DIFFERENT.sub("", stdout),
            "stderr": DIFFERENT.sub("", stderr),
            "files": files,
        }

    def compare(self, script):
        """Cold with plain Python, warm with a plain Python that has imported the same libraries before the script."""
        os.mkdir(self.path("site"))
        self.write("site", "sitecustomize.py", content="import " + PRELOAD)
        for run, imported in ((self.run_script, ""), (self.run_warm, self.path("site"))):
            plain = self.run_plain(script, PYTHONPATH=imported)
            expected = self.seen(plain.returncode, plain.stdout.decode(), plain.stderr.decode())
            self.clear()
            result = run(script)
            self.assertEqual(self.seen(result.code, result.text(STDOUT), result.text(STDERR)), expected, run.__name__)
            self.clear()
        self.assertEqual(self.said["failed"], [])

    def compare_apart(self, path):
        own = TheEnd()
        own.setUp()
        try:
            with open(path) as file:
                own.compare(file.read())
        finally:
            own.doCleanups()

    def test_every_kind_of_script(self):
        for kind in MISSING:
            tell("SKIPPED", "ends of scripts that use %s, which is not here" % kind)
        wanted = [kind for kind in KINDS if kind not in MISSING]
        paths = [path for kind in wanted for path in sorted(glob.glob(os.path.join(SCRIPTS, kind, "*.py")))]
        self.assertGreaterEqual(len(paths), 4 * len(wanted))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for path, future in [(path, pool.submit(self.compare_apart, path)) for path in paths]:
                with self.subTest(os.path.relpath(path, SCRIPTS)):
                    future.result()

    def test_what_is_missing_here_in_the_image(self):
        if MISSING and not works("docker", "image", "inspect", IMAGE):
            self.skipTest(tell("SKIPPED", "these in %s, which needs a Docker engine that has it" % IMAGE))
        if MISSING:
            packed = subprocess.run(["tar", "c", "-C", RUNNER_IMAGE, "."], stdout=subprocess.PIPE, check=True).stdout
            variables = {"RUNNER_TEST_ENDS": ",".join(MISSING), "RUNNER_TEST_PRELOAD": "geopandas,matplotlib.pyplot"}
            test = "python3 -m unittest tests.end.test_end.TheEnd.test_every_kind_of_script"
            ran = subprocess.run(
                ["docker", "run", "--rm", "-i"]
                + ["--env=%s=%s" % each for each in variables.items()]
                + [IMAGE, "sh", "-c", "mkdir /tmp/r && cd /tmp/r && tar x && " + test],
                input=packed,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            said = ran.stdout.decode()
            self.assertEqual(ran.returncode, 0, said)
            lacking = [kind for kind in MISSING if "SKIPPED runner: ends of scripts that use %s" % kind in said]
            for kind in lacking:
                tell("SKIPPED", "ends of scripts that use %s, which %s lacks, too: build it anew" % (kind, IMAGE))
            used = [kind for kind in MISSING if kind not in lacking]
            tell("USED", "%s for ends of scripts that use %s" % (IMAGE, ", ".join(used)))


class TheQuickEnd(WorkerCase):
    """Whether modules are taken apart is told by one that a library of the test's own is."""

    def setUp(self):
        super().setUp()
        self.module("telltale", TELLTALE)

    def is_taken_apart(self, script, warm):
        result = self.run_warm(script, "telltale," + PRELOAD) if warm else self.run_script("import telltale\n" + script)
        self.assertEqual(result.code, 0, result.text(STDERR))
        self.clear()
        return TOLD in result.text(STDERR)

    def assert_end(self, script, is_taken_apart):
        for warm in (False, True):
            with self.subTest(script, warm=warm):
                self.assertEqual(self.is_taken_apart(script, warm), is_taken_apart)

    def test_nothing_is_taken_apart_for_an_ordinary_script(self):
        self.assert_end("print('done')", False)
        self.assert_end("import sys\nsys.exit()", False)
        self.assert_end(ORDINARY, False)

    def test_all_is_taken_apart_where_something_has_an_end(self):
        for script in (
            "class C:\n    def __del__(self): pass\nimport json\njson.kept = C()",
            "kept = open('left.txt', 'w')",
            "import warnings\nwarnings.simplefilter('always')",
        ):
            self.assert_end(script, True)

    def test_a_library_with_an_end_of_its_own_has_it_in_a_worker_too(self):
        self.module("ending", "class C:\n    def __del__(self): print('gone')\nkept = C()")
        result = self.run_warm("print('done')", "ending")
        self.assertEqual(result.text(), "done\ngone\n")

    def test_a_library_of_c_that_nobody_has_looked_through_is_taken_apart(self):
        self.module("unknown", "__file__ = '/somewhere/unknown.so'")
        self.assert_end("import unknown", True)
        result = self.run_warm("print('done')", "telltale,unknown")
        self.assertIn(TOLD, result.text(STDERR))

    def test_an_interrupted_look_leaves_the_end_to_python(self):
        broken = self.changed_runner("    kept.append(kept)", "    raise KeyboardInterrupt")
        self.module("telltale", TELLTALE)
        result = self.run_script("import telltale\nprint('done')", runner=broken)
        self.assertEqual((result.code, result.text(), result.text(STDERR)), (0, "done\n", TOLD))

    def test_objects_that_are_too_many_to_list_are_not_looked_at(self):
        few = self.changed_runner("MOST_OBJECTS = 3_000_000", "MOST_OBJECTS = 1000")
        result = self.run_script("import telltale\nprint('done')", runner=few)
        self.assertEqual((result.code, result.text(), result.text(STDERR)), (0, "done\n", TOLD))


ORDINARY = """
import asyncio, collections, csv, io, json, logging, random, threading, weakref

class Point:
    def __init__(self, x):
        self.x, self.itself = x, self

async def main():
    await asyncio.sleep(0)

def numbers():
    yield 1

logging.basicConfig(filename="ordinary.log")
logging.warning("told")
with open("rows.csv", "w") as file:
    csv.writer(file).writerow([1, 2])
unread = open("rows.csv")
points = [Point(n) for n in range(100)]
cache = weakref.WeakValueDictionary(first=points[0])
memory = io.StringIO()
asyncio.run(main())
thread = threading.Thread(target=len, args=("",))
thread.start()
lazy = numbers()
print(json.dumps(random.random() < 2))
"""
