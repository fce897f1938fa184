import gc


class Telling:
    def __del__(self):
        print("gone")


kept = Telling()
cycle = Telling()
cycle.itself = cycle
del cycle
gc.freeze()
