import builtins

imported, mapped = builtins.__import__, builtins.map


def telling_import(name, *arguments):
    print("import", name)
    return imported(name, *arguments)


def telling_type(*arguments):
    print("type")


builtins.__import__ = telling_import
builtins.type = builtins.dict = builtins.vars = telling_type
builtins.map = builtins.any = lambda *arguments: print("map")
