#!/bin/sh
# Make a virtual environment with the oldest napari that pyproject.toml allows:
# oldest-napari.sh PYTHON FOLDER. Everything else is as in constraints.txt, as far as that napari
# takes it.
set -eu
python=$1
folder=$2
oldest=$(sed -n 's/^ *"napari>=\([0-9.]*\).*/\1/p' pyproject.toml)
sh tools/make-venv.sh "$python" "$folder"
pip="$folder/bin/python -m pip install --quiet --disable-pip-version-check"
# What napari names with an upper bound may have to be older than in constraints.txt.
own="napari|app-model|npe2|vispy|superqt|magicgui|psygnal|pydantic|pydantic_core"
own="$own|pydantic-extra-types|pydantic-settings|in-n-out"
grep -vE "^($own)==" constraints.txt >"$folder/constraints.txt"
$pip -c constraints.txt torch
$pip -c "$folder/constraints.txt" -e ".[dev]" "napari==$oldest"
"$folder/bin/python" -c 'import importlib.metadata as m; print("napari", m.version("napari"))'
