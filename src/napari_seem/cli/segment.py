"""`napari-seem segment`: objects of one image file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .image_files import segment_image
from .many import add_prompts, segment_rows
from .options import (
    WRITTEN,
    add_bounds,
    add_force,
    add_library,
    add_model,
    add_window,
    models_for,
    numbers,
    show_progress,
    usage,
    words,
)

if TYPE_CHECKING:
    from ..commands.models import KnownPlane
    from ..commands.workspace import Workspace
    from ..labels.document import LabelDocument
    from ..prompts import Prompt
    from ..values import JsonObject


class InOrder(argparse._AppendAction):
    """Appends to its own list, and to one of all such options, in the order in which they stand."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, *rest: Any) -> None:
        """Append a value."""
        super().__call__(parser, namespace, values, *rest)
        before = getattr(namespace, "in_order", [])
        namespace.in_order = [*before, (self.dest, values)]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    segment = commands.add_parser("segment", help="segment an image file")
    segment.set_defaults(run=_segment)
    segment.add_argument("image", type=Path, nargs="+",
                         help="several with --prompts, by its column image")  # fmt: skip
    segment.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help=WRITTEN,
    )
    add_model(segment)
    segment.add_argument("--point", action=InOrder, default=[], metavar="Y,X",
                         help="row and column of a pixel of the object")  # fmt: skip
    segment.add_argument("--not-point", action=InOrder, default=[], metavar="Y,X",
                         help="a pixel that is not of the object")  # fmt: skip
    segment.add_argument("--box", action=InOrder, default=[], metavar="Y0,X0,Y1,X1",
                         help="a box around the object, half-open")  # fmt: skip
    segment.add_argument("--answer", action=InOrder, default=[], metavar="N",
                         help="take the N-th answer to the prompts before it, and go on from it; "
                         "1 is the best")  # fmt: skip
    add_prompts(segment)
    segment.add_argument("--word", help="find all objects of this name")
    segment.add_argument("--everything", action="store_true", help="find all objects")
    add_bounds(segment)
    segment.add_argument("--names", type=words, metavar="WORD,WORD",
                         help="with --everything: keep these names only")  # fmt: skip
    segment.add_argument("--semantic", type=Path, metavar="FILE",
                         help="also write a map of the name of every pixel")  # fmt: skip
    segment.add_argument("--panoptic", type=Path, metavar="FILE",
                         help="also write objects and stuff (sky, tissue) in one map")  # fmt: skip
    add_window(segment)
    add_library(segment)
    add_force(segment)


def _segment(options: argparse.Namespace) -> int:
    """Segment one image file and write labels, their table and the log."""
    from ..io.formats import check_output

    if options.prompts is not None:
        return segment_rows(options)
    if len(options.image) > 1 or options.table or options.context:
        raise usage(
            "several images, --table and --context need --prompts; see also napari-seem batch"
        )
    prompts, answers = _prompts(options)
    whole = bool(options.everything or (options.word and not prompts))
    if not prompts and not whole:
        raise usage("give --point, --box, --word, --everything or --prompts")
    paths = _paths(options)
    for path in paths.values():
        check_output(path, options.image, force=options.force)
    query = _query(options, whole, [name for name in paths if name != "objects"])
    models = models_for(options.library)
    models.model(options.model)

    def work(workspace: Workspace, known: KnownPlane) -> dict[str, LabelDocument]:
        if whole:
            return _find(workspace, options.model, known, query, list(paths))
        return _one_object(workspace, options.model, known, prompts, answers)

    segment_image(options, options.image[0], paths, models, work)
    return 0


