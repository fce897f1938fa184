import h5py

file = h5py.File("left.h5", "w", track_order=False)
file["values"] = list(range(1000))
