"""The script finds itself in what plain Python would give it."""

import json
import os
import resource
import shutil
import signal
import sys

from .support import STDERR, STDOUT, RunnerCase


class TheScript(RunnerCase):
    """What the script sees, compared with a plain `python -u script.py` wherever that is possible."""

    def assert_same_as_plain(self, script):
        plain = self.run_plain(script)
        result = self.run_script(script)
        self.assertEqual(result.text(STDERR), plain.stderr.decode())
        self.assertEqual(result.text(STDOUT), plain.stdout.decode())
        self.assertEqual(result.code, plain.returncode if plain.returncode >= 0 else 128 - plain.returncode)
        if plain.returncode >= 0:
            self.assert_ended(result, exitCode=plain.returncode, signal=None)
        else:
            self.assert_ended(result, exitCode=None, signal=-plain.returncode)
        shutil.rmtree(self.path("spool"))
        os.mkdir(self.path("spool"))

    def test_errors_look_and_end_as_they_do_in_plain_python(self):
        for script in (
            "def f():\n    return {}['x']\nf()",
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e",
            "try:\n    1 / 0\nexcept ZeroDivisionError:\n    [][1]",
            "import json\njson.loads('{')",
            "print('a')\ndef broken(:\n    pass",
            "x = 1\n  y = 2",
            "print('unterminated",
            "raise SystemExit('text')",
            "raise KeyboardInterrupt",
            "import sys\nsys.exit()",
            "import sys\nsys.exit(3)",
            "import sys\nsys.exit(256 + 7)",
            "import sys\nsys.exit(-1)",
            "import sys\nsys.exit([1, 'list'])",
            "import os\nos._exit(9)",
            "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
            "import os\nos.abort()",
            "import sys\nsys.excepthook = lambda *e: print('hook', e[0].__name__, e[2].tb_lineno, e[2].tb_next)\n1 / 0",
            "class E(Exception):\n    def __str__(self):\n        1 / 0\nraise E",
            "import warnings\nwarnings.warn('old', DeprecationWarning)",
            "import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()",
            "import threading\nthreading.Thread(target=lambda: 1 / 0, name='t').start()",
            "raise ExceptionGroup('g', [ValueError(1), KeyError(2)])" if sys.version_info >= (3, 11) else "1 / 0",
            "# -*- coding: latin-1 -*-\nprint('ok')",
        ):
            with self.subTest(script):
                self.assert_same_as_plain(script)

    def test_the_end_of_the_interpreter_is_pythons_own(self):
        for script in (
            "import atexit\natexit.register(print, 'last')\nprint('first')",
            "import atexit, sys\natexit.register(print, 'last')\nsys.exit(4)",
            "import atexit\natexit.register(print, 'last')\n1 / 0",
            "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\nprint('main')",
            "class C:\n    def __del__(self):\n        print('deleted')\nkept = C()",
        ):
            with self.subTest(script):
                self.assert_same_as_plain(script)

    def test_the_module_looks_as_it_does_in_plain_python(self):
        self.assert_same_as_plain(
            """
            import sys, os, signal, inspect
            import __main__
            print(sorted(k for k in globals() if k.startswith("__")), __name__, __file__, __spec__, __package__, __doc__)
            print(type(__builtins__), type(__loader__), __loader__.path, __annotations__, __main__.__dict__ is globals())
            print(sys.argv, sys.path, os.getcwd(), sys.stdin.read())
            print(sys.stdout.encoding, sys.stdout.errors, sys.stdout.write_through, sys.stderr.encoding, sys.stderr.errors)
            print(sys.flags, sys.orig_argv[1:] if hasattr(sys, "orig_argv") else 0)
            print([(s, signal.getsignal(s)) for s in signal.valid_signals()], signal.pthread_sigmask(signal.SIG_BLOCK, []))
            print(sorted(map(int, os.listdir("/proc/self/fd")))[:-1])
            def f(): pass
            print(inspect.getsource(f), f.__module__)
            """
        )

    def test_multiprocessing_works_with_every_start_method(self):
        result = self.run_script(
            """
            import multiprocessing, os

            def work(number):
                return number * 2

            if __name__ == "__main__":
                for method in ("fork", "spawn", "forkserver"):
                    with multiprocessing.get_context(method).Pool(2) as pool:
                        print(method, pool.map(work, [1, 2]))
            """
        )
        self.assertEqual(result.text(), "fork [2, 4]\nspawn [2, 4]\nforkserver [2, 4]\n", result.text(STDERR))

    def test_it_has_a_session_of_its_own_and_is_an_ordinary_process(self):
        result = self.run_script(
            """
            import os
            print(os.getsid(0) == os.getpid() == os.getpgid(0), os.stat("/proc/self/maps").st_uid == os.getuid())
            print(open("/proc/self/oom_score_adj").read().strip(), len(open("/proc/self/maps").read()) > 100)
            """
        )
        self.assertEqual(result.text(), "True True\n1000 True\n")

    def test_its_environment_is_built_from_empty(self):
        self.environ.update(SECRET="of the server", FROM_IMAGE="yes", OTHER="no", RUNNER_PASS_ENV="FROM_IMAGE,ABSENT")
        self.order["env"] = {"NAME": "välue=1", "EMPTY": "", "JOB_ID": "not this", "MPLCONFIGDIR": "/mine"}
        result = self.run_script(
            """
            import json, os, subprocess
            print(json.dumps(dict(os.environ)))
            print(subprocess.run(["env"], stdout=subprocess.PIPE).stdout.decode().count("\\n"), len(os.environ))
            print("SECRET" in open("/proc/self/environ").read())
            """
        )
        first, counts, leaked = result.text().splitlines()
        self.assertEqual(
            json.loads(first),
            {
                "PATH": os.environ["PATH"],
                "HOME": self.root,
                "LANG": "C.UTF-8",
                "PYTHONUNBUFFERED": "1",
                "MPLCONFIGDIR": "/mine",
                "JOB_ID": "job-1",
                "INPUT_DIR": self.path("input"),
                "OUTPUT_DIR": self.path("output"),
                "REQUEST_PATH": self.path("input", "request.json"),
                "FROM_IMAGE": "yes",
                "NAME": "välue=1",
                "EMPTY": "",
            },
        )
        self.assertEqual(len(set(counts.split())), 1)
        self.assertEqual(leaked, "False")

    def test_variables_that_only_a_new_interpreter_reads_are_honoured(self):
        os.mkdir(self.path("library"))
        self.write("library", "mine.py", content="print('mine')")
        self.order["env"] = {"PYTHONPATH": self.path("library"), "PYTHONWARNINGS": "error", "TZ": "Asia/Tokyo"}
        result = self.run_script(
            """
            import mine, os, sys, time
            print(sys.warnoptions, time.localtime(0).tm_hour, sorted(os.listdir("/proc/self/fd")), os.getcwd(), sys.argv)
            1 / 0
            """
        )
        where, script = self.path("output"), self.path("job", "script.py")
        self.assertEqual(result.text(), "mine\n['error'] 9 ['0', '1', '2', '3'] %s %s\n" % (where, [script]))
        self.assertTrue(result.text(STDERR).endswith("ZeroDivisionError: division by zero\n"))
        self.assert_ended(result, exitCode=1)

    def test_the_font_list_of_the_image_is_linked_into_a_writable_folder(self):
        os.mkdir(self.path("fonts"))
        self.write("fonts", "fontlist.json", content="fonts")
        self.environ["RUNNER_MPL_CACHE"] = self.path("fonts")
        result = self.run_script(
            """
            import os
            folder = os.environ["MPLCONFIGDIR"]
            assert folder == os.environ["HOME"] + "/.matplotlib"
            print(open(folder + "/fontlist.json").read(), os.access(folder, os.W_OK))
            """
        )
        self.assertEqual(result.text(), "fonts True\n")

    def test_limits_are_set_on_the_script_alone(self):
        self.order["maxOutputBytes"] = 12345678
        self.order["limits"] = {"addressSpaceBytes": 1 << 32, "processes": 5000, "openFiles": 64}
        result = self.run_script(
            """
            import os, resource as r
            print([r.getrlimit(k) for k in (r.RLIMIT_FSIZE, r.RLIMIT_CORE, r.RLIMIT_AS, r.RLIMIT_NPROC, r.RLIMIT_NOFILE)])
            print(open("/proc/%d/limits" % os.getppid()).read().partition("Max file size")[2].split()[:2])
            """
        )
        expected = [(12345678,) * 2, (0, 0), (1 << 32,) * 2, (5000,) * 2, (64,) * 2]
        self.assertEqual(result.text(), "%s\n['unlimited', 'unlimited']\n" % expected, result.text(STDERR))

    def test_a_limit_above_the_hard_one_is_lowered_to_it(self):
        self.order["limits"] = {"openFiles": 1 << 20}

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))

        result = self.run_script("import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE))", preexec_fn=limit)
        self.assertEqual(result.text(), "(200, 200)\n")

    def test_a_runner_started_with_ignored_and_blocked_signals_does_not_hand_them_on(self):
        def ignore():
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])

        result = self.run_script(
            """
            import signal
            print([signal.getsignal(s) for s in (signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM)])
            print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
            """,
            preexec_fn=ignore,
        )
        self.assertRegex(result.text(), r"SIG_DFL.*default_int_handler.*SIG_DFL.*SIG_DFL.*\nset\(\)\n")
        self.assert_ended(result, exitCode=0)
