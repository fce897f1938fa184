"""The program of the bundle: makes the runner's modules from the byte code in it, and runs the script.

The modules are in `sys.modules` only while they import each other, under names that no other module can have: neither a
script nor what a worker imports ahead finds a trace of them. They are made here and not by the machinery of imports, which
would cost each job half a millisecond.
"""

import os
import sys
from marshal import loads

# bundle.py puts them here: (name, (names of the modules that it imports, its byte code)) of each.
MODULES = dict("the modules")
WORKER_MODULES = "the modules of a worker"  # the same, marshalled: other jobs do not even read them
PACKAGE = "<runner>"


def load_main():
    """The function that runs the job, with the way to begin that the environment asks for."""
    modules = {}
    if os.environ.get("RUNNER_WORKER") == "1":
        MODULES.update(loads(WORKER_MODULES))
        start = load("worker.wait", modules).warm_start
    else:
        start = load("cold", modules).cold_start
    main = load("main", modules).main
    for name in modules:
        del sys.modules[full_name(name)]
    return lambda: main(start)


def load(name, modules):
    """The module of this name, made after those that it imports."""
    if name not in modules:
        imported, code = MODULES[name]
        for each in imported:
            load(each, modules)
        module = modules[name] = sys.modules[full_name(name)] = type(sys)(full_name(name))
        module.__package__ = module.__name__.rpartition(".")[0]
        exec(code, module.__dict__)
    return modules[name]


def full_name(name):
    return PACKAGE + "." + name


# At the top level, so that a single frame is below the script's, and the interpreter's own end does the rest. This module is
# the script's by then: the one place that is left is a constant, which bundle.py makes a list.
"the script".extend(load_main()())
try:
    exec("the script".pop()())
except:  # of any kind: a name here could be one of the script's
    "the script".pop()()
    raise
