"""
Find what a word names
======================

The model knows the words of its training. They find all objects of a kind on one image, and on every
plane of a stack.
"""

import napari_seem as ns
from napari_seem.samples import mosaic, stack

model = ns.load_model("compact")
print(len(model.vocabulary()), "words, such as", ", ".join(model.vocabulary()[:6]))

# %%
# All roofs of a drawn mosaic.
picture = mosaic().image[:320, :320]
model.segment(model.encode(picture), "building")

# %%
# All nuclei on some planes of a stack, the surest first. ``find`` gives them plane by plane, so that a
# long search can be stopped.
planes = stack().image[10:14, :160, :160]
found = sorted(ns.find(model, planes, "nucleus"), key=lambda one: -one.score)
for one in found[:5]:
    print(f"plane {one.place.position}: {one.area} pixels at {one.bbox}, {one.score:.2f}")
