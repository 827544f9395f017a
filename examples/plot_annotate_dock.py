"""
The docks, by script
====================

The Annotate dock can be opened, filled and used from a script, for a workshop or to begin a session
with everything in its place. Prompts are layers, so a script adds them as a person does.
"""

import napari
import skimage.data

from napari_seem.demo.gestures import perform
from napari_seem.demo.script import Click, DragBox
from napari_seem.widgets.annotate.dock import AnnotateWidget

viewer = napari.Viewer()
viewer.add_image(skimage.data.coins(), name="coins")
dock = AnnotateWidget(viewer)
viewer.window.add_dock_widget(dock, name="Annotate", area="right")

# %%
# A click, a name, and the object is in a Labels layer.
perform(dock, Click((130, 120)))
dock.panel.name.setText("coin")
dock.commit()

# %%
# A box for the next one; it stays as a preview until it is taken.
perform(dock, DragBox((158, 323), (215, 380)))

napari.run()
