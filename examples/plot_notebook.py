"""
In a notebook, without napari
=============================

napari is not needed to segment: answers show themselves on their image when they are the last line
of a cell, with a table of what was found.
"""

import skimage.data

import napari_seem as ns

model = ns.load_model("compact")
embedding = model.encode(skimage.data.coffee())

# %%
# A prediction: the mask, its score, and what the model takes it for.
model.predict(embedding, [ns.Box(5, 70, 380, 485)])

# %%
# A session: its prompts and the present mask.
session = ns.Session(model, embedding)
session.add(ns.Point(195, 265))
session.add(ns.Point(330, 265, positive=False))
session

# %%
# The mask is a numpy array, and so is everything else.
prediction = session.prediction
print(prediction.mask.shape, prediction.mask.dtype, round(prediction.score, 2))
