import logging
import logging.handlers
import queue

lines = queue.Queue()
listener = logging.handlers.QueueListener(lines, logging.FileHandler("left.log"))
logging.getLogger().addHandler(logging.handlers.QueueHandler(lines))
listener.start()
logging.warning("through a queue")
listener.stop()
