"""The order: what a job asks for."""

import os
import resource

from .contract import EXIT_BAD_ORDER, EXIT_WITHDRAWN, ORDER_FILE, SCRIPT_FILE, Refusal
from .json_text import parse_json


class Order:
    """What `/job/job.json` asks for; durations in seconds, sizes in bytes."""

    def __init__(self, fields):
        if not isinstance(fields, dict) or fields.get("version") != 1:
            raise ValueError("it must be an object of version 1")
        self.job_id = _expect(fields, "jobId", str)
        self.attempt = _expect(fields, "attempt", int)
        self.env = _expect(fields, "env", dict)
        self.timeout_seconds = _expect(fields, "timeoutSeconds", (int, float))
        self.grace_seconds = _expect(fields, "graceSeconds", (int, float))
        self.max_log_bytes = _expect(fields, "maxLogBytes", int)
        self.max_output_bytes = _expect(fields, "maxOutputBytes", int)
        self.secret_names = fields.get("secrets") or []
        self.signed = fields.get("signed") is True
        limits = fields.get("limits") or {}
        self.rlimits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: self.max_output_bytes,
            resource.RLIMIT_NOFILE: limits.get("openFiles"),
            resource.RLIMIT_NPROC: limits.get("processes"),
            resource.RLIMIT_AS: limits.get("addressSpaceBytes"),
        }
        for name, value in self.env.items():
            if not isinstance(value, str) or not name or "=" in name or "\0" in name + value:
                raise ValueError("env must hold names and text")
        if not isinstance(self.secret_names, list):
            raise ValueError("secrets must be a list")
        for name in self.secret_names:
            if not isinstance(name, str) or not name or "=" in name or "\0" in name:
                raise ValueError("secrets must hold names")
        for value in self.rlimits.values():
            if value is not None and (type(value) is not int or value < 0):
                raise ValueError("limits must be whole numbers or null")


def _expect(fields, name, kinds):
    value = fields.get(name)
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise ValueError("%s is missing or of the wrong type" % name)
    if not isinstance(value, (str, dict)) and not 0 <= value < 2**63:
        raise ValueError("%s is out of range" % name)
    return value


def read_order():
    """The bytes of the order; OSError where there is none."""
    with open(ORDER_FILE, "rb", buffering=0) as file:
        return file.read()


def parse_order(data):
    """The order of this job; `Refusal` where it is not one that can be carried out."""
    try:
        fields = parse_json(data.decode())
        if fields.get("withdrawn"):
            raise Refusal(EXIT_WITHDRAWN, "the order was withdrawn")
        order = Order(fields)
    except (ValueError, AttributeError, RecursionError) as error:
        raise bad_order(error) from error
    if not os.path.isfile(SCRIPT_FILE):
        raise Refusal(EXIT_BAD_ORDER, "there is no " + SCRIPT_FILE)
    return order


def bad_order(error):
    return Refusal(EXIT_BAD_ORDER, "the order %s cannot be used: %s" % (ORDER_FILE, error))
