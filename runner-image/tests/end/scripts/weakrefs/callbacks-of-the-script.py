import weakref


class Kept:
    pass


def tell(reference):
    print("dead:", reference() is None)


kept = Kept()
references = [weakref.ref(kept, tell), weakref.ref(Kept, tell), weakref.ref(kept, print)]
del references[2]
