class Phoenix:
    times = 0

    def __del__(self):
        Phoenix.times += 1
        print("gone", Phoenix.times)
        globals()["again"] = self


kept = Phoenix()
del kept
print("back")
