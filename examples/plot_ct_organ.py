"""
An organ through a CT, as DICOM-SEG
===================================

One click on one slice, carried through the series, and written as a DICOM segmentation that refers
to the slices it was made on. It needs ``pip install "napari-seem[medical]"``.
"""

from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pydicom

import napari_seem as ns
from napari_seem.intensity import IntensityWindow, windowed
from napari_seem.samples.files import write_ct_series

# %%
# A drawn abdomen of 24 slices, as files. What the model is shown is the soft tissue window, alike on
# every slice.
folder = Path(mkdtemp())
write_ct_series(folder / "abdomen")
scan = ns.open_image(folder / "abdomen")
volume = windowed(scan.data, IntensityWindow.named("soft tissue"))

# %%
# A click into the liver on slice 14.
model = ns.load_model("compact")
session = ns.Session(model, model.encode(volume[14]))
answer = session.add(ns.Point(112, 82))
answer

# %%
# From there through nine slices; without ``within`` it is to both ends of the series.
work = ns.propagate(model, volume, {14: answer.mask.astype(np.uint16)}, within=(10, 19))
work

# %%
# The segment gets the code of its name, the model, and its id.
labels = np.asarray(work.labels, np.uint16)
liver = ns.ObjectTable({1: ns.ObjectRecord("liver", round(answer.score, 3), model.name, 1)})
ns.write_labels(folder / "liver.dcm", labels, scan.grid, liver)

written = pydicom.dcmread(folder / "liver.dcm")
(segment,) = written.SegmentSequence
print(segment.SegmentLabel, segment.SegmentedPropertyTypeCodeSequence[0].CodeValue)
print(f"{np.count_nonzero(labels) * np.prod(scan.grid.spacing) / 1000:.0f} ml")
