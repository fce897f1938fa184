import h5py

values = h5py.File("left.h5", "w").create_dataset("values", (1000,), chunks=(100,), compression="gzip")
values[:] = 7
