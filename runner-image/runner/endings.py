"""What does something when it goes: the objects that the end of a script must not pass over.

The garbage collector's list is looked through. It has every instance of a class that a script can write (but for two kinds,
`is_of_unseen_objects`), and all files, generators, coroutines and weak references. Whatever is not known counts as an end: a
thread that still runs, a library of C code that nobody has looked through, another version of Python.
"""

import _thread
import _warnings
import gc
import sys

VERSIONS = ((3, 11), (3, 12), (3, 13))  # whose Py_FinalizeEx was read

# Packages whose native code was looked through: their objects have no end but memory, or are among those below.
KNOWN_PACKAGES = frozenset(
    "_cyutility charset_normalizer contourpy fiona kiwisolver markupsafe matplotlib mpl_toolkits numpy pandas PIL pyogrio"
    " pyproj rasterio scipy shapely".split()
)
# Types of C code that write or clean up when they are freed, without a `__del__` that would show it.
ENDS_IN_C = {
    "Blob": "sqlite3",
    "Connection": "sqlite3",
    "DatasetBase": "rasterio._base",
    "MemoryFileBase": ("fiona.ogrext", "rasterio._io"),
    "Session": "fiona.ogrext",
    "WritingSession": "fiona.ogrext",
    "dbm": "_dbm",
    "gdbm": "_gdbm",
}
# Classes of libraries whose `__del__` frees memory and does nothing else.
FREES_MEMORY = {
    "BaseGeometry": "shapely.geometry.base",
    "Forward": "pyparsing.core",
    "LGEOSBase": "shapely.geos",
    "PreparedGeometry": "shapely.prepared",
    "WKBReader": "shapely.geos",
    "WKBWriter": "shapely.geos",
    "WKTReader": "shapely.geos",
    "WKTWriter": "shapely.geos",
}
SUBINTERPRETERS = ("_xxsubinterpreters", "_interpreters")
TYPE_IS_COLLECTED = 1 << 14  # Py_TPFLAGS_HAVE_GC

# Read past whatever a class or metaclass of the script's says of itself.
mro_of, dict_of, flags_of, name_of, module_of = (
    type.__dict__[name].__get__ for name in ("__mro__", "__dict__", "__flags__", "__name__", "__module__")
)
FUNCTION, BUILTIN, MODULE, SLOT, GETTER = map(type, (lambda: None, len, sys, object.__init__, type.__dict__["__dict__"]))
METHOD = type(type("", (), {"method": lambda self: None})().method)
module_dict_of = MODULE.__dict__["__dict__"].__get__


