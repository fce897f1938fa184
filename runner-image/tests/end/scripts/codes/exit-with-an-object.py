class Code:
    def __str__(self):
        return "an object"

    def __del__(self):
        print("gone")


raise SystemExit(Code())