def _find(
    workspace: Workspace, model: str, known: KnownPlane, query: JsonObject,
    kinds: Sequence[str],
) -> dict[str, LabelDocument]:  # fmt: skip
    """Write everything, or what words name; gives the maps that were asked for."""
    from ..commands.files import new_document
    from ..commands.segment import WriteMap, WriteObjects
    from ..commands.workspace import Workspace

    plane = workspace.models.open(model, known)
    big = known.source.is_big
    command = WriteObjects(**workspace.fields(model, known), **query, whole=big)
    maps = [kind for kind in kinds if kind != "objects"]
    found: Any = None
    for found in command.run_and_apply(workspace, plane, semantic=bool(maps)):
        if big and isinstance(found, int):
            show_progress(found, 2 * known.source.frames)
    if big:
        show_progress(1, 1)
        print(file=sys.stderr)
    documents = {}
    for kind in maps:
        if found.semantic is None:
            raise usage(f"model '{model}' gives no {kind} map; leave --{kind} out")
        documents[kind] = new_document(known.source.shape, kind, logged=False)
        own = Workspace(documents[kind], workspace.models)
        WriteMap(**own.fields(model, known), kind=kind).apply(own, found)
    return documents


def _one_object(
    workspace: Workspace, model: str, known: KnownPlane, prompts: Sequence[Prompt],
    answers: Mapping[int, int],
) -> dict[str, LabelDocument]:  # fmt: skip
    """Write the object that prompts describe; `answers` are chosen after so many prompts."""
    from ..commands.commit import Commit
    from ..session import Session

    plane = workspace.models.open(model, known)
    session = Session(plane.model, plane.embedding)
    for count, prompt in enumerate(prompts, 1):
        session.push(prompt)
        number = answers.get(count, 1)
        if number != 1:
            there = len(session.alternatives)
            if number > there:
                raise usage(f"--answer {number}: the prompts before it have {there}; give less")
            session.choose(number - 1)
    prediction = session.compute()
    if prediction.bbox is not None:
        fields = workspace.fields(model, known) | Commit.of_prompts(prompts, session.choices)
        Commit(**fields).apply(workspace, prediction)
    return {}


def _paths(options: argparse.Namespace) -> dict[str, Path]:
    """The files to write, by what they hold; no two may be the same."""
    given = {"objects": options.output, "semantic": options.semantic,
             "panoptic": options.panoptic}  # fmt: skip
    paths = {what: path for what, path in given.items() if path is not None}
    if len({path.resolve() for path in paths.values()}) < len(paths):
        raise usage("--output, --semantic and --panoptic need different file names")
    return paths


def _query(options: argparse.Namespace, whole: bool, maps: Sequence[str]) -> JsonObject:
    """What is looked for, as `WriteObjects` has it; refused before a model is loaded."""
    from dataclasses import asdict

    from ..models.filters import Wanted

    wanted = Wanted(options.min_area, options.max_area, options.min_score)
    if not whole and (wanted != Wanted() or options.names or maps):
        raise usage(
            "--min-area, --max-area, --min-score, --names, --semantic and --panoptic can "
            "only be used with --everything"
        )
    if options.word and options.names:
        raise usage("give --word or --names, not both")
    return {"words": [options.word] if options.word else options.names, "filters": asdict(wanted)}


def _prompts(options: argparse.Namespace) -> tuple[list[Prompt], dict[int, int]]:
    """The prompts in their order, and the answers that are chosen after so many of them."""
    from ..prompts import Box, Point, Text

    prompts: list[Prompt] = []
    answers: dict[int, int] = {}
    for kind, text in getattr(options, "in_order", ()):
        if kind == "answer":
            if not text.isdecimal() or not int(text) or not prompts:
                raise usage("--answer takes 1, 2, 3, … and stands after the prompts it is for")
            answers[len(prompts)] = int(text)
        elif kind == "box":
            y0, x0, y1, x1 = numbers(text, 4)
            prompts.append(Box(y0, x0, y1, x1))
        else:
            y, x = numbers(text, 2)
            prompts.append(Point(y, x, kind == "point"))
    if options.word and prompts:
        prompts.append(Text(options.word))
    return prompts, answers
