class Node:
    pass


node = Node()
node.itself = node
node.file = open("cycle.bin", "w+b")
node.file.write(b"in a cycle")
del node
