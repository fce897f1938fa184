class Telling:
    def __del__(self):
        print("gone")


def fail():
    local = Telling()
    raise ValueError(local is None)


fail()
