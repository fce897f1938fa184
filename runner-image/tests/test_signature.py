"""Signatures: what is signed, and that the script is not let near the key."""

import contextlib
import hashlib
import hmac
import os

from runner.signature import Signer, find_sha256, hmac_sha256
from .support import HEADER, UNPRIVILEGED_UID, Result, RunnerCase, needs_a_look_at_others, needs_root

# The same ones are in src/runner/signature.spec.ts.
KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
WORKLOAD = "runner-köln"
STARTED = '{"version":1,"pid":7,"python":"3.11.2"}'
STARTED_MAC = "0e92cdbeb8311c5c9e1aa95ad55971fd9022980d43c7138e615bdc3780e17b84"
ENDED = '{"exitCode":0,"signal":null}'
ENDED_MAC = "ea9c3ba5efbe083146ae2738d33077cba636de5f20e257b8ed665f854c2972a6"
READY = '{"version": 1, "pid": 7}'
READY_MAC = "98bc9460352d545edf5ecb1b8fd76b9724cf35917c3d12a9cc8ab1cda6d7a15c"


def memory_of(pid):
    pieces = []
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for line in maps:
            start, end = (int(text, 16) for text in line.split()[0].split("-"))
            with contextlib.suppress(OSError, OverflowError):  # not to be read, as `vvar`
                memory.seek(start)
                pieces.append(memory.read(end - start))
    return b"".join(pieces)


class TheSignature(RunnerCase):
    def test_is_the_one_that_the_server_makes(self):
        signer = Signer(WORKLOAD, bytes.fromhex(KEY))
        self.assertEqual(READY[:-1] + ',"mac":"%s"}' % READY_MAC, signer.sign("ready", b"", READY.encode()).decode())
        signer.attempt = 3
        for kind, number, time_us, payload, mac in (
            ("started", 1, 1764000000123456, STARTED, STARTED_MAC),
            ("ended", 4, 1764000001123456, ENDED, ENDED_MAC),
        ):
            header = HEADER.pack(b"LF", number, 0, len(payload) - 1 + 74, 0, time_us)
            self.assertEqual(payload[:-1] + ',"mac":"%s"}' % mac, signer.sign(kind, header, payload.encode()).decode())

    def test_is_an_hmac_over_the_interpreters_own_sha256(self):
        self.assertNotIn(find_sha256().__module__, ("_hashlib", "hashlib"))
        for size in (0, 1, 55, 56, 63, 64, 65, 1000):
            message = os.urandom(size)
            expected = hmac.new(bytes.fromhex(KEY), message, hashlib.sha256).hexdigest()
            self.assertEqual(expected, hmac_sha256(find_sha256(), bytes.fromhex(KEY), message))

    def test_is_on_the_first_frame_and_the_last(self):
        self.give_key()
        self.order["signed"] = True
        result = self.run_script("print('x')")
        self.assert_signed(result)
        self.assert_ended(result, exitCode=0)
        self.assertEqual(result.text(), "x\n")

    def test_names_the_attempt(self):
        self.give_key()
        self.order["attempt"] = 12
        last = self.run_script("print('x')").frames[-1]
        header = HEADER.pack(b"LF", last.kind, 0, len(last.payload), 0, last.time_us)
        self.assertEqual([self.is_signed("ended", header, last.payload, attempt) for attempt in (1, 12)], [False, True])

    def test_is_not_there_where_no_key_was_given(self):
        result = self.run_script("print('x')")
        self.assert_ended(result, exitCode=0)
        self.assertNotIn("mac", result.ended)


class TheKey(RunnerCase):
    def test_is_gone_before_the_first_line_of_the_script(self):
        self.give_key()
        result = self.run_script("import os; print(os.listdir(%r))" % self.path("spool"))
        self.assertEqual(result.text(), "['log']\n")
        self.assert_signed(result)

    @needs_a_look_at_others
    def test_is_in_no_memory_of_the_script(self):
        for env in ({}, {"LANG": "C"}):  # in the fork, and in a new interpreter
            self.give_key()
            self.order["env"] = env
            process = self.start("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
            self.wait_for_text("\n")
            memory = memory_of(int(Result(self.read_log(), 0, b"", b"").text()))
            process.terminate()
            self.assert_signed(self.finish(process))
            self.assertIn(b"script.py", memory)
            self.assertEqual([memory.count(each) for each in (self.key, self.key.hex().encode())], [0, 0])
            os.unlink(self.path("spool", "log"))

    def test_that_was_taken_refuses_a_second_run_of_a_signed_order(self):
        self.order["signed"] = True
        result = self.run_script("print('x')")
        self.assertEqual((result.code, result.log), (121, b""))
        self.assertRegex(result.stderr.decode(), "a job is never run twice")

    def test_that_is_not_understood_lets_nothing_run_and_is_not_shown(self):
        for text in ("", "secret", '{"version":2,"workload":"w","key":"%s"}' % KEY, '{"version":1,"workload":"w","key":"00"}', "[]"):
            with self.subTest(text):
                self.write("spool", "key", content=text)
                self.order["signed"] = True
                result = self.run_script("print('x')")
                self.assertEqual(result.code, 123 if text else 121)
                self.assertEqual(result.log, b"")
                self.assertNotIn("secret", result.stderr.decode())

    @needs_root
    def test_that_cannot_be_removed_lets_nothing_run(self):
        self.give_key()
        os.chmod(self.path("spool", "key"), 0o644)
        self.write("spool", "log", content="")
        os.chmod(self.path("spool", "log"), 0o666)
        os.chmod(self.path("spool"), 0o755)
        result = self.run_script("open('ran', 'w')", prefix=("setpriv", "--reuid", str(UNPRIVILEGED_UID), "--clear-groups"))
        self.assertEqual(result.code, 123)
        self.assertRegex(result.stderr.decode(), "the key .* cannot be removed")
        self.assertEqual(os.listdir(self.path("output")), [])
        with open(self.path("spool", "key")) as file:
            self.assertEqual(file.read(), self.key_text)

    def test_is_left_alone_by_whatever_ends_before_the_script(self):
        self.give_key()
        self.order["version"] = 2
        self.assertEqual(self.run_script("print('x')").code, 122)
        with open(self.path("spool", "key")) as file:
            self.assertEqual(file.read(), self.key_text)
