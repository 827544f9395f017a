"""
Teach a word
============

A word that the model does not know is taught by marking objects, and works from then on wherever
words do.
"""

import numpy as np
import skimage.data

import napari_seem as ns

image, other = skimage.data.coins()[:160], skimage.data.coins()[160:]
model = ns.load_model("compact")

# %%
# Three coins of the upper half are marked by a click each.
marked = ns.segment_objects(model, image, [(130, 120), (130, 45), (50, 170)])
marked

# %%
# They are what "old coin" means. Examples are images with labels, any id counts.
labels = marked.labels.astype(np.uint16)
concept = ns.teach_word(model, "old coin", [ns.Shown(image, labels)], synonyms=["drachma"])
taught = model.with_words(ns.ConceptLibrary((concept,)))

# %%
# On the lower half, which the model was not shown.
taught.segment(taught.encode(other), "old coin")
