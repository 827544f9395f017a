"""
Strokes and outlines
====================

A stroke inside an object says more than a click where the object has several colours; a rough
outline says roughly where it ends. Both are prompts like any other, and can be mixed with them.
"""

import numpy as np
import skimage.data
from skimage.draw import line
from skimage.morphology import dilation, disk

import napari_seem as ns

image = skimage.data.immunohistochemistry()
model = ns.load_model("compact")
embedding = model.encode(image)

# %%
# A scribble is a boolean mask (H, W) of what was painted: here a stroke of the width of a brush.
stroke = np.zeros(image.shape[:2], bool)
stroke[line(330, 310, 470, 340)] = True
stroke = dilation(stroke, disk(3))
session = ns.Session(model, embedding)
session.add(ns.Scribble(stroke))

# %%
# A polygon of (row, column) vertices, as a lasso draws it.
gland = [(302, 285), (325, 362), (400, 380), (485, 372), (506, 330), (470, 280), (380, 250)]
session = ns.Session(model, embedding)
session.add(ns.Polygon(gland))
