"""A script that fails half-way: the traceback, the exit code and what was written before are all kept."""

import json
import os
from pathlib import Path

request = json.loads((Path(os.environ["INPUT_DIR"]) / "request.json").read_text())


def area(ring):
    """Shoelace formula."""
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:]))) / 2


for number, ring in enumerate(request["rings"], 1):
    if ring[0] != ring[-1]:
        raise ValueError(f"ring {number} is not closed: it begins at {ring[0]} and ends at {ring[-1]}")
    print(f"ring {number}: {area(ring):.1f}")
    with open("areas.txt", "a") as target:
        target.write(f"{area(ring):.1f}\n")
