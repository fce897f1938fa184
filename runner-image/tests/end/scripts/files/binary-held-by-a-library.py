import json

json.kept = open("kept.bin", "wb")
json.kept.write(b"\0" * 1000)
