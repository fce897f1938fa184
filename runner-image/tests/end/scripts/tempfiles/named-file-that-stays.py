import os
import tempfile

tempfile._get_candidate_names = lambda: iter(["stays"])
kept = tempfile.NamedTemporaryFile("w", dir=os.getcwd(), delete=False)
kept.write("buffered")
tempfile.kept = kept
