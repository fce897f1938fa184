import sys

sys.dont_write_bytecode = True  # a checkout stays as it is
