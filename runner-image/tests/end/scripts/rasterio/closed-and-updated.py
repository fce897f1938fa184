import numpy
import rasterio
from rasterio.transform import from_origin

profile = dict(driver="GTiff", width=64, height=64, count=1, dtype="uint8", transform=from_origin(0, 1, 1, 1))
values = numpy.arange(64 * 64, dtype="uint8").reshape(1, 64, 64)

with rasterio.open("closed.tif", "w", **profile) as dataset:
    dataset.write(values)
again = rasterio.open("closed.tif", "r+")
again.update_tags(made="by a test")
again.write(values[:, ::-1])
memory = rasterio.MemoryFile()
inside = memory.open(**profile)
