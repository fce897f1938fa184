import threading
import time


def work():
    time.sleep(0.1)
    print("thread", "__file__" in globals())


threading.Thread(target=work).start()
print("main")
