"""`napari-seem propagate` and `napari-seem label-like`: labels from labels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .options import (
    WRITTEN,
    add_force,
    add_model,
    add_window,
    models_for,
    show_progress,
    usage,
    window_from,
)

if TYPE_CHECKING:
    from ..commands.propagation import PropagationRun
    from ..images import ArraySource
    from ..labels.document import LabelDocument
    from ..sources.source import PlaneSource
    from ..values import JsonObject


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to a parser."""
    _add_propagate(commands)
    _add_label_like(commands)
    _add_tracks(commands)


def _add_propagate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    carry = commands.add_parser("propagate", help="propagate labelled planes through a stack")
    carry.set_defaults(run=_propagate)
    carry.add_argument("stack", type=Path, help="stack of three axes, or four with channels")
    carry.add_argument("labels", type=Path, help="labels of the same size; their planes that "
                       "hold a label are the seeds")  # fmt: skip
    carry.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help=WRITTEN,
    )
    add_model(carry)
    carry.add_argument("--axis", type=int, default=0, help="axis of the planes (0)")
    carry.add_argument("--method", default="model", help="model, shape or copy")
    carry.add_argument("--find-new", action="store_true", help="look for unlabelled objects too")
    carry.add_argument("--divide", action=argparse.BooleanOptionalAction,
                       help="the axis is time, and the pieces of an object that splits are "
                       "daughters with ids of their own; by default where the file calls the axis "
                       "t")  # fmt: skip
    add_window(carry)
    add_force(carry)


