import contextlib


@contextlib.contextmanager
def written(name):
    with open(name, "w") as file:
        yield file


manager = written("left.txt")
file = manager.__enter__()
file.write("inside")
