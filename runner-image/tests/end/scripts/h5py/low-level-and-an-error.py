import h5py

file = h5py.File("left.h5", "w")
file["values"] = [1, 2, 3]
low = h5py.h5d.open(file.id, b"values")
del file
raise ValueError("with an open data set")
