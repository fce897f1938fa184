import json

import h5py

json.kept = h5py.File("kept.h5", "w")
json.kept.attrs["name"] = "value"
