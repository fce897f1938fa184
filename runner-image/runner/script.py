"""The script's process: forked from the runner, and made to look like a fresh `python -u script.py`."""

import _signal as signal
import builtins
import os
import resource
import sys

from .contract import (
    EXIT_RUNNER_FAILED,
    INPUT_DIR,
    JOB_DIR,
    OUTPUT_DIR,
    REQUEST_FILE,
    SCRIPT_FILE,
    START_UP_VARIABLES,
    STDERR,
    STDOUT,
)
from .end import prepare_end
from .libc import PR_SET_PDEATHSIG, libc_function
from .pipes import Pipe
from .shield import shield


def base_environment():
    """What every script of this image gets, built from empty."""
    home = os.environ.get("HOME", "/tmp")
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "MPLCONFIGDIR": os.path.join(home, ".matplotlib"),
    }
    for name in os.environ.get("RUNNER_PASS_ENV", "").split(","):
        if name in os.environ:
            env[name] = os.environ[name]
    return env


def script_environment(base, order, secrets):
    """The whole environment of the script."""
    env = dict(base)
    env.update(order.env)
    env.update(secrets)
    env.update(
        JOB_ID=order.job_id,
        INPUT_DIR=INPUT_DIR,
        OUTPUT_DIR=OUTPUT_DIR,
        REQUEST_PATH=REQUEST_FILE,
    )
    return env


def become_clean_process(stdout, stderr, keep):
    """Takes this fork out of the runner's session and gives it back what a new process has.

    `keep` are the descriptors that stay open besides 0, 1 and 2.
    """
    os.setsid()
    shield(os.getppid())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in keep:
            try:
                os.close(fd)
            except OSError:
                pass  # the descriptor of the listing itself
    for number in signal.valid_signals():
        if number not in (signal.SIGPIPE, signal.SIGXFSZ) and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if os.getppid() != 1:
        libc_function("prctl")(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # so that the kernel spares the runner, which has to tell what happened
    except OSError:
        pass


def replace_environment(env):
    """Makes `env` the environment of this process, for Python, for C and for /proc."""
    os.environ.clear()
    os.environ.update(env)
    try:
        # The fork has the runner's environment in the place that /proc/self/environ shows.
        with open("/proc/self/stat", "rb") as file:
            start, end = map(int, file.read().rpartition(b")")[2].split()[47:49])
        with open("/proc/self/mem", "r+b", buffering=0) as file:
            file.seek(start)
            file.write(bytes(end - start))
    except (OSError, ValueError, OverflowError):
        pass


def link_font_list(env):
    """Lets matplotlib find the image's font list in its folder, which has to be writable and so begins empty."""
    source = os.environ.get("RUNNER_MPL_CACHE")
    if source:
        try:
            os.makedirs(env["MPLCONFIGDIR"], exist_ok=True)
            for name in os.listdir(source):
                os.symlink(os.path.join(source, name), os.path.join(env["MPLCONFIGDIR"], name))
        except OSError:
            pass  # a slower import, nothing worse


def limit_resources(rlimits):
    for kind, value in rlimits.items():
        if value is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))


def prepare_script(order, env):
    """Sets up the forked process for one order; returns (path, namespace) of the script to run."""
    link_font_list(env)
    os.chdir(OUTPUT_DIR)
    replace_environment(env)
    limit_resources(order.rlimits)
    return become_script_module()


def become_script_module():
    """Makes `__main__`, in which the loader runs, what a script finds in it; returns the script's path and namespace.

    It is not another module, because the interpreter holds this one: when the script is over it deletes `__file__` from
    it, and it is this one that its end takes apart.
    """
    from _frozen_importlib_external import SourceFileLoader  # importlib.machinery imports 0.7 ms of more

    namespace = sys.modules["__main__"].__dict__
    namespace.clear()
    namespace.update(
        __name__="__main__",
        __doc__=None,
        __package__=None,
        __loader__=SourceFileLoader("__main__", SCRIPT_FILE),
        __spec__=None,
        __annotations__={},
        __builtins__=builtins,
        __file__=SCRIPT_FILE,
        __cached__=None,
    )
    sys.argv = [SCRIPT_FILE]
    sys.path[0] = JOB_DIR
    sys.path_importer_cache.pop(JOB_DIR, None)  # a worker may have looked before there was anything
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = [sys.executable, "-u", SCRIPT_FILE]
    return SCRIPT_FILE, namespace


def compile_script():
    with open(SCRIPT_FILE, "rb") as file:
        return compile(file.read(), SCRIPT_FILE, "exec", dont_inherit=True)


def hide_runner_frames():
    """Makes the traceback that is about to be shown start at the script's own frames."""
    show = sys.excepthook

    def show_script_frames(kind, error, traceback):
        while traceback and traceback.tb_frame.f_code.co_filename != SCRIPT_FILE:
            traceback = traceback.tb_next
        show(kind, error.with_traceback(traceback), traceback)

    sys.excepthook = show_script_frames


class ScriptChild:
    """The script's process and the pipes between it and the runner; both have this object after the fork."""

    def __init__(self):
        self.pid = None  # 0 in the script's process

    def fork(self):
        """Returns true in the script's process."""
        self.pipes = Pipe(STDOUT), Pipe(STDERR)
        self.ready, self.script_ready = os.pipe()
        self.script_go, self.go = os.pipe()
        script_ends = self.script_ready, self.script_go, self.pipes[0].script_end, self.pipes[1].script_end
        self.pid = os.fork()
        if self.pid:
            for fd in script_ends:
                os.close(fd)
        return self.pid == 0

    def close(self):
        for fd in (self.ready, self.go, self.pipes[0].fd, self.pipes[1].fd):
            os.close(fd)


def script_process(child, order, secrets):
    """The forked child up to the script's first line; returns (path, namespace) once the runner says go.

    Nothing may be in this process's memory that the script must not see: it can read all of it.
    """
    try:
        stdout, stderr = (pipe.script_end for pipe in child.pipes)
        become_clean_process(stdout, stderr, keep=(child.script_ready, child.script_go))
        script = prepare_script(order, script_environment(base_environment(), order, secrets))
    except BaseException as error:
        give_up(child, error)
    await_go(child, prepare_end)
    if any(name.startswith(START_UP_VARIABLES) for name in (*order.env, *secrets)):
        os.execv(sys.executable, [sys.executable, "-u", script[0]])
    return script


def give_up(child, error):
    os.write(child.script_ready, ("%s: %s" % (type(error).__name__, error)).encode("utf-8", "backslashreplace"))
    os._exit(EXIT_RUNNER_FAILED)


def await_go(child, meanwhile=None):
    """Tells the runner that the script may begin and waits for its word, which takes about as long as `meanwhile`."""
    os.write(child.script_ready, b"\0")
    os.close(child.script_ready)
    if meanwhile:
        meanwhile()
    if not os.read(child.script_go, 1):  # the runner is gone
        os._exit(EXIT_RUNNER_FAILED)
    os.close(child.script_go)
