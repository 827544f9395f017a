"""The job of the command line: an action is a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from . import data
from .judge import agreement, matches
from .person import Result


class Shell:
    """Runs commands as a person types them, and counts and times them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.actions, self.program = 0, 0.0
        self.stumbles: list[str] = []

    def type(self, line: str) -> bool:
        """Run a line of `napari-seem`; whether it worked."""
        self.actions += 1
        start = time.perf_counter()
        command = [sys.executable, "-m", "napari_seem.cli", *line.split()]
        done = subprocess.run(
            command, cwd=self.folder, env=dict(os.environ), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        self.program += time.perf_counter() - start
        if done.returncode:
            self.stumbles.append(f"{line}: {done.stderr.strip().splitlines()[-1:]}")
        return done.returncode == 0


def command_line(shell: Shell, folder: Path) -> Result:
    """Segment an image, measure by another format, propagate a stack, label like an example."""
    from napari_seem.io.files import read_labels
    from napari_seem.samples.drawn import stack

    one, other = (data.shared("microscopy/dsb2018", item, folder)
                  for item in ("53ad09e4348767be", "b1f23c4d27afed8a"))  # fmt: skip
    sample = stack(2, (12, 160, 160))
    assert sample.truth is not None
    _write(folder / "stack.tif", sample.image)
    seeds = np.where(np.arange(12)[:, None, None] == 6, sample.truth, 0)
    _write(folder / "seeds.tif", seeds.astype(np.uint16))
    lines = (
        f"segment {one.path.name} -o found.tif --everything --min-area 30",
        f"segment {one.path.name} -o found.geojson --everything --min-area 30",
        "propagate stack.tif seeds.tif -o carried.tif --find-new",
        f"label-like {other.path.name} --example {one.path.name} found.tif -o like --kind instance",
        f"find nucleus {one.path.name} -o words.csv",
    )
    worked = [shell.type(line) for line in lines]
    found, _ = read_labels(folder / "found.tif")
    again, _ = read_labels(folder / "found.geojson", shape=found.shape)
    carried, _ = read_labels(folder / "carried.tif")
    like = next((folder / "like").glob("*.tif"), None)
    labelled = np.zeros_like(other.truth) if like is None else read_labels(like)[0]
    text = (
        f"segment: {agreement(found, one.truth)}; GeoJSON equal: {np.array_equal(found, again)}; "
        f"propagate: {agreement(np.asarray(carried), sample.truth)}; "
        f"label-like: {agreement(np.asarray(labelled), other.truth)}"
    )
    good = all(worked) and len(matches(found, one.truth)) > 0.8 * one.truth.max()
    return Result(bool(good and np.array_equal(found, again)), text)


def _write(path: Path, array: np.ndarray) -> None:
    import tifffile

    tifffile.imwrite(path, array, imagej=True, metadata={"axes": "ZYX"})
