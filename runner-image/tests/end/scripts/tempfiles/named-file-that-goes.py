import os
import tempfile

kept = tempfile.NamedTemporaryFile("w", dir=os.getcwd(), prefix="file-")
kept.write("x")
print(len(os.listdir()))
