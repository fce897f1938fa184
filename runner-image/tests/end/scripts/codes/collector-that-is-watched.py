import gc

gc.callbacks.append(lambda phase, info: phase == "start" and print(phase, info["generation"]))