def _add_tracks(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    tracks = commands.add_parser(
        "tracks", help="check files of the Cell Tracking Challenge, or convert labels from and to"
    )
    tracks.set_defaults(run=_tracks)
    tracks.add_argument("labels", type=Path, help="man_track.txt, res_track.txt or any label file")
    tracks.add_argument("-o", "--output", type=Path, help=WRITTEN + "; without it the rules are "
                        "checked")  # fmt: skip
    add_force(tracks)


def _add_label_like(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    like = commands.add_parser("label-like", help="label images like a few labelled examples")
    like.set_defaults(run=_label_like)
    like.add_argument("targets", type=Path, nargs="+", help="images to label")
    like.add_argument("--example", type=Path, nargs=2, action="append", required=True,
                      metavar=("IMAGE", "LABELS"),
                      help="an image and its labels; may be given several times")  # fmt: skip
    like.add_argument("-o", "--output", type=Path, required=True, help="folder for label files")
    add_model(like)
    like.add_argument("--kind", default="semantic", choices=["semantic", "instance"],
                      help="whether ids are classes, which are kept (semantic), or objects of one "
                      "kind, and those found are numbered from 1 (instance)")  # fmt: skip
    like.add_argument("--ensemble", choices=["feature", "spatial"], help="SegGPT only")
    like.add_argument("--draws", type=int, help="SegGPT only: random colourings to average")
    add_force(like)


def _propagate(options: argparse.Namespace) -> int:
    """Propagate labels through a stack; write labels, a table of planes and the log."""
    from ..commands.files import end_growing, new_document, save_document
    from ..io.files import open_image
    from ..io.formats import check_output, ending
    from ..io.images import channels_last, open_seeds
    from ..io.zarr.labels import growing_labels
    from ..propagation.record import resume_path

    check_output(options.output, (options.stack, options.labels), force=options.force)
    opened = open_image(options.stack)
    stack = channels_last(opened)
    labels = open_seeds(options.labels, stack, opened.grid)
    seeds, grid, path = labels.data, labels.grid, options.output
    if options.divide is None:
        options.divide = grid.axes[options.axis % 3] == "t"
    if ending(path) == ".zarr":
        with growing_labels(path, grid) as growing:
            for number in range(seeds.shape[0]):
                growing.array[number] = np.asarray(seeds[number])
            document = new_document(growing.array, path.stem, grid=grid, known=labels)
            about, done = _run(document, stack, options, path)
            end_growing(growing, document, about)
    else:
        document = new_document(np.array(seeds, np.uint32), path.stem, grid=grid, known=labels)
        about, done = _run(document, stack, options, None)
        save_document(document, path, grid, about, narrow=True)
    resume_path(path).unlink(missing_ok=True)
    print(f"{done[0]} planes from {done[1]} seeds -> {path}")
    return 0


def _run(
    document: LabelDocument, stack: ArraySource, options: argparse.Namespace, scratch: Path | None
) -> tuple[JsonObject, tuple[int, int]]:
    """Propagate with a line of progress; provenance, and how many planes and seeds there are."""
    from ..commands.base import ModelRef
    from ..commands.propagation import Propagate, PropagationRun
    from ..commands.workspace import Workspace
    from ..planes import Plane
    from ..propagation.record import resume_path
    from ..sources.source import source_of_array
    from ..sources.stack import StackSource

    models = models_for()
    model = options.model if options.method == "model" else None
    if model is not None:
        models.model(model)
    axis = options.axis % 3
    source = source_of_array(
        stack, Plane.across(axis, 0), window_from(options), colours=stack.ndim > 3,
        name=options.stack.stem, path=str(options.stack.absolute()),
    )  # fmt: skip
    command = Propagate(
        images=[], windows=[], run="1", axis=axis, method=options.method,
        model=None if model is None else ModelRef(name=model),
        within=(0, int(document.data.shape[axis])), find_new=options.find_new,
        divide=options.divide,
    )  # fmt: skip
    run = PropagationRun(Workspace(document, models), StackSource(source, axis), command, scratch)
    _do_planes(run, resume_path(options.output))
    rows = [
        {"plane": k, "score": round(result.score, 3), "seed": result.accepted,
         "events": [f"{event.id} {event.kind}" for event in result.events]}
        for k, result in run.results.items()
    ]  # fmt: skip
    run.close()
    window = source.input.resolved[0].to_dict()
    about = {"image": options.stack.name, "model": options.model, "shown": window, "planes": rows}
    seeds = sum(bool(row["seed"]) for row in rows)
    return about, (len(rows) - seeds, seeds)


def _do_planes(run: PropagationRun, kept: Path) -> None:
    """Do the planes of a run, but for those that are kept from one that was killed."""
    run.begin()
    planned = run.planned
    if kept.exists():
        print(f"going on from '{kept}'", file=sys.stderr)
    for number, result in enumerate(run.run(kept), 1):
        run.apply(result)
        show_progress(number, planned, "planes")
    print(file=sys.stderr)


def _tracks(options: argparse.Namespace) -> int:
    """Check files of tracks, or convert labels."""
    from ..io.files import open_labels, write_labels
    from ..io.formats import check_output
    from ..io.tracks import check_tracks

    if options.output is None:
        problems = check_tracks(options.labels)
        print("\n".join(problems) or f"'{options.labels}' keeps the rules")
        return int(bool(problems))
    check_output(options.output, [options.labels], force=options.force)
    labels = open_labels(options.labels)
    written = write_labels(options.output, labels.data, labels.grid, labels.table, labels.about)
    print(f"{len(written)} files -> {options.output}")
    return 0


def _label_like(options: argparse.Namespace) -> int:
    """Label target files like the examples; one label file, table and log each."""
    from ..commands.files import new_document, save_document
    from ..commands.in_context import LabelledExample, LearnedRun
    from ..commands.workspace import Workspace
    from ..in_context import check_can_learn, label, learn
    from ..io.files import read_labels
    from ..io.formats import check_output
    from ..io.images import labels_beside, open_plane

    places = [labels_beside(options.output, target) for target in options.targets]
    if len(set(places)) < len(places):
        raise usage("two of the images have the same file name; label them into different folders")
    inputs = [*options.targets, *(path for pair in options.example for path in pair)]
    for place in places:
        check_output(place, inputs, force=options.force)
    models = models_for()
    model: Any = models.model(options.model)
    check_can_learn(model)
    wanted = {"ensemble": options.ensemble, "draws": options.draws}
    chosen = {key: value for key, value in wanted.items() if value is not None}
    examples = []
    for number, (path, labels) in enumerate(options.example):
        image, _ = open_plane(path)
        source = _source(path, image)
        known = np.asarray(read_labels(labels, shape=image.shape[:2])[0])
        examples.append(LabelledExample(path.name, source.read(), known, (number,), source))
    pairs = [(one.image, one.labels) for one in examples]
    lesson = learn(model, pairs, options.kind, models.cache, **chosen)
    run = LearnedRun(options.model, options.kind, examples, options=chosen)
    options.output.mkdir(parents=True, exist_ok=True)
    for target, path in zip(options.targets, places, strict=True):
        image, grid = open_plane(target)
        source = _source(target, image)
        found = label(model, lesson, source.read())
        document = new_document(tuple(grid.shape), target.stem, grid=grid)
        run.label(Workspace(document, models), source, source.plane, found)
        save_document(document, path, grid, {"image": target.name}, narrow=True)
        print(f"{len(found.scores)} ids -> {path}")
    return 0


def _source(path: Path, image: ArraySource) -> PlaneSource:
    from ..sources.source import source_of_array

    return source_of_array(
        image, colours=image.ndim == 3, name=path.stem, path=str(path.absolute())
    )
