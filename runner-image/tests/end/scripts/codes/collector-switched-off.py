import gc


class Telling:
    def __del__(self):
        print("gone")


gc.disable()
kept = Telling()
kept.itself = kept
