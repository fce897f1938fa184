"""The log back in its place, after a script that has put something else there: the runner is alone by then."""

import os
import stat

from .contract import KIB, LOG_FILE, SPOOL_DIR


def put_back(fd, max_bytes, deciding):
    """Makes certain that the log of this descriptor is `/spool/log`, and can be read; false where that is not possible.

    Of a log that the script has made larger than `max_bytes` the frames that decide are put there.
    """
    try:
        open_folder()
        status = os.fstat(fd)
        if not status.st_mode & stat.S_IRUSR:
            os.fchmod(fd, 0o644)
        if not is_at(LOG_FILE, status):
            replace_log(copied(fd, status.st_size) if status.st_size <= max_bytes else deciding)
        return True
    except OSError:
        return False


def open_folder():
    if os.stat(SPOOL_DIR).st_mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(SPOOL_DIR, stat.S_IRWXU)


def is_at(path, status):
    try:
        return os.path.samestat(os.lstat(path), status)
    except FileNotFoundError:
        return False


def replace_log(pieces):
    mark = os.urandom(8).hex()
    new, aside = ("%s.%s-%s" % (LOG_FILE, mark, name) for name in ("new", "aside"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(new, flags, 0o644)
    try:
        os.fchmod(fd, 0o644)  # the script may have given the folder an access list that new files begin with
        for piece in pieces:
            write_whole(fd, piece)
    finally:
        os.close(fd)
    try:
        # Whatever it is: a folder cannot be replaced, and one that the script has filled takes long to remove.
        os.rename(LOG_FILE, aside)
    except FileNotFoundError:
        pass
    os.rename(new, LOG_FILE)


def copied(fd, size):
    for offset in range(0, size, 64 * KIB):
        yield os.pread(fd, min(64 * KIB, size - offset), offset)


def write_whole(fd, data):
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
