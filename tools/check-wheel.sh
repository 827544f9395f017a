#!/bin/sh
# Build the wheel and use it in a fresh environment, away from the checkout: check-wheel.sh PYTHON.
# The package is installed with torch for the processor, and without napari's window.
set -eu
python=$1
here=$(pwd)
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
sh tools/make-venv.sh "$python" "$away/venv"
fresh="$away/venv/bin"
pip="$fresh/python -m pip --quiet --disable-pip-version-check"
$pip wheel --no-deps --wheel-dir "$away/wheel" .
$pip install -c constraints.txt torch
$pip install -c constraints.txt "$away"/wheel/napari_seem-*.whl
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
"$fresh/napari-seem" segment disc.tif --point 60,70 -o labels.tif
"$fresh/python" - <<'LOOK'
import tifffile

found, disc = tifffile.imread("labels.tif") > 0, tifffile.imread("disc.tif") > 100
overlap = (found & disc).sum() / (found | disc).sum()
assert overlap > 0.9, f"the disc was found with an IoU of {overlap:.2f} only"
print(f"The wheel finds a disc with an IoU of {overlap:.2f}.")
LOOK
