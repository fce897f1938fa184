import logging

logging.basicConfig(filename="left.log", format="%(levelname)s %(message)s")
logging.warning("told")
