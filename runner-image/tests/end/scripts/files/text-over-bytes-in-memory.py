import io

memory = io.BytesIO()
text = io.TextIOWrapper(memory, "utf-8")
text.write("in memory")


class Telling(io.RawIOBase):
    def writable(self):
        return True

    def write(self, data):
        print("written", bytes(data))
        return len(data)


buffered = io.BufferedWriter(Telling())
buffered.write(b"at the end")
