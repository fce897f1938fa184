from multiprocessing import shared_memory

kept = shared_memory.SharedMemory(create=True, size=100)
kept.buf[0] = 1
kept.close()
kept.unlink()
print("done")
