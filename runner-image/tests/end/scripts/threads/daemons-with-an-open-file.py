import threading

started = threading.Event()


def work():
    file = open("left.txt", "w")
    file.write("of a daemon")
    started.set()
    threading.Event().wait()


threading.Thread(target=work, daemon=True).start()
started.wait()
