import os
import tempfile

kept = tempfile.TemporaryDirectory(dir=os.getcwd(), prefix="folder-")
with open(os.path.join(kept.name, "inside"), "w") as file:
    file.write("x")
