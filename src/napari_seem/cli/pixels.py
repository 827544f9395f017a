"""`napari-seem pixels`: classify pixels from a few strokes, or by a saved classifier."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .options import add_force, add_model, models_for, usage, words

if TYPE_CHECKING:
    from ..models.base import Model
    from ..pixel_classes import PixelClassifier
    from ..values import JsonObject

KEPT = "pixel-classes.safetensors"
"""Where the classifier is written in the output folder, if nothing else is asked for."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    pixels = commands.add_parser("pixels", help="classify pixels from a few strokes")
    pixels.set_defaults(run=_run)
    pixels.add_argument("images", type=Path, nargs="*", help="images and folders to classify")
    pixels.add_argument("--strokes", type=Path, nargs=2, action="append", default=[],
                        metavar=("IMAGE", "STROKES"),
                        help="an image and the label file of its strokes; may be given several "
                        "times")  # fmt: skip
    pixels.add_argument("--names", type=words, default=[], metavar="1=vessel,2=background",
                        help="names of the classes")  # fmt: skip
    pixels.add_argument("-o", "--output", type=Path, required=True, help="folder for label files")
    pixels.add_argument("--save", type=Path, metavar="FILE",
                        help=f"write the classifier here ({KEPT} in the folder)")  # fmt: skip
    pixels.add_argument("--plain", action="store_true", help="use plain filters only, no model")
    add_pixels(pixels)
    add_model(pixels)
    add_force(pixels)


def add_pixels(command: argparse._ActionsContainer) -> None:
    """The options of classified pixels, which `batch pixels` has too."""
    command.add_argument("--classifier", type=Path, metavar="FILE", help="a saved classifier; "
                         "with strokes, it learns them as well")  # fmt: skip
    command.add_argument("--objects", type=words, metavar="CLASS,CLASS",
                         help="write objects of these classes, numbered, instead of the "
                         "classes")  # fmt: skip
    command.add_argument("--smallest", type=int, metavar="PIXELS",
                         help="leave out smaller objects")  # fmt: skip
    command.add_argument("--split", action="store_true", help="split objects at narrow places")
    command.add_argument("--probabilities", action="store_true",
                         help="also write the probabilities of the classes")  # fmt: skip


def pixel_options(options: argparse.Namespace) -> JsonObject:
    """Return the options of `add_pixels` as a batch takes them."""
    objects = options.objects and [int(one) if one.isdigit() else one for one in options.objects]
    return {"objects": objects, "smallest": options.smallest, "split": options.split,
            "probabilities": options.probabilities}  # fmt: skip


def _run(options: argparse.Namespace) -> int:
    """Fit a classifier to strokes, or take a saved one, and classify images."""
    from ..batch import plan, run

    if not options.strokes and options.classifier is None:
        raise usage("there is nothing to learn from; give --strokes IMAGE STROKES, or --classifier")
    path = options.classifier
    if options.strokes:
        classifier = _fit(options)
        path = options.save or options.output / KEPT
        path.parent.mkdir(parents=True, exist_ok=True)
        classifier.save(path)
        print(f"{classifier} -> {path}")
    if not options.images:
        return 0
    how = {"model": options.model, "classifier": path, **pixel_options(options)}
    tasks = plan("pixels", options.images, options.output, how)
    report = run(tasks, options.output, force=options.force, again=True)
    print(report)
    return report.exit_code


def _fit(options: argparse.Namespace) -> PixelClassifier:
    """Fit a classifier to the strokes of files."""
    import numpy as np

    from ..io.files import read_labels
    from ..io.images import open_plane
    from ..pixel_classes import PixelClassifier

    model: Model | None = None if options.plain else models_for().model(options.model)
    examples = []
    for image, strokes in options.strokes:
        pixels, _ = open_plane(image)
        examples.append((pixels, np.asarray(read_labels(strokes, shape=pixels.shape[:2])[0])))
        print(f"strokes of {image}", file=sys.stderr)
    before = options.classifier and PixelClassifier.load(options.classifier, model)
    return PixelClassifier.fit(model, examples, names=_names(options.names), also=before)


def _names(given: list[str]) -> dict[int, str]:
    """Read names of classes such as '1=vessel'."""
    found = {}
    for one in given:
        number, _, name = one.partition("=")
        if not number.strip().isdigit() or not name.strip():
            raise usage(f"'{one}' names no class; give --names 1=vessel,2=background")
        found[int(number)] = name.strip()
    return found
