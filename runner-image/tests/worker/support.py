"""Ways to start a worker, to give it a job, and to run the same job cold.

RUNNER_TEST_PRELOAD (modules, comma separated) chooses what the workers import ahead that are compared with a cold start, so
that an image's own libraries can be tried:

    docker run --rm -e RUNNER_TEST_PRELOAD=geopandas,matplotlib.pyplot -v "$PWD":/r:ro py-exec:latest \\
        python3 -m unittest discover -s /r/runner-image/tests/worker -t /r/runner-image
"""

import json
import os
import shutil
import subprocess
import textwrap

from ..support import PYTHON, RUNNER, RunnerCase, end, processes_with_environment

PRELOAD = os.environ.get("RUNNER_TEST_PRELOAD", "asyncio,concurrent.futures,ctypes,decimal,multiprocessing.pool,random")


class WorkerCase(RunnerCase):
    """Ways to start a worker, to give it a job, and to run the same job cold."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("library"))
        self.write("input", "request.json", content='{"count": 5, "intervalMs": 5}')
        self.environ.update(PYTHONPATH=self.path("library"), PYTHONDONTWRITEBYTECODE="1", RUNNER_WORKER="0")

    def module(self, name, source):
        self.write("library", name + ".py", content=textwrap.dedent(source))

    def start_worker(self, preload="", prefix=(), runner=RUNNER, **variables):
        process = subprocess.Popen(
            [*prefix, PYTHON, "-u", runner],
            env={**self.environ, "RUNNER_WORKER": "1", "RUNNER_PRELOAD": preload, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(end, process)
        return process

    def ready(self):
        """What the worker says once it waits."""
        path = self.path("spool", "ready")
        self.wait_for(lambda: os.path.exists(path), "the worker's readiness")
        with open(path) as file:
            return json.load(file)

    def hand_over(self, script, order=None):
        self.write("job", "script.py", content=textwrap.dedent(script) if isinstance(script, str) else script)
        self.write("job", "new", content=json.dumps(self.order if order is None else order))
        os.rename(self.path("job", "new"), self.path("job", "job.json"))

    def run_warm(self, script, preload=PRELOAD, **how):
        process = self.start_worker(preload, **how)
        self.said = self.ready()
        self.hand_over(script)
        return self.finish(process)

    def clear(self):
        """Makes the folders what they were, so that the next run finds the same paths."""
        for name in ("job", "output", "spool"):
            subprocess.run(["chmod", "-R", "u+rwX", self.path(name)], stderr=subprocess.DEVNULL)
            shutil.rmtree(self.path(name))
            os.mkdir(self.path(name))
            os.chmod(self.path(name), 0o777)

    def assert_nothing_ran(self, process, code, sentence):
        result = self.finish(process)
        self.assertEqual((result.code, result.log), (code, b""), result.stderr)
        self.assertRegex(result.stderr.decode(), sentence)
        self.assertEqual(os.listdir(self.path("output")), [])
        self.assertEqual(processes_with_environment(self.root), [])
