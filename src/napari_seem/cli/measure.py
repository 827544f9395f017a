"""`napari-seem measure`: size, extent, position and intensity of every object of a label file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .options import add_force, usage

if TYPE_CHECKING:
    from ..images import ArraySource
    from ..io.grid import Grid
    from ..io.opened import Opened


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    measures = commands.add_parser("measure", help="measure the objects of a label file")
    measures.set_defaults(run=_measure)
    measures.add_argument("labels", type=Path, metavar="LABELS",
                          help="label file, of any format that is read")  # fmt: skip
    measures.add_argument("--image", type=Path,
                          help="measure the intensities of this image, too")  # fmt: skip
    measures.add_argument("--channel", type=int, metavar="N",
                          help="of the image, numbered from 0")  # fmt: skip
    measures.add_argument("--spacing", metavar="Z,Y,X", help="size of a pixel along every axis, "
                          "where the files don't say it")  # fmt: skip
    measures.add_argument("--unit", help="of the spacing, such as um")
    measures.add_argument("-o", "--output", type=Path, help="table to write, .csv")
    add_force(measures)


def _measure(options: argparse.Namespace) -> int:
    """Print or write a table with a row per object."""
    from ..io.files import open_image, open_labels
    from ..io.formats import check_output
    from ..labels.measure import measure, write_csv, write_rows

    if options.output and options.output.suffix.lower() != ".csv":
        raise usage(f"'{options.output.name}' can't be written as a table; use .csv")
    inputs = (options.labels, options.image)
    check_output(options.output, inputs, force=options.force, columns=("id", "pixels", "unit"))
    opened = None if options.image is None else open_image(options.image)
    labels = open_labels(options.labels, None if opened is None else opened.grid)
    grid = _grid(options, labels.grid)
    image = None if opened is None else _channel(opened, options.channel)
    shown = options.output is not None and sys.stderr.isatty()
    found = measure(labels.data, image, grid=grid, table=labels.table, progress=shown)
    if options.output is None:
        write_rows(sys.stdout, found)
    else:
        write_csv(options.output, found)
        print(f"{len(found['id'])} objects -> {options.output}")
    return 0


def _grid(options: argparse.Namespace, grid: Grid) -> Grid:
    """The grid of the files, or what the options say of it."""
    from ..io.grid import Grid
    from .options import numbers

    if options.spacing is None and options.unit is None:
        return grid
    text = options.spacing or ",".join(["1"] * grid.ndim)
    sizes = numbers(text, grid.ndim)
    if min(sizes) <= 0:
        raise usage(f"--spacing is sizes above 0, got {text}")
    return Grid.scaled(grid.shape, grid.axes, sizes, units=(options.unit or "pixel",) * grid.ndim)


def _channel(image: Opened, number: int | None) -> ArraySource:
    """The pixels of a channel; those of colours or of a lone channel without a number."""
    import numpy as np

    axis = image.channel_axis
    if axis is None or (number is None and image.rgb):
        return image.data
    count = image.data.shape[axis]
    if number is None and count > 1:
        raise usage(f"the image has {count} channels; choose one by --channel 0 to {count - 1}")
    if not 0 <= (number or 0) < count:
        raise usage(f"there is no channel {number}; choose 0 to {count - 1}")
    return np.take(np.asarray(image.data), number or 0, axis)
