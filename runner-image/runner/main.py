"""The runner: runs one job's script and leaves everything that can be known about it in files.

It reads the order, runs the script as `__main__` in a forked child, and appends what it prints to the log as frames.
Deadline, log limit and disk limit hold here, so that a job needs no server while it runs. The contract, with folders,
frames and exit codes, is docs/runner-contract.md.

Two processes:

* the *script's process* is forked as early as possible, makes itself look like a fresh `python -u script.py`, and waits
  for the go byte.
* the *runner* hides itself, waits until the network is closed where it is told to, writes `started`, gives the go byte,
  and from then on only waits: one thread, one `select` over two pipes and a signalfd.

As a *worker* (RUNNER_WORKER=1) it does the same with a pause in the middle: the script's process is forked before there
is an order, imports libraries ahead, and is told the order when it comes.

Every job pays for what is imported: `signal`, `json` and `subprocess` would each add 5 to 8 ms to its start. The modules of
the package import each other at their top alone, since loader.py takes them away before `main` runs.
"""

import _signal as signal
import os

from .complain import complain
from .contract import EXIT_RUNNER_FAILED, Refusal
from .script import ScriptChild, compile_script, hide_runner_frames
from .signals import HANDLED_SIGNALS, kill_tree, reap_all


def main(start):
    """Runs the job and never returns in the runner.

    `start(child)` is `cold_start` or `warm_start`. In the script's process returns two functions for the loader: one for an error
    of the script, and one, the last, that compiles it.
    """
    # First of all: a signal that comes before this is lost to a PID 1, one that comes after it waits for the signalfd.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = ScriptChild()
    try:
        result = start(child)
        if child.pid == 0:
            return hide_runner_frames, compile_script
        os._exit(result)
    except Refusal as refusal:
        exit_code = refusal.exit_code
        complain(refusal)
    except BaseException as error:
        exit_code = EXIT_RUNNER_FAILED
        complain("%s: %s" % (type(error).__name__, error))
    if child.pid:
        kill_tree(child.pid, reap_all)
    os._exit(exit_code)
