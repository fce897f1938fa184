import atexit

atexit.register(print, "atexit")
raise KeyboardInterrupt
