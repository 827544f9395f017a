"""
A box, and a correction
=======================

A box says how large the object is. Where the mask still takes too much or too little, a click
changes it near the click.
"""

import skimage.data

import napari_seem as ns

image = skimage.data.coffee()
model = ns.load_model("compact")
session = ns.Session(model, model.encode(image))

# %%
# Boxes are half-open: rows 5 to 379, columns 70 to 484, around cup and saucer.
session.add(ns.Box(5, 70, 380, 485))

# %%
# The coffee is not wanted: one negative click into it.
session.add(ns.Point(195, 265, positive=False))

# %%
# ``undo`` takes the last prompt back and gives the mask as it was before.
session.undo()
session.prediction
