import os
import tempfile

kept = tempfile.TemporaryFile(dir=os.getcwd())
kept.write(b"x")
spooled = tempfile.SpooledTemporaryFile(max_size=3, dir=os.getcwd())
spooled.write(b"more than three")
print(os.listdir())
