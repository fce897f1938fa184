"""What the worker and its script's process say to each other."""

import os
import struct

from ..contract import EXIT_RUNNER_FAILED
from ..json_text import parse_json
from ..log import write_all


def say(fd, message):
    import json

    write_all(fd, [json.dumps(message).encode() + b"\n"])


def parse_message(line):
    try:
        return parse_json(line.decode())
    except ValueError:
        return {}  # a library wrote into a descriptor that is not its own


def read_message(fd):
    """The bytes that follow their length; ends the process when there will be none."""
    size = struct.unpack("<Q", read_exactly(fd, 8))[0]
    return read_exactly(fd, size)


def read_exactly(fd, size):
    data = b""
    while len(data) < size:
        piece = os.read(fd, size - len(data))
        if not piece:  # the runner is gone
            os._exit(EXIT_RUNNER_FAILED)
        data += piece
    return data
