import h5py

file = h5py.h5f.create(b"low.h5")
h5py.h5g.create(file, b"group")
raise ValueError("with an open file")
