import atexit
import logging

logging.basicConfig(format="%(message)s")


class Telling:
    def __del__(self):
        logging.warning("gone")


kept = Telling()
atexit.register(logging.warning, "atexit")
