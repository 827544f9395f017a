"""
Click, look, correct, keep
==========================

A click finds an object; a click on what the mask should not cover corrects it. A
:class:`~napari_seem.Session` holds the prompts of one object and turns them into labels.
"""

import numpy as np
import skimage.data

import napari_seem as ns

image = skimage.data.coins()
model = ns.load_model("compact")
embedding = model.encode(image)  # once per image, every click after that is quick

# %%
# One positive click, at (row, column), on a coin.
session = ns.Session(model, embedding)
session.add(ns.Point(130, 120))

# %%
# A negative click on the coin below keeps it out of the mask.
session.add(ns.Point(165, 120, positive=False))

# %%
# What is committed is an edit of a label array: it changes the pixels of the object and no others,
# and can be reverted.
labels = np.zeros(image.shape, np.uint16)
edit = session.commit(1, labels)
edit.apply(labels)
print(np.count_nonzero(labels), "pixels are labelled 1")