class Endings:
    """Knows what was there before the script: `streams`, the standard ones, and `folders`, those of libraries."""

    def __init__(self, streams, folders):
        self.streams = streams
        self.folders = folders
        self.accepted_modules = set()
        self.accepted_classes = ()

    def accept_present(self, objects):
        """What is there now has no end."""
        metatypes = {kind for kind in set(map(type, objects)) if type in mro_of(kind)}
        classes = [dict_of(each) for each in objects if type(each) in metatypes]
        self.accepted_classes = [each for each in classes if "__del__" not in each]
        self.accepted_modules.update(sys.modules)

    def find_reason(self, objects, modules):
        """Why these objects must not be passed over, or None."""
        self.prepare_looks(modules["_io"], modules["_weakref"])
        if sys.implementation.name != "cpython" or sys.version_info[:2] not in VERSIONS:
            return "a version of Python that is not known"
        if _thread._count():
            return "a thread"
        if any(now is not then for now, then in zip((sys.stdin, sys.stdout, sys.stderr), self.streams)):
            return "another standard stream"
        if gc.callbacks or gc.garbage or gc.get_debug():
            return "somebody who watches the garbage collector"
        if warns_of_resources(modules):
            return "warnings of what was not closed"
        if any("__del__" in each for each in self.accepted_classes):
            return "a __del__ for what was there before"
        return self.unknown_module(modules) or self.object_with_end(objects)

    def prepare_looks(self, _io, _weakref):
        self.library_folders = ("<frozen ", *(path.rstrip("/") + "/" for path in self.folders if path))
        self.file, self.text, self.any_stream = _io.FileIO, _io.TextIOWrapper, _io._IOBase
        reference = _weakref.ReferenceType
        self.callback_of = vars(reference)["__callback__"].__get__
        # Types that alone do not tell, with a function that tells it of an object, or None for those without an end.
        self.looks = {
            _io.BytesIO: None,
            _io.StringIO: None,
            _io.FileIO: None,  # has no buffer, and the kernel closes it
            **{kind: self.is_unwritten for kind in (self.text, _io.BufferedReader, _io.BufferedWriter, _io.BufferedRandom)},
            reference: self.calls_back,
            _weakref.ProxyType: self.proxy_calls_back,
            _weakref.CallableProxyType: self.proxy_calls_back,
            type: self.is_of_unseen_objects,
            **looks_at_suspended(),
        }

    def unknown_module(self, modules):
        known = KNOWN_PACKAGES | sys.stdlib_module_names
        for name, module in modules.items():
            if name not in self.accepted_modules and is_native(module):
                package = name.partition(".")[0]
                if package not in known and not package.endswith("__mypyc"):
                    return name
        return next((name for name in SUBINTERPRETERS if name in modules), None)

    def object_with_end(self, objects):
        """The name of the type of such an object, or None."""
        looks = {}
        for kind in set(map(type, objects)):
            look = self.look_at_type(kind)
            if look is True:
                return name_of(kind)
            if look:
                looks[kind] = look
        for each in [each for each in objects if type(each) in looks]:
            if looks[type(each)](each):
                return name_of(type(each))

    def look_at_type(self, kind):
        """True if each object of this type has an end; None if none has; or a function that tells it of one."""
        if kind in self.looks:
            return self.looks[kind]
        look = None
        for base in mro_of(kind):
            if name_of(base) in ENDS_IN_C and module_of(base) in ENDS_IN_C[name_of(base)]:
                return True
            if base is self.any_stream:
                look = self.is_open
            elif "__del__" in dict_of(base) and not is_socket(base) and not self.frees_memory(base):
                return True
            look = look or self.looks.get(base)
        return look

    def frees_memory(self, kind):
        """What has only that to do at its end is as well passed over."""
        return FREES_MEMORY.get(name_of(kind)) == module_of(kind) and self.is_of_library(dict_of(kind)["__del__"])

    def is_of_unseen_objects(self, kind):
        """A class with a `__del__` whose objects the collector does not follow, as they can hold nothing, or does not show:
        a script may have made it the class of something that is frozen."""
        finalizers = [dict_of(base)["__del__"] for base in mro_of(kind) if "__del__" in dict_of(base)]
        finalizers = [each for each in finalizers if type(each) is not SLOT]
        is_collected = flags_of(kind) & TYPE_IS_COLLECTED
        return any(not is_collected or not self.is_of_library(each) for each in finalizers)

    def is_unwritten(self, stream):
        """A buffer for writing that is not closed."""
        if any(stream is own for own in self.streams):
            return False
        raw = stream.buffer if type(stream) is self.text else stream
        if type(raw) not in self.looks or type(raw) is not self.file and type(raw.raw) is not self.file:
            return True
        return not stream.closed and stream.writable()

    def is_open(self, stream):
        """A stream in Python: its end asks whether it is closed, and closes it. A library may be asked that twice."""
        for base in mro_of(type(stream)):
            closed = dict_of(base).get("closed")
            if closed is not None:
                is_asked = type(closed) is GETTER or type(closed) is property and self.is_of_library(closed.fget)
                return not (is_asked and closed.__get__(stream))

    def calls_back(self, reference):
        callback = self.callback_of(reference)
        return callback is not None and not self.is_of_library(callback)

    def proxy_calls_back(self, proxy):
        """A proxy shows nothing of itself; its callback is all that it holds."""
        return not all(map(self.is_of_library, gc.get_referents(proxy)))

    def is_of_library(self, callback):
        """A function that keeps a library's own books, such as the removal of an item."""
        kind = type(callback)
        if kind is FUNCTION:
            code = callback.__code__
            if code.co_qualname == "WeakMethod.__new__.<locals>._cb":
                wrapped = callback.__closure__[code.co_freevars.index("callback")].cell_contents
                return wrapped is None or self.is_of_library(wrapped)
            return code.co_filename.startswith(self.library_folders)
        if kind is METHOD:
            return self.is_of_library(callback.__func__)
        if kind is BUILTIN:
            if module_of(type(callback.__self__)) == "pybind11_builtins":
                return True  # it forgets a type, or lets go of what an object needed
            return callback.__name__ in ("_destroy", "_localdummy_destroyed", "clear_locals")  # of _abc and _thread
        # One that atexit has called, and that is not called again.
        return name_of(kind) == "finalize" and module_of(kind) == "weakref" and kind._shutdown


def looks_at_suspended():
    """What has stopped inside a `try` or `with`, and goes on when it is closed; a coroutine also complains."""

    async def coroutine():
        pass

    async def generator():
        yield

    never_awaited = coroutine()
    never_awaited.close()
    return {
        type(each for each in ()): lambda each: each.gi_frame is not None and each.gi_suspended and each.gi_code.co_exceptiontable,
        type(never_awaited): lambda each: each.cr_frame is not None,
        type(generator()): lambda each: each.ag_frame is not None,
    }


def is_socket(kind):
    """Its end closes it, as the kernel does, and warns."""
    return name_of(kind) == "socket" and module_of(kind) == "_socket"


def is_native(module):
    if MODULE not in mro_of(type(module)):
        return False
    file = module_dict_of(module).get("__file__")
    return type(file) is str and file.endswith(".so")


def warns_of_resources(modules):
    """Whether a warning is shown of what is freed without having been closed, which by default is not."""
    filters = modules["warnings"].filters if "warnings" in modules else _warnings.filters
    for action, message, category, module, line in filters:
        if issubclass(ResourceWarning, category):
            if action != "ignore":
                return True
            if not (message or module or line):
                return False
    return True
