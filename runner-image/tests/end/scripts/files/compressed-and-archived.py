import gzip
import tarfile
import zipfile

packed = gzip.GzipFile("left.txt.gz", "w", mtime=0)
packed.write(b"compressed")
archive = zipfile.ZipFile("left.zip", "w")
archive.writestr(zipfile.ZipInfo("inside.txt"), "text")
tar = tarfile.open("left.tar", "w")
tar.addfile(tarfile.TarInfo("inside"))
