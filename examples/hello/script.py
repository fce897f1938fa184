"""The smallest job: reads the request, prints, and leaves a file."""

import json
import os
import sys

# The working directory is the folder of the outputs; the request and the files are in INPUT_DIR.
with open(os.environ["REQUEST_PATH"]) as source:
    name = (json.load(source) or {}).get("name", "world")

print(f"Hello, {name}!")
print("This line goes to standard error.", file=sys.stderr)

with open("greeting.txt", "w") as target:
    target.write(f"Hello, {name}!\n")
print("Wrote greeting.txt")
