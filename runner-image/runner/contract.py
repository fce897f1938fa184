"""What the runner and the server have agreed on: docs/runner-contract.md in Python, and `src/runner/` on the other side.

src/runner/contract.spec.ts compares the three, by the names and values of this module.
"""

import os
from struct import Struct

KIB = 1024
MIB = 1024 * KIB

# Exit codes of the runner itself.
EXIT_NETWORK_OPEN = 117
EXIT_NO_JOB_CAME = 118
EXIT_NEEDS_COLD_START = 119
EXIT_SPOOL_IN_USE = 121
EXIT_BAD_ORDER = 122
EXIT_RUNNER_FAILED = 123
EXIT_NO_SECRETS = 124
EXIT_WITHDRAWN = 125
EXIT_STOPPED = 143  # 128 + SIGTERM

# Folders.
JOB_DIR = os.environ.get("RUNNER_JOB_DIR", "/job")
INPUT_DIR = os.environ.get("RUNNER_INPUT_DIR", "/input")
OUTPUT_DIR = os.environ.get("RUNNER_OUTPUT_DIR", "/output")
SPOOL_DIR = os.environ.get("RUNNER_SPOOL_DIR", "/spool")

# Files.
SCRIPT_FILE = JOB_DIR + "/script.py"
ORDER_FILE = JOB_DIR + "/job.json"
REQUEST_FILE = INPUT_DIR + "/request.json"
LOG_FILE = SPOOL_DIR + "/log"
READY_FILE = SPOOL_DIR + "/ready"
KEY_FILE = SPOOL_DIR + "/key"
OVER_FILE = SPOOL_DIR + "/over"

# Frames.
MAGIC = b"LF"
HEADER = Struct("<2sBBIQQ")  # magic, kind, stream, payload length, seq, microseconds since 1970
STARTED, OUTPUT, GAP, ENDED = 1, 2, 3, 4
STDOUT, STDERR = 1, 2
MAX_PAYLOAD = 64 * KIB
SLACK_BYTES = 256 * KIB  # what the log may hold above its limit: the tail, its gaps and `ended`

# Read by the interpreter or the C library only while a process starts, so a forked interpreter would ignore them.
START_UP_VARIABLES = ("PYTHON", "LD_", "LC_", "MALLOC_", "GLIBC_TUNABLES", "LANG", "TZ")
# Variables that are read while the process or one of its libraries starts, by the C code at least: a job that sets one
# is not for a worker. A star stands for any rest. What Python modules read is noted while they are imported.
UNFIT_VARIABLES = (
    *("PYTHON*", "LD_*", "LC_*", "LANG*", "TZ*", "MALLOC_*", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "GCONV_PATH"),
    *("OPENSSL_*", "OMP_*", "GOMP_*", "KMP_*", "OPENBLAS_*", "GOTO_*", "BLIS_*", "MKL_*", "VECLIB_*", "NUMEXPR_*"),
    *("NPY_*", "GDAL_*", "CPL_*", "OGR_*", "OSR_*", "VSI_*", "PROJ_*", "MPL*", "MATPLOTLIB*", "FONTCONFIG_*"),
    *("FREETYPE_*", "HOME", "XDG_*", "TMPDIR", "TEMP", "TMP"),
)


def is_unfit(name):
    return any(name == rule or (rule[-1] == "*" and name.startswith(rule[:-1])) for rule in UNFIT_VARIABLES)


class Refusal(Exception):
    """The job is not run; carries the runner's exit code and a sentence."""

    def __init__(self, exit_code, sentence):
        super().__init__(sentence)
        self.exit_code = exit_code
