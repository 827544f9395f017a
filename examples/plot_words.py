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
picture = mosaic(size=512).image
model.segment(model.encode(picture), "building")

# %%
# All nuclei on some planes of a stack, the plane with the most of them first.
planes = ns.plane_sources_of_array(stack().image[10:14])
finding = ns.find(model, planes, "nucleus")
finding
