import numpy
import rasterio
from rasterio.transform import from_origin

profile = dict(driver="GTiff", width=64, height=64, count=1, dtype="uint8", transform=from_origin(0, 1, 1, 1))
values = numpy.arange(64 * 64, dtype="uint8").reshape(1, 64, 64)

class Node:
    pass


node = Node()
node.itself = node
node.dataset = rasterio.open("cycle.tif", "w", compress="deflate", tiled=True, blockxsize=32, blockysize=32, **profile)
node.dataset.write(values)
del node
