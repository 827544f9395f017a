"""`napari-seem segment`: objects of one image file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import WRITTEN, add_look, look_of, numbers, usage, words
from .whole_image import Question, find_all

if TYPE_CHECKING:
    from ..edits import ObjectTable
    from ..prompts import Prompt


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
    segment.add_argument("--semantic", type=Path, metavar="FILE",
                         help="write the name of every pixel, too")  # fmt: skip
    segment.add_argument("--panoptic", type=Path, metavar="FILE",
                         help="write objects and stuff (sky, tissue) in one map, too")  # fmt: skip
    add_look(segment)


def _segment(options: argparse.Namespace) -> int:
    """Segment one image file and write labels and their table."""
    from ..io.files import write_labels
    from ..io.images import open_plane
    from ..models.registry import load_model

    prompts = _prompts(options)
    whole = bool(options.everything or (options.word and not prompts))
    if not prompts and not whole:
        raise usage("give --point, --box, --word or --everything")
    paths = _paths(options)
    asked = _question(options, whole, tuple(name for name in paths if name != "objects"))
    model: Any = load_model(options.model)
    image, grid = open_plane(options.image)
    look = look_of(options).settled(image, image.ndim == 3)
    image = look.apply(image)
    if whole:
        found = find_all(model, image, asked)
    else:
        found = {"objects": _one_object(model, image, prompts)}
    about = {"image": options.image.name, "model": options.model, "shown": look.told()}
    for what in set(paths) - set(found):
        raise usage(f"model '{options.model}' gives no {what} map; leave --{what} out")
    for what, path in paths.items():
        labels, table = found[what]
        write_labels(path, labels, grid, table, about)
        kind = "objects" if what == "objects" else f"regions, {what}"
        print(f"{len(table)} {kind}, {int((labels > 0).sum())} pixels -> {path}")
    return 0


def _one_object(model: Any, image: Any, prompts: list[Prompt]) -> tuple[Any, ObjectTable]:
    from ..edits import ObjectRecord, ObjectTable
    from ..tiling import TiledModel, is_big

    if is_big(image.shape):
        model = TiledModel(model)
    found = model.predict(model.encode(image), prompts)
    record = ObjectRecord(found.label or "", round(found.score, 3), model.name, len(prompts))
    return found.mask.astype("uint16"), ObjectTable({1: record})


def _paths(options: argparse.Namespace) -> dict[str, Path]:
    """The files to write, by what they hold; no two may be the same."""
    given = {"objects": options.output, "semantic": options.semantic,
             "panoptic": options.panoptic}  # fmt: skip
    paths = {what: path for what, path in given.items() if path is not None}
    if len({path.resolve() for path in paths.values()}) < len(paths):
        raise usage("--output, --semantic and --panoptic are files of their own; name them apart")
    return paths


def _question(options: argparse.Namespace, whole: bool, maps: tuple[str, ...]) -> Question:
    """What is looked for; refused before a model is loaded."""
    from ..models.filters import Wanted

    wanted = Wanted(options.min_area, options.max_area, options.min_score)
    if not whole and (wanted != Wanted() or options.names or maps):
        raise usage(
            "--min-area, --max-area, --min-score, --names, --semantic and --panoptic go with "
            "--everything"
        )
    if options.word and options.names:
        raise usage("give --word or --names, not both")
    return Question([options.word] if options.word else options.names, wanted, maps)


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
