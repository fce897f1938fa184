import sys


class Stream:
    def write(self, text):
        pass

    def flush(self):
        import colorsys

        sys.__stdout__.write("flushed %s %s\n" % (colorsys is not None, sys.is_finalizing()))


sys.stdout = Stream()
print("nothing")
