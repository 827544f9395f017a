"""
An image of any size, in tiles
==============================

Planes of more than 2048 pixels along a side are worked on in tiles, by the same calls. Only the
tiles around a click are encoded, and the borders of tiles do not show.
"""

import numpy as np

import napari_seem as ns
from napari_seem.samples import mosaic

tile = mosaic().image
image = np.tile(tile, (3, 3, 1))  # 3072 x 3072, or an array of zarr or dask
model = ns.load_model("compact")

# %%
# A click near the middle: a ninth of the image is looked at.
embedding = model.encode(image)
session = ns.Session(model, embedding)
answer = session.add(ns.Point(1024 + 642, 1024 + 345))
print(answer.mask.shape, np.count_nonzero(answer.mask), "pixels of roof")

# %%
# Shown on the part around it.
rows, columns = np.nonzero(answer.mask)
y, x = rows.min() - 100, columns.min() - 100
part = model.encode(image[y : y + 300, x : x + 300])
model.predict(part, [ns.Mask(answer.mask[y : y + 300, x : x + 300])])
