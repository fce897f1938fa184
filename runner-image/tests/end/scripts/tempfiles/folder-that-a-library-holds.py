import json
import os
import tempfile
import warnings

warnings.simplefilter("default")
tempfile._get_candidate_names = lambda: iter(["name"])
json.kept = tempfile.TemporaryDirectory(dir=os.getcwd(), prefix="folder-")
print(len(os.listdir()))
