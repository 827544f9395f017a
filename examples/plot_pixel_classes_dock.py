"""
Pixel classes in the viewer
===========================

Vessels, roads, cracks and membranes are no objects to be clicked on. A few strokes of napari's own
brush teach what they are, and every pixel is classified after each stroke. A script does what a
person does: it paints in the layer of strokes.
"""

import napari
import numpy as np
import skimage.data

from napari_seem.demo.gestures import wait_until
from napari_seem.widgets.pixel_classes.dock import PixelClassesWidget

viewer = napari.Viewer()
viewer.add_image(skimage.data.brick()[:256, :256], name="bricks")
dock = PixelClassesWidget(viewer)
viewer.window.add_dock_widget(dock, name="Pixel classes", area="right")

# %%
# One stroke along a joint, one on a brick; the classes are renamed as one would in the list.
dock.brush.rename("object", "joint")
dock.brush.rename("background", "brick")
dock.paint()
strokes = dock.strokes.layer
strokes.brush_size = 3
for label, (rows, columns) in enumerate(
    [(np.s_[60:61], np.s_[40:59]), (np.s_[95:140], np.s_[74:75])], 1
):
    with strokes.block_history():
        for row in range(rows.start, rows.stop):
            for column in range(columns.start, columns.stop):
                strokes.paint((row, column), label)
wait_until(lambda: dock.answer is not None)

# %%
# The classes of the plane as labels, in one step.
dock.write()
wait_until(lambda: "bricks classes" in viewer.layers)

napari.run()
