"""The signatures of what decides over a job: docs/runner-contract.md, "Signed frames"."""

import os
import sys

from .contract import EXIT_RUNNER_FAILED, EXIT_SPOOL_IN_USE, KEY_FILE, KIB, Refusal
from .json_text import parse_json

PROTOCOL = "maps-runner-1"
BLOCK_BYTES = 64  # of SHA-256
INNER_PAD, OUTER_PAD = (int.from_bytes(byte * BLOCK_BYTES, "big") for byte in (b"\x36", b"\x5c"))
KEY_BYTES = 32
TAIL = b',"mac":"%s"}'
TAIL_BYTES = len(TAIL % b"") + 64


class Signer:
    """Signs with the key of one workload. Only the runner has one, and only after the script's process was forked."""

    def __init__(self, workload, key):
        self.workload = workload
        self.key = key
        self.attempt = 0  # while a worker has no job
        self.sha256 = find_sha256()

    def sign(self, kind, header, payload):
        """The payload, a JSON object, with its signature as the last member."""
        text = payload[:-1]
        context = "\0".join((PROTOCOL, self.workload, "%d" % self.attempt, kind, ""))
        return text + TAIL % hmac_sha256(self.sha256, self.key, context.encode() + header + text).encode()

    def remove_key(self):
        try:
            os.unlink(KEY_FILE)
        except OSError as error:
            raise Refusal(EXIT_RUNNER_FAILED, "the key %s cannot be removed: %s" % (KEY_FILE, error.strerror)) from error


def find_signer():
    """The signer of this workload; None where there is no key."""
    data = read_key()
    return Signer(*parse_key(data)) if data else None


def signer_for(order, signer):
    """The signer as it signs for an order; `Refusal` of one whose key was taken by an earlier run."""
    if signer:
        signer.attempt = order.attempt
    elif order.signed:
        raise Refusal(EXIT_SPOOL_IN_USE, "there is no %s any more: a job is never run twice" % KEY_FILE)
    return signer


def read_key():
    try:
        fd = os.open(KEY_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        return os.read(fd, 4 * KIB)
    finally:
        os.close(fd)


def parse_key(data):
    """(name of the workload, key); `Refusal`, which shows nothing of it, where it is not understood."""
    try:
        fields = parse_json(data.decode())
        key = bytes.fromhex(fields["key"])
        if fields["version"] == 1 and len(key) == KEY_BYTES and isinstance(fields["workload"], str):
            return fields["workload"], key
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass  # what is wrong with it is said by nobody who might show it
    raise Refusal(EXIT_RUNNER_FAILED, "the key %s is not understood" % KEY_FILE)


def hmac_sha256(sha256, key, message):
    """HMAC (RFC 2104) of a key that is shorter than a block, in hexadecimal digits."""
    number = int.from_bytes(key.ljust(BLOCK_BYTES, b"\0"), "big")
    inner = sha256((number ^ INNER_PAD).to_bytes(BLOCK_BYTES, "big") + message).digest()
    return sha256((number ^ OUTER_PAD).to_bytes(BLOCK_BYTES, "big") + inner).hexdigest()


def find_sha256():
    """The interpreter's own, since `hmac` and `hashlib` load OpenSSL, which each job would pay for with 4 ms."""
    try:
        if sys.version_info < (3, 12):
            from _sha256 import sha256
        else:
            from _sha2 import sha256
    except ImportError:
        from hashlib import sha256
    return sha256
