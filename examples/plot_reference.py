"""
Point at a region of another image
==================================

A region of one image is a prompt on another: "what looks like this".
"""

import skimage.data

import napari_seem as ns

image = skimage.data.coins()
model = ns.load_model("compact")

# %%
# A coin of the upper half.
upper = model.encode(image[:160])
coin = ns.Session(model, upper).add(ns.Point(130, 120))
coin

# %%
# What looks like it in the lower half. The answer is one region of all places.
lower = model.encode(image[160:])
model.predict(lower, [ns.Reference(upper, coin.mask)])

# %%
# With a click, it is the object under the click.
model.predict(lower, [ns.Reference(upper, coin.mask), ns.Point(45, 110)])
