"""
A whole folder
==============

The work of the docks for a folder of images, with a report. What is done is noted, so that the same
call goes on where it was interrupted; a file that can't be read ends nothing.
"""

from pathlib import Path
from tempfile import mkdtemp

from PIL import Image
from skimage.color import label2rgb
from skimage.exposure import rescale_intensity
from skimage.io import imread, imsave
from skimage.util import img_as_ubyte

import napari_seem as ns
from napari_seem.samples import stack

# %%
# Three planes of a drawn stack as files, and one file that is no image.
folder = Path(mkdtemp())
(folder / "slides").mkdir()
for z in (6, 12, 18):
    plane = stack().image[z, :128, :128]
    imsave(folder / "slides" / f"plane-{z}.tif", plane, check_contrast=False)
(folder / "slides" / "broken.tif").write_bytes(b"not an image")

# %%
# Every nucleus of every file. What went wrong is in the report.
request = {"names": "nucleus", "wanted": {"min_area": 30}}
tasks = ns.plan_batch("segment", folder / "slides", folder / "labels", request)
report = ns.run_batch(tasks, folder / "labels")
print(str(report).replace(str(folder), "FOLDER"))

# %%
# The same in a shell:
#
# .. code-block:: console
#
#     napari-seem batch segment slides/ -o labels/ --names nucleus
#
# Label files lie beside a table of their objects.
written = sorted((folder / "labels").glob("plane-12*.tif"))
labels, table = ns.read_labels(written[0])
print(labels.shape, len(table), "objects")

# %%
# One of them on its image.
plane = rescale_intensity(imread(folder / "slides" / "plane-12.tif"), out_range=(0.0, 1.0))
Image.fromarray(img_as_ubyte(label2rgb(labels, plane, bg_label=0))).resize((384, 384))
