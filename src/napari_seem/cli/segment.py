"""`napari-seem segment`: objects of one image file."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .options import (
    WRITTEN,
    add_bounds,
    add_library,
    add_window,
    numbers,
    usage,
    window_from,
    words,
)
from .recording import content_of, segmented
from .whole_image import Question, Written, find_all, labelled_pixels

if TYPE_CHECKING:
    from ..io.grid import Grid
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
    add_bounds(segment)
    segment.add_argument("--names", type=words, metavar="WORD,WORD",
                         help="of everything, only objects with these names")  # fmt: skip
    segment.add_argument("--semantic", type=Path, metavar="FILE",
                         help="write the name of every pixel, too")  # fmt: skip
    segment.add_argument("--panoptic", type=Path, metavar="FILE",
                         help="write objects and stuff (sky, tissue) in one map, too")  # fmt: skip
    add_window(segment)
    add_library(segment)


def _segment(options: argparse.Namespace) -> int:
    """Segment one image file and write labels and their table."""
    from ..concepts import with_library
    from ..intensity import windowed_in_parts
    from ..io.images import open_lazily
    from ..labels.provenance import model_to_dict
    from ..models.registry import load_model
    from ..sources import is_big

    prompts = _prompts(options)
    whole = bool(options.everything or (options.word and not prompts))
    if not prompts and not whole:
        raise usage("give --point, --box, --word or --everything")
    paths = _paths(options)
    asked = _question(options, whole, tuple(name for name in paths if name != "objects"))
    model: Any = with_library(load_model(options.model), options.library)
    image, grid = open_lazily(options.image)
    look = window_from(options).resolved(image, image.ndim == 3)
    about = {"image": options.image.name, "model": options.model, "shown": look.to_dict()}
    plain = image
    if is_big(image.shape):
        image = windowed_in_parts(image, look, image.ndim == 3)
    else:
        image = look.apply(np.asarray(image))

    def answer(out: Any = None) -> dict[str, Written]:
        if whole:
            return find_all(model, image, asked, out)
        return {"objects": _one_object(model, image, prompts, out)}

    written = _written(options, paths, grid, about, answer, is_big(image.shape))
    for what, path in paths.items():
        labels, table = written[what]
        kind = "objects" if what == "objects" else f"regions, {what}"
        print(f"{len(table)} {kind}, {labelled_pixels(labels)} pixels -> {path}")
    told = asked.told(image) if whole else _told(prompts)
    segmented(options.output, plain, options.image, look, *written["objects"],
              **told, model=model_to_dict(model.name, model),
              content=content_of(image))  # fmt: skip
    return 0


def _told(prompts: list[Prompt]) -> dict[str, Any]:
    from ..labels.provenance import prompts_to_dict

    return {"prompts": prompts_to_dict(prompts), "turns": [len(prompts)], "ids": [1]}


def _written(
    options: argparse.Namespace, paths: Mapping[str, Path], grid: Grid, about: dict[str, Any],
    answer: Callable[..., dict[str, Written]], big: bool,
) -> dict[str, Written]:  # fmt: skip
    """What was found, written; the objects of a big image go into a .zarr as they come."""
    from ..io.files import ending, growing_labels, read_labels, write_labels

    if not big or ending(paths["objects"]) != ".zarr":
        found, left = _complete(answer(), options, paths), dict(paths)
    else:
        with growing_labels(paths["objects"], grid) as growing:
            found = _complete(answer(growing.array), options, paths)
            growing.table, growing.about = found["objects"][1], about
        found["objects"] = read_labels(growing.path)
        left = {what: path for what, path in paths.items() if what != "objects"}
    for what, path in left.items():
        labels, table = found[what]
        write_labels(path, labels, grid, table, about)
    return found


def _complete(
    found: dict[str, Written], options: argparse.Namespace, paths: Mapping[str, Path]
) -> dict[str, Written]:
    """What was found, if it is all that is to be written."""
    for what in set(paths) - set(found):
        raise usage(f"model '{options.model}' gives no {what} map; leave --{what} out")
    return found


def _one_object(model: Any, image: Any, prompts: list[Prompt], out: Any = None) -> Written:
    from ..edits import ObjectRecord, ObjectTable
    from ..prompts import Text
    from ..sources import TiledModel, is_big

    if is_big(image.shape):
        model = TiledModel(model)
    found = model.predict(model.encode(image), prompts)
    word = found.label if any(isinstance(prompt, Text) for prompt in prompts) else None
    record = ObjectRecord.made(word, found.score, model.name, len(prompts))
    table = ObjectTable({1: record})
    if out is None:
        return found.mask.astype("uint16"), table
    mask, (y, x) = found.cut_out()
    out[y : y + mask.shape[0], x : x + mask.shape[1]] = mask.astype(out.dtype)
    return out, table


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
