import logging
import threading

logging.Logger.__del__ = lambda self: print("gone: a logger")
threading.Event.__del__ = lambda self: print("gone: an event")
kept = logging.getLogger("mine")
print("patched")
