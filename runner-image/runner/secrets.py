"""The values of secrets, which come by the environment or by a line on standard input."""

import _signal as signal
import os
import select
from time import monotonic as clock

from .contract import EXIT_NO_SECRETS, EXIT_STOPPED, KIB, Refusal
from .json_text import parse_json

SECRETS_PATIENCE_SECONDS = 30.0
MAX_SECRETS_BYTES = 256 * KIB


def read_secrets(names):
    """The values of the order's secrets by name; `Refusal`, which shows no value, where one is missing."""
    if os.environ.get("RUNNER_SECRETS_FROM") == "stdin":
        return parse_secrets(read_line(0, clock() + SECRETS_PATIENCE_SECONDS), names)
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive: there is no %s" % ", ".join(missing))
    return {name: os.environ[name] for name in names}


def read_line(fd, deadline):
    """The bytes up to a newline, without it; what follows is left alone or lost."""
    data = b""
    while b"\n" not in data:
        # Signals are blocked: before there is a script to end, they are looked for here.
        if not signal.sigpending().isdisjoint((signal.SIGTERM, signal.SIGINT)):
            raise Refusal(EXIT_STOPPED, "asked to stop before the secrets arrived")
        try:
            is_ready = select.select([fd], [], [], 0.1)[0]
            piece = os.read(fd, 64 * KIB) if is_ready else None
        except OSError as error:
            raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive: %s" % error.strerror) from error
        if piece is None:
            if clock() > deadline:
                raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive in time")
            continue
        data += piece
        if not piece or len(data) > MAX_SECRETS_BYTES:
            raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive: the input is not a line")
    return data.partition(b"\n")[0]


def parse_secrets(line, names):
    try:
        values = parse_json(line.decode())
        for value in values.values():
            if "\0" in value:
                raise ValueError
            value.encode()  # fails for half a surrogate pair
        if values.keys() == set(names):
            return values
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass  # what is wrong with them is said by nobody who might show them
    raise Refusal(EXIT_NO_SECRETS, "the secrets did not arrive: the line does not hold %s" % ", ".join(names))
