import sys

with open("part.py", "w") as file:
    file.write(
        "class Telling:\n"
        "    def __init__(self, name): self.name = name\n"
        "    def __del__(self): print('gone:', self.name)\n"
        "_under = Telling('under')\n"
        "over = Telling('over')\n"
        "def use(): return over\n"
    )
sys.path.insert(0, ".")
sys.dont_write_bytecode = True
import part

mine = part.Telling("mine")
