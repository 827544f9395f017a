"""
Label one image like another
============================

A labelled example says what to label, without a word. The rest is labelled like it.
"""

import numpy as np
import skimage.data
from PIL import Image
from skimage.color import label2rgb
from skimage.util import img_as_ubyte

import napari_seem as ns

image = skimage.data.coins()
upper, lower = image[:160], image[160:]
model = ns.load_model("compact")

# %%
# The example: the upper half, with its coins labelled by a click each.
clicks = [(52, 45), (52, 108), (52, 170), (52, 228), (52, 288), (52, 348),
          (130, 45), (130, 120), (130, 175), (130, 235), (130, 290), (130, 345)]  # fmt: skip
shown = ns.segment_objects(model, upper, clicks)
shown

# %%
# The lower half, labelled like it: one class, of any number of objects.
coins = (shown.labels > 0).astype(np.uint16)
result = ns.label_like(model, (upper, coins), lower)
print(f"{np.mean(result.labels > 0):.0%} of the lower half is coin, sure by {result.score:.2f}")

# %%
Image.fromarray(img_as_ubyte(label2rgb(result.labels, lower, bg_label=0)))
