"""`napari-seem series`: images labelled one after another, how far they are, and two compared."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .options import add_force, usage

if TYPE_CHECKING:
    from ..series.compare import Agreement
    from ..values import JsonObject


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    series = commands.add_parser(
        "series", help="label images one after another, see how far they are, compare two people",
        description="Open a series of images in napari, with the docks Annotate and Series.",
    )  # fmt: skip
    series.set_defaults(run=_series)
    series.add_argument("images", type=Path, nargs="+", help="a folder, or files")
    series.add_argument("--labels", type=Path, metavar="FOLDER",
                        help="for labels and marks; else `labels` beside the images")  # fmt: skip
    series.add_argument("--annotator", default="", metavar="NAME",
                        help="noted with marks; by default the user's name")  # fmt: skip
    series.add_argument("--status", action="store_true",
                        help="print progress and objects of each class, no window")  # fmt: skip
    series.add_argument("--compare", type=Path, nargs=2, metavar=("A", "B"),
                        help="compare two people's labels folders, no window")  # fmt: skip
    series.add_argument("--iou", type=float, default=0.5,
                        help="objects agree from this overlap on (0.5)")  # fmt: skip
    series.add_argument("-o", "--output", type=Path,
                        help="with --status or --compare: .csv or .json to write")  # fmt: skip
    add_force(series)


def _series(options: argparse.Namespace) -> int:
    if options.output is not None and options.output.suffix not in (".csv", ".json"):
        raise usage(f"'{options.output}' must end in .csv or .json")
    if not 0 < options.iou <= 1:
        raise usage(f"--iou {options.iou:g} is no overlap; give a number from 0 to 1, such as 0.5")
    if options.output is not None:
        from ..io.formats import check_output

        columns = ("image", "verdict", "iou") if options.compare else ("image", "state", "note")
        check_output(options.output, options.images, force=options.force, columns=columns)
    if options.compare:
        return _compare(options)
    if options.status:
        return _status(options)
    if options.output is not None:
        raise usage("-o goes with --status or --compare")
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        raise usage("there is no display to open a window on; --status and --compare need none")
    from ..widgets.series.window import run

    return run(options.images, options.labels, options.annotator)


def _status(options: argparse.Namespace) -> int:
    """Print how far a series is."""
    from ..series.series import Series, summary

    series = Series.of_files(options.images, options.labels, options.annotator)
    series.count()
    print("\n".join(summary(series)))
    rows = [
        {
            "image": mark.image, "state": mark.state, "annotator": mark.annotator,
            "time": mark.time, "note": mark.note, "objects": sum(mark.counts.values()),
        }
        for mark in map(series.mark_of, range(len(series.images)))
    ]  # fmt: skip
    _write(options.output, rows, {"states": series.states(), "classes": series.counts()})
    return 0


def _compare(options: argparse.Namespace) -> int:
    """Compare two people's labels; print agreement by image, then all of it."""
    from ..series.compare import ObjectPair, agreement, compare_folders
    from ..series.listing import list_images

    root, images = list_images(options.images)
    a, b = (_folder(path, root) for path in options.compare)
    every: list[ObjectPair] = []
    per_image: dict[str, object] = {}
    for name, pairs in compare_folders(images, a, b, options.iou):
        every += pairs
        per_image[name] = agreement(pairs).to_dict()
        print(f"{name}: {_line(agreement(pairs))}")
    total = agreement(every)
    left_out = len(images) - len(per_image)
    note = f"; {left_out} images without labels of both" if left_out else ""
    print(f"all {len(per_image)} images: {_line(total)}{note}")
    _write(
        options.output,
        [pair.to_row() for pair in every],
        {"all": total.to_dict(), "images": per_image},
    )
    return 0


def _folder(path: Path, root: Path) -> Path:
    """A labels folder: as it was given, from the images' folder, or from the labels there."""
    places = (path, root / path, root / "labels" / path)
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise usage(f"there is no folder '{path}', neither here nor in '{root}'")
    return found


def _line(found: Agreement) -> str:
    said = (
        f"{found.objects_a} and {found.objects_b} objects, {found.matched} in both "
        f"(F1 {found.f1:.2f})"
    )
    if not found.matched:
        return said
    return f"{said}, mean IoU {found.iou:.2f}, {found.same_class} of the same class"


def _write(path: Path | None, rows: list[JsonObject], about: JsonObject) -> None:
    """Write rows as CSV, or with what they come to as JSON, or nowhere."""
    if path is None:
        return
    from ..io.writing.whole import replacing

    with replacing(path) as (part,):
        if path.suffix == ".json":
            document = {"napari-seem": 1, **about, "rows": rows}
            part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        else:
            with part.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]) if rows else ["image"])
                writer.writeheader()
                writer.writerows(rows)
    print(f"{len(rows)} rows -> {path}", file=sys.stderr)
