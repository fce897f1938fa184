"""The end of a script loses nothing: each of the scripts beside this file ends as with a plain `python -u script.py`.

They are kept in a folder for each kind, one behaviour each. A kind that is named as a library needs it; all of them run with

    docker run --rm -e RUNNER_TEST_PRELOAD=geopandas,matplotlib.pyplot -v "$PWD":/r:ro py-exec:latest \\
        python3 -m unittest discover -s /r/runner-image/tests/end -t /r/runner-image
"""

import concurrent.futures
import glob
import os
import re

from ..support import PYTHON, STDERR, STDOUT, tell, works
from ..worker.support import PRELOAD, WorkerCase

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
KINDS = sorted(os.listdir(SCRIPTS))
LIBRARIES = {"h5py", "rasterio"}
MISSING = {kind for kind in LIBRARIES if not works(PYTHON, "-c", "import " + kind)}
ADDRESS = re.compile(r"0x[0-9a-f]+")
# A module that tells when it is taken apart: by a reference of its own, which no end has to heed.
TOLD = "taken apart\n"
TELLTALE = """
import os, weakref

class Kept:
    pass

def tell(reference, write=os.write):
    write(2, b"taken apart\\n")

kept = Kept()
reference = weakref.ref(kept, tell)
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
            "stdout": ADDRESS.sub("", stdout),
            "stderr": ADDRESS.sub("", stderr),
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
        paths = sorted(glob.glob(os.path.join(SCRIPTS, "*", "*.py")))
        self.assertGreaterEqual(len(paths), 10 * 4)
        for kind in sorted(MISSING):
            tell("SKIPPED", "ends of scripts that use %s, which is not here" % kind)
        wanted = [path for path in paths if os.path.basename(os.path.dirname(path)) not in MISSING]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for path, future in [(path, pool.submit(self.compare_apart, path)) for path in wanted]:
                with self.subTest(os.path.relpath(path, SCRIPTS)):
                    future.result()
