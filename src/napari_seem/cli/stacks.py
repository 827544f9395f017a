"""`napari-seem propagate` and `napari-seem label-like`: labels from labels."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from itertools import tee
from pathlib import Path
from typing import Any

from .options import WRITTEN, add_window, usage, window_from
from .recording import CarryRecord, labelled


def add_to(commands: Any) -> None:
    """Add the commands to a parser."""
    _add_propagate(commands)
    _add_label_like(commands)


def _add_propagate(commands: Any) -> None:
    carry = commands.add_parser("propagate", help="carry labelled planes through a stack")
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
    carry.add_argument("--model", default="compact")
    carry.add_argument("--axis", type=int, default=0)
    carry.add_argument("--method", default="model", help="model, shape or copy")
    carry.add_argument("--find-new", action="store_true", help="look for unlabelled objects too")
    add_window(carry)


def _add_label_like(commands: Any) -> None:
    like = commands.add_parser("label-like", help="label images as a few examples are labelled")
    like.set_defaults(run=_label_like)
    like.add_argument("targets", type=Path, nargs="+")
    like.add_argument("--example", type=Path, nargs=2, action="append", required=True,
                      metavar=("IMAGE", "LABELS"))  # fmt: skip
    like.add_argument("-o", "--output", type=Path, required=True, help="folder for label files")
    like.add_argument("--model", default="compact")
    like.add_argument("--kind", default="semantic", choices=["semantic", "instance"])
    like.add_argument("--ensemble", choices=["feature", "spatial"], help="SegGPT only")
    like.add_argument("--draws", type=int, help="SegGPT only: random colourings to average")


def _propagate(options: argparse.Namespace) -> int:
    """Carry labels through a stack; write labels and a table of planes."""
    from ..intensity import windowed
    from ..io.files import ending, growing_labels, open_image, write_labels
    from ..io.grid import Grid
    from ..io.images import channels_last
    from ..labels.provenance import model_to_dict
    from ..models.registry import load_model
    from ..propagation.seeds import SeedPlanes

    opened = open_image(options.stack)
    stack, labels = channels_last(opened), channels_last(open_image(options.labels))
    if tuple(labels.shape) != tuple(stack.shape[: labels.ndim]) or labels.ndim != 3:
        raise usage(
            f"'{options.labels}' has the shape {tuple(labels.shape)}, '{options.stack}' "
            f"{tuple(stack.shape)}; give labels on the stack's own grid"
        )
    seeds = SeedPlanes.of(labels, options.axis)
    model: Any = load_model(options.model) if options.method == "model" else None
    look = window_from(options).resolved(stack, stack.ndim > labels.ndim)
    seen = windowed(stack, look, stack.ndim > labels.ndim)
    grid = opened.grid if opened.grid.shape == labels.shape else Grid.plain(labels.shape)
    about = {"image": options.stack.name, "model": options.model, "shown": look.to_dict()}
    told = model_to_dict(model.name, model) if model is not None else None
    record = CarryRecord(labels, stack, options.stack, look, options.axis, told)
    if ending(options.output) == ".zarr":
        with growing_labels(options.output, grid) as growing:
            rows = _carried(model, seen, seeds, options, record, growing.array)[1]
            growing.about = {**about, "planes": rows}
    else:
        written, rows = _carried(model, seen, seeds, options, record)
        write_labels(options.output, written, grid, None, {**about, "planes": rows})
    record.write(options.output)
    done = sum(not row["seed"] for row in rows)
    print(f"{done} planes from {len(seeds)} seeds -> {options.output}")
    return 0


def _carried(
    model: Any, stack: Any, seeds: Mapping[int, Any], options: argparse.Namespace,
    record: CarryRecord, out: Any = None,
) -> tuple[Any, list[dict[str, Any]]]:  # fmt: skip
    """The labels, in `out` where it is given, and a row for each plane; with a line of progress."""
    from ..propagation import Propagation

    work = Propagation(
        model, stack, seeds, options.axis, method=options.method, find_new=options.find_new,
        out=out,
    )  # fmt: skip
    left = len(work.pending)
    record.begun(sorted(seeds), options.method, find_new=options.find_new, out=out)
    for number, result in enumerate(work.run(), 1):
        record.carried(result)
        print(f"\r{number} of {left} planes", end="", file=sys.stderr)
    print(file=sys.stderr)
    labels = work.labels
    record.ended(labels, options.output.name)
    return labels, [
        {"plane": k, "score": round(result.score, 3), "seed": result.accepted,
         "events": [f"{event.id} {event.kind}" for event in result.events]}
        for k, result in work.results.items()
    ]  # fmt: skip


def _label_like(options: argparse.Namespace) -> int:
    """Label target files like the examples; one label file and table each."""
    from ..in_context import iter_label_like
    from ..io.images import read_array, read_image, write_scored
    from ..labels.provenance import model_to_dict
    from ..models.registry import load_model

    model: Any = load_model(options.model)
    examples = [(read_image(image), read_array(labels)) for image, labels in options.example]
    wanted = {"ensemble": options.ensemble, "draws": options.draws}
    chosen = {key: value for key, value in wanted.items() if value is not None}
    options.output.mkdir(parents=True, exist_ok=True)
    images, shown_images = tee(map(read_image, options.targets))  # one at a time, each read once
    results = iter_label_like(model, examples, images, options.kind, **chosen)
    shown = [(*pair, paths[0]) for pair, paths in zip(examples, options.example, strict=True)]
    told = {"kind": options.kind, "model": model_to_dict(model.name, model), "options": chosen}
    for target, found, image in zip(options.targets, results, shown_images, strict=True):
        path = write_scored(options.output, target, found.labels, found.scores)
        labelled(path, image, target, found.labels, shown, told)
        print(f"{len(found.scores)} ids -> {path}")
    return 0
