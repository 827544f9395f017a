"""
Everything on an image of nuclei
================================

``model.segment`` proposes all objects of an image. What is too small or too uncertain is left out by
:class:`~napari_seem.Wanted`.
"""

import napari_seem as ns
from napari_seem.samples import stack

nuclei = stack()  # drawn, with its ground truth
image, truth = nuclei.image[12], nuclei.truth[12]

model = ns.load_model("compact")
embedding = model.encode(image)
found = model.segment(embedding)
print(len(found), "objects are proposed")

# %%
# Those of at least 60 pixels.
found = ns.filtered(found, ns.Wanted(min_area=60, min_score=0.2))
found

# %%
# ``found.labels`` is an ordinary array of ids, and each instance has its box, area and score.
hit = sum(
    bool((found.labels[truth == number] > 0).mean() > 0.5) for number in set(truth[truth > 0])
)
print(f"{hit} of {len(set(truth[truth > 0]))} nuclei are covered by more than half")

# %%
# A word leaves out what is something else.
model.segment(embedding, "nucleus")
