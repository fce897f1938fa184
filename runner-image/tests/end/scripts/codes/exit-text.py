import sys

sys.exit("text for stderr")
