import atexit
import json


class Telling:
    def __del__(self):
        print("gone")


atexit.register(print, "never")
atexit._clear()
file = open("left.txt", "w")
file.write("x")
json.kept = Telling()
json.kept.itself = json.kept
