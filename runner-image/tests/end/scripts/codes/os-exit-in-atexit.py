import atexit
import os

file = open("left.txt", "w")
file.write("lost")
atexit.register(os._exit, 6)
