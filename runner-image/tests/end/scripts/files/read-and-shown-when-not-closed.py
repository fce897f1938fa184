import warnings

warnings.simplefilter("always")
file = open(__file__)
print(file.readline())
