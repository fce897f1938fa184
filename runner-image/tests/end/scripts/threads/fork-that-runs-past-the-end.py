import atexit
import os


class Telling:
    def __del__(self):
        os.write(1, b"gone\n")


kept = Telling()
file = open("left.txt", "a")
atexit.register(os.write, 1, b"atexit\n")
child = os.fork()
file.write("child\n" if child == 0 else "parent\n")
if child:
    os.waitpid(child, 0)
