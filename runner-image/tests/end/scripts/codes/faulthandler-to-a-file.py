import faulthandler

faulthandler.enable(open("left.txt", "w"))
faulthandler.dump_traceback_later(3600)
