"""
Record a session, and repeat it
===============================

Every step that wrote labels is recorded beside them. ``napari-seem replay`` repeats the steps with
the same model on the same image, and says whether the same labels come out.
"""

import json
from pathlib import Path
from tempfile import mkdtemp

import skimage.data
from PIL import Image
from skimage.io import imsave
from skimage.segmentation import mark_boundaries
from skimage.util import img_as_ubyte

import napari_seem as ns
from napari_seem.cli import main

folder = Path(mkdtemp())
image, labels = folder / "coins.tif", folder / "labels.tif"
imsave(image, skimage.data.coins(), check_contrast=False)

# %%
# Two clicks on the command line; ``main`` is what ``napari-seem`` calls.
main(["segment", str(image), "--point", "130,120", "--not-point", "165,120", "-o", str(labels)])

# %%
# The record is a text file of one step a line.
for line in (folder / "labels.log.jsonl").read_text(encoding="utf-8").splitlines():
    step = json.loads(line)
    print(step["n"], step["event"])

# %%
# Repeated: 0 means that the same labels came out.
print(main(["replay", str(folder / "labels.log.jsonl"), "-o", str(folder / "again.tif")]))

# %%
# Both files hold the same object.
again, _ = ns.read_labels(folder / "again.tif")
print((again == ns.read_labels(labels)[0]).all())
Image.fromarray(img_as_ubyte(mark_boundaries(skimage.data.coins(), again)))
