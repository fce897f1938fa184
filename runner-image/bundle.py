"""Makes the runner one file of byte code:  python3 bundle.py TARGET

It is run as any script, `python3 -u TARGET`, by the version of Python that made it. Python would compile a source at every
start, and reading a package costs each job more than all that the runner does; one file costs neither, and can be handed
over as a descriptor.
"""

import ast
import importlib.util
import marshal
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "runner"
SHOWN_AS = "job_runner.py"  # the loader in tracebacks, where the modules have their paths in this folder


def bundle():
    """The content of the file: the loader with the modules in place of the constants that name them."""
    loader = compile_to_run(read("loader.py"), SHOWN_AS)
    modules = sorted(bundled_modules())
    places = {
        "the modules": tuple(each for each in modules if not is_of_worker(each)),
        "the modules of a worker": marshal.dumps(tuple(filter(is_of_worker, modules))),
        "the script": [],
    }
    constants = tuple(places.pop(each, each) if isinstance(each, str) else each for each in loader.co_consts)
    assert not places, "loader.py has no place for " + ", ".join(places)
    header = importlib.util.MAGIC_NUMBER + bytes(12)
    return header + marshal.dumps(loader.replace(co_consts=constants))


def is_of_worker(module):
    return module[0].startswith("worker.")


def bundled_modules():
    """(name, (names of the modules that it imports, its byte code)) of each module of the package."""
    for folder, _, files in os.walk(os.path.join(HERE, PACKAGE)):
        for file in files:
            if file.endswith(".py") and file != "__init__.py":
                path = os.path.relpath(os.path.join(folder, file), HERE)
                name = path[len(PACKAGE) + 1 : -len(".py")].replace(os.sep, ".")
                tree = ast.parse(read(path), path)
                yield name, (tuple(imported_modules(name, tree)), compile_to_run(tree, path))


def imported_modules(name, tree):
    """The modules of the package that this one imports, which must be there before it."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            folders = name.split(".")[: -node.level]
            yield ".".join([*folders, node.module])


def compile_to_run(source, path):
    """Without docstrings, which each job would load."""
    return compile(source, path, "exec", dont_inherit=True, optimize=2)


def read(path):
    with open(os.path.join(HERE, path), encoding="utf-8") as file:
        return file.read()


if __name__ == "__main__":
    content = bundle()
    with open(sys.argv[1], "wb") as target:
        target.write(content)
