"""A progress bar that redraws its line: what is printed is seen at once, carriage returns and all."""

import sys
import time

STEPS = 20

for step in range(STEPS + 1):
    bar = "#" * step + "." * (STEPS - step)
    sys.stdout.write(f"\r[{bar}] {100 * step // STEPS:3d} %")
    sys.stdout.flush()
    time.sleep(0.1)
print("\nDone.")
