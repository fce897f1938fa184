import os
import sys

sys.stdout.reconfigure(write_through=False)
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
sys.stdout.write("lost")
