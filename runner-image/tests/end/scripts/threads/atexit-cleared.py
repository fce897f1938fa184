import atexit

atexit.register(print, "never")
atexit._clear()
file = open("left.txt", "w")
file.write("x")
