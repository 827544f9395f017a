"""`napari-seem segment`: objects of one image file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import WRITTEN, add_look, look_of, numbers, usage, words

if TYPE_CHECKING:
    from ..edits import ObjectTable
    from ..models.base import Embedding, Model
    from ..models.filters import Wanted
    from ..prompts import Prompt
    from ..tiling import TiledModel


def add_to(commands: Any) -> None:
    """Add the command to a parser."""
    segment = commands.add_parser("segment", help="segment one image file")
    segment.set_defaults(run=_segment)
    segment.add_argument("image", type=Path)
    segment.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help=WRITTEN,
    )
    segment.add_argument("--model", default="compact")
    segment.add_argument("--point", action="append", default=[], metavar="Y,X")
    segment.add_argument("--not-point", action="append", default=[], metavar="Y,X")
    segment.add_argument("--box", action="append", default=[], metavar="Y0,X0,Y1,X1")
    segment.add_argument("--word", help="find all objects of this name")
    segment.add_argument("--everything", action="store_true", help="find all objects")
    segment.add_argument("--min-area", type=int, default=0, metavar="PIXELS")
    segment.add_argument("--max-area", type=int, default=0, metavar="PIXELS")
    segment.add_argument("--min-score", type=float, default=0.0, metavar="0..1")
    segment.add_argument("--names", type=words, metavar="WORD,WORD",
                         help="of everything, only objects with these names")  # fmt: skip
    add_look(segment)


def _segment(options: argparse.Namespace) -> int:
    """Segment one image file and write labels and their table."""
    from ..io.files import write_labels
    from ..io.images import open_plane
    from ..models.registry import load_model
    from ..tiling import TiledModel, is_big

    prompts = _prompts(options)
    whole = options.everything or (options.word and not prompts)
    if not prompts and not whole:
        raise usage("give --point, --box, --word or --everything")
    wanted = _wanted(options, bool(whole))
    names = [options.word] if options.word else options.names
    model: Any = load_model(options.model)
    image, grid = open_plane(options.image)
    look = look_of(options).settled(image, image.ndim == 3)
    image = look.apply(image)
    if is_big(image.shape):
        model = TiledModel(model)
    if whole and is_big(image.shape):
        labels, table = _all_of_big(model, image, names, wanted)
    elif whole:
        labels, table = _all_objects(model, model.encode(image), names, wanted)
    else:
        labels, table = _one_object(model, model.encode(image), prompts)
    about = {"image": options.image.name, "model": options.model, "shown": look.told()}
    write_labels(options.output, labels, grid, table, about)
    print(f"{len(table)} objects, {int((labels > 0).sum())} pixels -> {options.output}")
    return 0


def _one_object(
    model: Model, embedding: Embedding, prompts: list[Prompt]
) -> tuple[Any, ObjectTable]:
    from ..edits import ObjectRecord, ObjectTable

    found = model.predict(embedding, prompts)
    record = ObjectRecord(found.label or "", round(found.score, 3), model.name, len(prompts))
    return found.mask.astype("uint16"), ObjectTable({1: record})


def _wanted(options: argparse.Namespace, whole: bool) -> Wanted:
    """The bounds on objects; refused before a model is loaded."""
    from ..models.filters import Wanted

    wanted = Wanted(options.min_area, options.max_area, options.min_score)
    if not whole and (wanted != Wanted() or options.names):
        raise usage("--min-area, --max-area, --min-score and --names go with --everything")
    if options.word and options.names:
        raise usage("give --word or --names, not both")
    return wanted


def _all_objects(
    model: Model, embedding: Embedding, names: list[str] | None, wanted: Wanted
) -> tuple[Any, ObjectTable]:
    from ..edits import ObjectRecord, ObjectTable
    from ..models.filters import filtered

    found = filtered(model.segment(embedding, names), wanted)
    return found.labels, ObjectTable({
        number: ObjectRecord(instance.label or "", round(instance.score, 3), model.name)
        for number, instance in enumerate(found.instances, start=1)
    })  # fmt: skip


def _all_of_big(
    tiled: TiledModel, image: Any, names: list[str] | None, wanted: Wanted
) -> tuple[Any, ObjectTable]:
    """Find the objects of an image too big for one pass, with a line of progress."""
    import numpy as np

    from ..edits import ObjectRecord, ObjectTable
    from ..tiling import segment_tiled

    def show(done: int, total: int) -> None:
        print(f"\r{100 * done // total} %", end="", file=sys.stderr)

    found = segment_tiled(tiled.model, image, names, progress=show)
    print(file=sys.stderr)
    kept = [one for one in found.objects if wanted.admits(one.area, one.score, one.name)]
    labels = found.labels
    if len(kept) < len(found.objects):
        labels = np.where(np.isin(labels, [one.label_id for one in kept]), labels, 0)
    return labels, ObjectTable({
        one.label_id: ObjectRecord(one.name or "", round(one.score, 3), tiled.name)
        for one in kept
    })  # fmt: skip


def _prompts(options: argparse.Namespace) -> list[Prompt]:
    from ..prompts import Box, Point, Text

    prompts: list[Prompt] = []
    for positive, texts in ((True, options.point), (False, options.not_point)):
        for y, x in (numbers(text, 2) for text in texts):
            prompts.append(Point(y, x, positive))
    for y0, x0, y1, x1 in (numbers(text, 4) for text in options.box):
        prompts.append(Box(y0, x0, y1, x1))
    if options.word and prompts:
        prompts.append(Text(options.word))
    return prompts
