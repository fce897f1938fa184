import logging
import logging.handlers

target = logging.FileHandler("left.log")
memory = logging.handlers.MemoryHandler(100, target=target)
logging.getLogger().addHandler(memory)
logging.warning("kept in memory until the end")
