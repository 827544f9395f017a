#!/bin/sh
# Make a virtual environment: make-venv.sh PYTHON FOLDER. Says what is missing where it can't.
set -eu
python=$1
folder=$2
"$python" - <<'CHECK'
import sys

if sys.version_info < (3, 11):
    sys.exit(f"napari-seem needs Python 3.11 or newer, this is {sys.version.split()[0]}: "
             "run make with PYTHON=/path/to/python3.11")
CHECK
if [ ! -x "$folder/bin/python" ] || ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$folder"
    if ! "$python" -m venv "$folder" 2>/dev/null; then
        rm -rf "$folder"
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv
            "$python" -m venv "$folder"
        else
            echo "Python has no venv module here. Type: sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
fi
