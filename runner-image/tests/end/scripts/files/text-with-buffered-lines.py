file = open("left.txt", "w")
file.write("first\n")
file.write("second, never flushed")
print("left open")
