"""
Label one plane like another
============================

A labelled example says what to label, without a word. The rest is labelled like it.
"""

import numpy as np
from PIL import Image
from skimage.color import label2rgb
from skimage.exposure import rescale_intensity
from skimage.util import img_as_ubyte

import napari_seem as ns
from napari_seem.samples import stack

nuclei = stack()  # drawn, with its ground truth
shown, other = nuclei.image[12, :160, :160], nuclei.image[17, :160, :160]


def picture(image, labels):
    """Draw labels over an image."""
    gray = rescale_intensity(image, out_range=(0.0, 1.0))
    return Image.fromarray(img_as_ubyte(label2rgb(labels, gray, bg_label=0))).resize((384, 384))


# %%
# The example: a plane whose nuclei are labelled. It could be one that a person labelled by hand.
labels = nuclei.truth[12, :160, :160].astype(np.uint16)
picture(shown, labels)

# %%
# Another plane, labelled like it. ``"instance"`` says that ids are objects of one kind.
model = ns.load_model("compact")
result = ns.label_like(model, (shown, labels), other, kind="instance")
picture(other, result.labels)

# %%
# Compared with the truth of that plane.
found, there = result.labels > 0, nuclei.truth[17, :160, :160] > 0
print(
    f"{result.labels.max()} objects, IoU with the truth {(found & there).sum() / (found | there).sum():.2f}"
)
