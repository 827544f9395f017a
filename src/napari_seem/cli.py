"""The command line: `napari-seem demo | models | segment | propagate | label-like | embed | bench`.

Each command tells its options: `napari-seem segment --help`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import NapariSeemError

if TYPE_CHECKING:
    from .edits import ObjectTable
    from .look import Look
    from .models.base import Embedding, Model
    from .prompts import Prompt
    from .tiling import TiledModel

WRITTEN = "label file to write: .tif, .nii.gz, .geojson, .zarr, ..."


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 where it worked, 2 where the input was at fault."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["demo"]:
        from .demo import main as demo

        return demo(arguments[1:])
    if arguments[:1] == ["bench"]:
        from .bench import main as bench

        return _guarded(lambda: bench(arguments[1:]))
    if arguments[:1] == ["batch"]:
        from .batch.command import main as batch

        return _guarded(lambda: batch(arguments[1:]))
    options = _parser().parse_args(arguments)
    return _guarded(lambda: options.run(options))


def _guarded(command: Any) -> int:
    """Our own errors end in one line on stderr, not in a stack trace."""
    try:
        return int(command() or 0)
    except (NapariSeemError, OSError) as error:
        print(f"napari-seem: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="napari-seem", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("demo", help="segment samples in a real viewer")
    commands.add_parser("bench", help="measure: bench clicks, bench latency, ...")
    commands.add_parser("batch", help="the same work over folders: batch segment DIR -o OUT, ...")
    models = commands.add_parser("models", help="list the models")
    models.set_defaults(run=_models)
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
    _add_look(segment)
    _add_propagate(commands)
    _add_label_like(commands)
    _add_embed(commands)
    return parser


def _add_look(command: argparse.ArgumentParser) -> None:
    command.add_argument("--window", help="intensities to show: LOW,HIGH, volume, soft tissue, "
                         "bone, lung or brain")  # fmt: skip
    command.add_argument("--bands", metavar="R,G,B", help="channels to show, numbered from 0")
    command.add_argument("--ndvi", metavar="NIR,RED", help="show their normalised difference")


def _look(options: argparse.Namespace) -> Look:
    from dataclasses import replace

    from .look import Look

    look = Look.named(options.window) if options.window else Look()
    if options.ndvi:
        first, second = _numbers(options.ndvi, 2)
        return replace(look, bands=(int(first), int(second)), index=True)
    if options.bands:
        chosen = _numbers(options.bands, options.bands.count(",") + 1)
        return replace(look, bands=tuple(int(band) for band in chosen))
    return look


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
    _add_look(carry)


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


def _add_embed(commands: Any) -> None:
    embed = commands.add_parser("embed", help="encode images ahead, for clicks on them later")
    embed.set_defaults(run=_embed)
    embed.add_argument("images", type=Path, nargs="*", metavar="IMAGE")
    embed.add_argument("--axis", type=int, help="the files are stacks along this axis; without it "
                       "files of more axes than an image are stacks along axis 0")  # fmt: skip
    embed.add_argument("--model", default="compact")
    embed.add_argument("--folder", type=Path, help="where to keep them, by default the docks' own")
    embed.add_argument("--megabytes", type=int, default=4096, help="room for all (4096)")
    embed.add_argument("--clear", action="store_true", help="delete what is kept there, first")
    _add_look(embed)


def _propagate(options: argparse.Namespace) -> int:
    """Carry labels through a stack; write labels and a table of planes."""
    from .io.files import open_image, write_labels
    from .io.images import channels_last, read_array
    from .look import looked
    from .models.registry import load_model
    from .propagation import Propagation

    opened = open_image(options.stack)
    stack, labels = channels_last(opened), read_array(options.labels)
    if labels.shape != stack.shape[: labels.ndim] or labels.ndim != 3:
        raise _usage(
            f"'{options.labels}' has the shape {labels.shape}, '{options.stack}' {stack.shape}; "
            "give labels on the stack's own grid"
        )
    axis = options.axis
    planes = {k: labels.take(k, axis) for k in range(labels.shape[axis])}
    seeds = {k: plane for k, plane in planes.items() if plane.any()}
    model: Any = load_model(options.model) if options.method == "model" else None
    look = _look(options).settled(stack, stack.ndim > labels.ndim)
    seen = looked(stack, look, stack.ndim > labels.ndim)
    work = Propagation(model, seen, seeds, axis, method=options.method, find_new=options.find_new)
    left = len(work.pending)
    for number, _ in enumerate(work.run(), 1):
        print(f"\r{number} of {left} planes", end="", file=sys.stderr)
    print(file=sys.stderr)
    rows: list[dict[str, Any]] = [
        {"plane": k, "score": round(result.score, 3), "seed": result.accepted,
         "events": [f"{event.id} {event.kind}" for event in result.events]}
        for k, result in work.results.items()
    ]  # fmt: skip
    grid = opened.grid if opened.grid.shape == labels.shape else None
    about = {"image": options.stack.name, "model": options.model, "shown": look.told(),
             "planes": rows}  # fmt: skip
    write_labels(options.output, work.labels, grid, None, about)
    print(f"{left} planes from {len(seeds)} seeds -> {options.output}")
    return 0


def _label_like(options: argparse.Namespace) -> int:
    """Label target files like the examples; one label file and table each."""
    from .in_context import iter_label_like
    from .io.images import read_array, read_image, write_scored
    from .models.registry import load_model

    model: Any = load_model(options.model)
    examples = [(read_image(image), read_array(labels)) for image, labels in options.example]
    wanted = {"ensemble": options.ensemble, "draws": options.draws}
    chosen = {key: value for key, value in wanted.items() if value is not None}
    options.output.mkdir(parents=True, exist_ok=True)
    results = iter_label_like(
        model, examples, (read_image(target) for target in options.targets), options.kind, **chosen
    )
    for target, found in zip(options.targets, results, strict=True):
        path = write_scored(options.output, target, found.labels, found.scores)
        print(f"{len(found.scores)} ids -> {path}")
    return 0


def _embed(options: argparse.Namespace) -> int:
    """Fill the store of encoded images; 2 where a file could not be done."""
    from .embeddings import EmbeddingCache, EmbeddingStore, encode_files
    from .models.registry import load_model

    if not options.images and not options.clear:
        raise _usage("give image files to encode, or --clear")
    if options.megabytes < 0:
        raise _usage("--megabytes must not be negative")
    store = EmbeddingStore(options.folder, options.megabytes << 20)
    if options.clear:
        gone = store.clear()
        print(f"{gone.images} encoded images deleted ({gone.nbytes >> 20} MB) in {store.folder}")
    if not options.images:
        return 0
    done = {"encoded": 0, "there": 0, "failed": 0}
    cache = EmbeddingCache(0, store)
    model, look = load_model(options.model), _look(options)
    planes = encode_files(model, options.images, cache, options.axis, look)
    try:
        for path, count, ready in planes:
            done[ready.outcome] += 1
            place = f"plane {ready.index + 1} of {count} " if count else ""
            told = f"\r{path.name}: {place}{ready.outcome} {ready.problem}"
            print(told, end="\n" if ready.problem else "   ", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", end="", file=sys.stderr)
        return 130
    finally:
        print(file=sys.stderr)
    print(f"{done['encoded']} planes encoded, {done['there']} were there, {done['failed']} failed "
          f"-> {store.folder}")  # fmt: skip
    return 2 if done["failed"] else 0


def _models(_: argparse.Namespace) -> int:
    from .models.registry import MODELS

    for name, spec in MODELS.items():
        where = "ready" if spec.installed else "not downloaded"
        takes = ", ".join(sorted(capability.value for capability in spec.capabilities))
        print(f"{name:14s} {where:15s} {spec.licence:14s} {spec.description}\n{'':14s} {takes}")
    return 0


def _segment(options: argparse.Namespace) -> int:
    """Segment one image file and write labels and their table."""
    from .io.files import write_labels
    from .io.images import open_plane
    from .models.registry import load_model
    from .tiling import TiledModel, is_big

    prompts = _prompts(options)
    whole = options.everything or (options.word and not prompts)
    if not prompts and not whole:
        raise _usage("give --point, --box, --word or --everything")
    model: Any = load_model(options.model)
    image, grid = open_plane(options.image)
    look = _look(options).settled(image, image.ndim == 3)
    image = look.apply(image)
    if is_big(image.shape):
        model = TiledModel(model)
    if whole and is_big(image.shape):
        labels, table = _all_of_big(model, image, options.word)
    elif whole:
        labels, table = _all_objects(model, model.encode(image), options.word)
    else:
        labels, table = _one_object(model, model.encode(image), prompts)
    about = {"image": options.image.name, "model": options.model, "shown": look.told()}
    write_labels(options.output, labels, grid, table, about)
    print(f"{len(table)} objects, {int((labels > 0).sum())} pixels -> {options.output}")
    return 0


def _one_object(
    model: Model, embedding: Embedding, prompts: list[Prompt]
) -> tuple[Any, ObjectTable]:
    from .edits import ObjectRecord, ObjectTable

    found = model.predict(embedding, prompts)
    record = ObjectRecord(found.label or "", round(found.score, 3), model.name, len(prompts))
    return found.mask.astype("uint16"), ObjectTable({1: record})


def _all_objects(model: Model, embedding: Embedding, word: str | None) -> tuple[Any, ObjectTable]:
    from .edits import ObjectRecord, ObjectTable

    found = model.segment(embedding, [word] if word else None)
    return found.labels, ObjectTable({
        number: ObjectRecord(instance.label or "", round(instance.score, 3), model.name)
        for number, instance in enumerate(found.instances, start=1)
    })  # fmt: skip


def _all_of_big(tiled: TiledModel, image: Any, word: str | None) -> tuple[Any, ObjectTable]:
    """Find the objects of an image too big for one pass, with a line of progress."""
    from .edits import ObjectRecord, ObjectTable
    from .tiling import segment_tiled

    def show(done: int, total: int) -> None:
        print(f"\r{100 * done // total} %", end="", file=sys.stderr)

    found = segment_tiled(tiled.model, image, [word] if word else None, progress=show)
    print(file=sys.stderr)
    return found.labels, ObjectTable({
        one.label_id: ObjectRecord(one.name or "", round(one.score, 3), tiled.name)
        for one in found.objects
    })  # fmt: skip


def _prompts(options: argparse.Namespace) -> list[Prompt]:
    from .prompts import Box, Point, Text

    prompts: list[Prompt] = []
    for positive, texts in ((True, options.point), (False, options.not_point)):
        for y, x in (_numbers(text, 2) for text in texts):
            prompts.append(Point(y, x, positive))
    for y0, x0, y1, x1 in (_numbers(text, 4) for text in options.box):
        prompts.append(Box(y0, x0, y1, x1))
    if options.word and prompts:
        prompts.append(Text(options.word))
    return prompts


def _numbers(text: str, count: int) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count:
        raise _usage(f"'{text}' is not {count} numbers with commas between them")
    return values


def _usage(message: str) -> NapariSeemError:
    return NapariSeemError(message)


if __name__ == "__main__":
    sys.exit(main())
