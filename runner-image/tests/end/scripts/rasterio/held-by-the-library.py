import numpy
import rasterio
from rasterio.transform import from_origin

profile = dict(driver="GTiff", width=64, height=64, count=1, dtype="uint8", transform=from_origin(0, 1, 1, 1))
values = numpy.arange(64 * 64, dtype="uint8").reshape(1, 64, 64)

rasterio.kept = rasterio.open("kept.tif", "w", **profile)
rasterio.kept.write(values)
