import os
import sys
import threading

main = os.getpid()


def work():
    child = os.fork()
    if child:
        print(os.waitpid(child, 0)[1])
    else:
        sys.exit(5)


thread = threading.Thread(target=work)
thread.start()
thread.join()
print("end of", "main" if os.getpid() == main else "child")
