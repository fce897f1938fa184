"""What is measured while a script runs: kills for want of memory, and the size of its output."""

import os
from time import monotonic as clock


class OomKills:
    """How many processes of the runner's own cgroup the kernel's out-of-memory killer has taken."""

    def __init__(self):
        self.path = next((path for path in self._candidates() if self._read(path) is not None), None)
        self.before = self._count()

    @property
    def are_counted(self):
        return self.path is not None

    def since_start(self):
        return self._count() - self.before

    def _count(self):
        return self._read(self.path) or 0 if self.path else 0

    @staticmethod
    def _candidates():
        """Where the counter may be: below the cgroup's path, or at the root, where a container sees its own."""
        try:
            with open("/proc/self/cgroup") as file:
                lines = [line.rstrip("\n").split(":", 2) for line in file]
        except OSError:
            return
        for _, controllers, path in lines:
            if "memory" in controllers.split(","):
                yield "/sys/fs/cgroup/memory%s/memory.oom_control" % path
                yield "/sys/fs/cgroup/memory/memory.oom_control"
            elif controllers == "":
                yield "/sys/fs/cgroup%s/memory.events" % path
                yield "/sys/fs/cgroup/memory.events"

    @staticmethod
    def _read(path):
        try:
            with open(path) as file:
                return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), None)
        except OSError:
            return None


def file_sizes(root):
    """Yields the apparent size of each regular file below `root`, 0 for all else; follows no link, minds no error."""
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(folder + "/" + entry.name)
                            yield 0
                        elif entry.is_file(follow_symlinks=False):
                            yield entry.stat(follow_symlinks=False).st_size
                        else:
                            yield 0
                    except OSError:
                        pass  # gone meanwhile
        except OSError:
            pass
        finally:
            os.close(fd)


class OutputMeter:
    """Measures a folder in slices, so that neither the script's output nor its share of the processor waits for it."""

    INTERVAL_SECONDS = 0.5
    SLICE_SECONDS = 0.02
    PAUSE_SHARE = 4  # it pauses this many times as long as it worked

    def __init__(self, root, max_bytes):
        self.root = root
        self.max_bytes = max_bytes
        self.next_at = clock() + self.INTERVAL_SECONDS
        self._begin()

    def _begin(self):
        self.sizes = file_sizes(self.root)
        self.total = 0

    def exceeds(self):
        """Measures for one slice; true once the files found in this walk exceed the limit."""
        began = now = clock()
        for size in self.sizes:
            self.total += size
            now = clock()
            if self.total > self.max_bytes:
                return True
            if now - began > self.SLICE_SECONDS:
                self.next_at = now + self.PAUSE_SHARE * (now - began)
                return False
        self.next_at = now + max(self.INTERVAL_SECONDS, self.PAUSE_SHARE * (now - began))
        self._begin()
        return False


def holds_at_least(root, min_bytes, seconds=1.0):
    """Whether the files below `root` add up to `min_bytes`, as far as that can be found out in the given time."""
    total, until = 0, clock() + seconds
    for size in file_sizes(root):
        total += size
        if total >= min_bytes or clock() > until:
            break
    return total >= min_bytes
