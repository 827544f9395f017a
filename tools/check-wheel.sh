#!/bin/sh
# Build sdist and wheel and use the wheel in a fresh environment, away from the checkout:
# check-wheel.sh PYTHON. The package is installed with torch for the processor, first without
# napari's window: a command finds an object. Then with it: napari finds the plugin, and a click on
# the canvas gives a mask. Last, whether PyPI takes both files and renders README.
set -eu
python=$1
here=$(pwd)
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
sh tools/make-venv.sh "$python" "$away/venv"
fresh="$away/venv/bin"
pip="$fresh/python -m pip --quiet --disable-pip-version-check"
$pip install build twine
"$fresh/python" -m build --outdir "$away/dist" . >/dev/null
"$fresh/python" -m twine check --strict "$away"/dist/*
$pip install -c constraints.txt torch
$pip install -c constraints.txt "$away"/dist/napari_seem-*.whl
cd "$away"
"$fresh/python" - "$here" <<'LAID'
import sys
from pathlib import Path

import numpy as np
import tifffile

import napari_seem

assert not Path(napari_seem.__file__).is_relative_to(sys.argv[1]), napari_seem.__file__
rows, cols = np.mgrid[:128, :128]
disc = (rows - 60) ** 2 + (cols - 70) ** 2 < 30**2
tifffile.imwrite("disc.tif", np.where(disc, 200, 40).astype(np.uint8))
LAID
"$fresh/napari-seem" models
"$fresh/napari-seem" info
"$fresh/napari-seem" segment disc.tif --point 60,70 -o labels.tif
"$fresh/python" - <<'LOOK'
import tifffile

found, disc = tifffile.imread("labels.tif") > 0, tifffile.imread("disc.tif") > 100
overlap = (found & disc).sum() / (found | disc).sum()
assert overlap > 0.9, f"the disc was found with an IoU of {overlap:.2f} only"
print(f"The wheel finds a disc with an IoU of {overlap:.2f}.")
LOOK
$pip install -c "$here/constraints.txt" "$(echo "$away"/dist/napari_seem-*.whl)[pyqt6]"
cat >click.py <<'CLICK'
import napari
import tifffile

from napari_seem.demo.gestures import perform
from napari_seem.demo.script import Click

viewer = napari.Viewer(show=True)
viewer.add_image(tifffile.imread("disc.tif"))
_, dock = viewer.window.add_plugin_dock_widget("napari-seem", "Annotate")
perform(dock, Click((60, 70)))
found = dock.annotator.prediction.mask
dock.commit()
disc = tifffile.imread("disc.tif") > 100
overlap = (found & disc).sum() / (found | disc).sum()
assert overlap > 0.9, f"a click in napari found the disc with an IoU of {overlap:.2f} only"
print(f"napari finds the plugin, and a click the disc, with an IoU of {overlap:.2f}.")
viewer.close()
CLICK
NAPARI_CONFIG="" sh "$here/tools/with-screen.sh" "$fresh/python" click.py
