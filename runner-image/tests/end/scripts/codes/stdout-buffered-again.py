import sys

sys.stdout.reconfigure(write_through=False, line_buffering=False)
sys.stdout.write("flushed by the interpreter")
sys.stderr.reconfigure(write_through=False, line_buffering=False)
sys.stderr.write("this, too")
