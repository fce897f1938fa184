import json
import textwrap


class Telling:
    def __init__(self, name):
        self.name = name
        self.itself = self

    def __del__(self):
        print("gone:", self.name, json.dumps([1]) if json else None)


kept = Telling("cycle")
Telling("garbage")
json.decoder.kept = Telling("of json")
textwrap.TextWrapper.kept = [Telling("of a class of textwrap")]
