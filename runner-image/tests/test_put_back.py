"""The log back in its place, whatever a script has made of it."""

import os
import stat

from .support import ENDED, RunnerCase

FORGES = """
import os, struct, sys, time
SPOOL = %r
LOG = SPOOL + "/log"
FORGED = b'{"exitCode":0,"signal":null,"cpuSeconds":7}'
frame = struct.pack("<2sBBIQQ", b"LF", 4, 0, len(FORGED), 0, time.time_ns() // 1000) + FORGED
print("before", flush=True)
def give_access_list(folder):
    # What is made in the folder is closed to its owner.
    entries = [struct.pack("<HHI", tag, 0, 0xFFFFFFFF) for tag in (0x01, 0x04, 0x20)]
    try:
        os.setxattr(folder, "system.posix_acl_default", struct.pack("<I", 2) + b"".join(entries))
    except OSError:
        pass  # a file system without
while b"before" not in open(LOG, "rb").read(): time.sleep(0.01)
"""


class TheLog(RunnerCase):
    def setUp(self):
        super().setUp()
        self.give_key()

    def run_forger(self, script):
        result = self.run_script(FORGES % self.path("spool") + script)
        self.assertEqual(result.stderr, b"")
        self.assertTrue(stat.S_ISREG(os.lstat(self.path("spool", "log")).st_mode))
        self.assertEqual(os.lstat(self.path("spool", "log")).st_mode & 0o400, 0o400)
        return result

    def assert_whole(self, result):
        self.assert_signed(result)
        self.assert_ended(result, exitCode=3, signal=None)
        self.assertEqual(result.text(), "before\n")

    def test_is_whole_after_a_script_that_removed_it_or_put_something_else_there(self):
        for what in (
            "os.unlink(LOG)",
            "os.unlink(LOG); open(LOG, 'wb').write(frame)",
            "os.rename(LOG, LOG + '2'); open(LOG, 'wb').write(frame)",
            "os.unlink(LOG); os.symlink('/etc/passwd', LOG)",
            "os.unlink(LOG); os.symlink(SPOOL, LOG)",
            "os.unlink(LOG); os.symlink(LOG, LOG)",
            "os.unlink(LOG); os.mkfifo(LOG)",
            "os.unlink(LOG); os.mkdir(LOG)",
            "os.unlink(LOG); os.mkdir(LOG); open(LOG + '/x', 'w'); os.mkdir(LOG + '/y'); os.chmod(LOG + '/y', 0); os.chmod(LOG, 0)",
            "os.chmod(LOG, 0)",
            "os.chmod(SPOOL, 0)",
            "os.unlink(LOG); os.chmod(SPOOL, 0)",
            "os.unlink(LOG); os.chmod(SPOOL, 0o500)",
            "os.unlink(LOG); give_access_list(SPOOL)",
        ):
            with self.subTest(what):
                self.assert_whole(self.run_forger(what + "; sys.exit(3)"))
                self.clear_spool()

    def clear_spool(self):
        os.chmod(self.path("spool"), 0o777)
        for folder, folders, _ in os.walk(self.path("spool")):
            for path in (os.path.join(folder, name) for name in folders):
                if not os.path.islink(path):
                    os.chmod(path, 0o777)
        for folder, folders, files in os.walk(self.path("spool"), topdown=False):
            for name in folders:
                path = os.path.join(folder, name)
                os.unlink(path) if os.path.islink(path) else os.rmdir(path)
            for name in files:
                os.unlink(os.path.join(folder, name))
        self.give_key()

    def test_a_link_is_not_followed(self):
        self.write("output", "victim", content="untouched")
        self.assert_whole(self.run_forger("os.unlink(LOG); os.symlink(%r, LOG); sys.exit(3)" % self.path("output", "victim")))
        with open(self.path("output", "victim")) as file:
            self.assertEqual(file.read(), "untouched")

    def test_that_was_emptied_ends_as_it_must(self):
        result = self.run_forger("os.truncate(LOG, 0); sys.exit(3)")
        self.assertEqual([frame.kind for frame in result.frames], [ENDED])
        self.assert_ended(result, exitCode=3)

    def test_that_was_replayed_is_ended_once_more(self):
        result = self.run_forger("open(LOG, 'ab').write(frame); sys.exit(3)")
        self.assertEqual([frame.kind for frame in result.frames[-2:]], [ENDED, ENDED])
        self.assert_signed(result)
        self.assert_ended(result, exitCode=3)

    def test_that_was_blown_up_is_not_copied(self):
        self.order["maxLogBytes"] = 1000
        result = self.run_forger("os.truncate(LOG, 1 << 29); os.rename(LOG, LOG + '2'); sys.exit(3)")
        self.assert_signed(result)
        self.assertEqual([frame.kind for frame in result.frames], [1, ENDED])
        self.assert_ended(result, exitCode=3)

    def test_that_nobody_touched_is_the_same_file(self):
        result = self.run_forger("print(os.stat(LOG).st_ino); sys.exit(3)")
        self.assertEqual(result.text().split()[1], str(os.stat(self.path("spool", "log")).st_ino))
        self.assertEqual(sorted(os.listdir(self.path("spool"))), ["log", "over"])
