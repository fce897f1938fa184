import weakref


class Kept:
    def method(self):
        pass


class Listener:
    def tell(self, reference):
        print("dead")


import json

json.kept = kept = Kept()
reference = weakref.WeakMethod(kept.method, Listener().tell)
json.reference = reference
