"""
From a napari layer, by script
==============================

A script can work on the layers of a running viewer: clicks are the points of a Points layer, and
what comes out is a Labels layer with the geometry of the image and a table of its objects.
"""

import napari
import numpy as np

import napari_seem as ns
from napari_seem.samples import stack

viewer = napari.Viewer()
image = viewer.add_layer(napari.layers.Layer.create(*stack().layer()))
viewer.dims.set_current_step(0, 12)

# %%
# Points on three nuclei of plane 12, as a person would add them: in array coordinates (z, y, x).
truth = stack().truth[12]
largest = np.argsort(np.bincount(truth[truth > 0]))[-3:]
at = [np.argwhere(truth == number).mean(0) for number in largest]
clicks = viewer.add_points(
    np.column_stack([np.full(3, 12), at]), scale=image.scale, units=image.units, name="clicks",
    size=6, face_color="lime",
)  # fmt: skip

# %%
# The plane that is shown, one object for each point.
model = ns.load_model("compact")
plane = np.asarray(image.data[12])
objects = ns.segment_objects(model, plane, clicks.data[:, 1:])

labels = np.zeros(image.data.shape, np.uint16)
labels[12] = objects.labels
layer = viewer.add_labels(labels, name="nuclei", scale=image.scale, units=image.units)
table = ns.ObjectTable({i: ns.ObjectRecord("nucleus", model=model.name) for i in (1, 2, 3)})
layer.features = table.to_features()

# %%
# Some planes up and down from there.
work = ns.propagate(model, image.data, {12: labels[12]}, within=(9, 15))
layer.data = np.asarray(work.labels, np.uint16)

napari.run()
