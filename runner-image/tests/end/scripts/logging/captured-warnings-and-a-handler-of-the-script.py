import logging
import warnings


class Handler(logging.Handler):
    def emit(self, record):
        print("emitted", record.getMessage().partition(": ")[2])

    def close(self):
        print("closed")
        super().close()


logging.captureWarnings(True)
logging.getLogger("py.warnings").addHandler(Handler())
warnings.warn("old")
