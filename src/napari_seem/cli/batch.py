"""`napari-seem batch embed | segment | propagate | label-like | pixels INPUT... -o FOLDER`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch import Outcome, plan, run
from ..batch.tasks import KINDS
from ..embeddings.cluster import Certificates, cluster
from ..errors import ClusterTrouble, InvalidArgument
from .options import add_bounds, add_force, add_library, add_model, add_window, window_from, words
from .pixels import add_pixels, pixel_options

if TYPE_CHECKING:
    from distributed import Client

    from ..values import JsonObject


def main(argv: Sequence[str]) -> int:
    """Run the command; 0 where all went well, 1 where a file failed."""
    options = parser().parse_args(argv)
    tasks = plan(options.kind, options.inputs, options.output, _wanted(options),
                 options.format, options.labels)  # fmt: skip
    total, count = len(tasks), 0

    def show(outcome: Outcome) -> None:
        nonlocal count
        count += 1
        what = f"FAILED: {outcome.error}" if outcome.error else outcome.summary
        print(f"{count}/{total} {outcome.task.source}: {what}", file=sys.stderr)

    with _client(options) as client:
        report = run(tasks, options.output, client=client, workers=options.workers,
                     again=options.again, force=options.force, on_outcome=show)  # fmt: skip
    print(report)
    return report.exit_code


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(prog="napari-seem batch", description=__doc__)
    parser.add_argument("kind", choices=KINDS, help="what is done with every file")
    parser.add_argument("inputs", type=Path, nargs="+", metavar="INPUT",
                        help="image files, folders of them, DICOM or OME-Zarr folders")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, required=True,
                        help="folder for labels; for embed, for the embeddings")  # fmt: skip
    parser.add_argument("--format", default="", help="ending of the label files, such as .geojson")
    add_model(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda or cuda:1")
    segment = parser.add_argument_group("segment")
    segment.add_argument("--names", type=words, metavar="WORD,WORD", help="find these words only")
    add_library(segment)
    add_bounds(segment)
    parser.add_argument("--labels", type=Path, help="propagate: folder of the labels to start from")
    parser.add_argument("--axis", type=int, help="propagate, embed: axis of the planes")
    parser.add_argument("--method", default="model", help="propagate: model, shape or copy")
    parser.add_argument("--find-new", action="store_true", help="propagate: look for new objects")
    parser.add_argument("--divide", action="store_true", help="propagate: splits make daughters")
    parser.add_argument("--example", type=Path, nargs=2, action="append", default=[],
                        metavar=("IMAGE", "LABELS"), help="label-like: one example")  # fmt: skip
    parser.add_argument(
        "--instances",
        action="store_true",
        help="label-like: ids are objects of one kind, and those found are numbered from 1",
    )
    add_pixels(parser.add_argument_group("pixels"))
    add_window(parser)
    parser.add_argument("--workers", type=int, default=1, help="files at once on this machine")
    add_force(parser)
    parser.add_argument("--again", action="store_true", help="process finished files again")
    parser.add_argument("--scheduler", help="tls://HOST:PORT of a dask.distributed cluster, or "
                        "local:N for N processes here")  # fmt: skip
    for name in ("ca", "cert", "key"):
        parser.add_argument(f"--tls-{name}", type=Path, help="certificate file (PEM)")
    return parser


def _wanted(options: argparse.Namespace) -> dict[str, object]:
    bounds = {"min_area": options.min_area, "max_area": options.max_area,
              "min_score": options.min_score}  # fmt: skip
    given: JsonObject = {
        "model": options.model, "device": options.device, "names": options.names or None,
        "axis": options.axis,
        "method": options.method, "find_new": options.find_new, "divide": options.divide,
        "shown": window_from(options).to_dict(),
        "examples": [[str(one) for one in pair] for pair in options.example],
        "kind": "instance" if options.instances else "semantic", "wanted": bounds,
        "library": options.library, "classifier": options.classifier,
        **pixel_options(options),
    }  # fmt: skip
    used = {
        "embed": ("axis", "shown"), "segment": ("names", "shown", "wanted", "library"),
        "propagate": ("axis", "method", "find_new", "divide", "shown"),
        "label-like": ("examples", "kind", "shown"),
        "pixels": ("classifier", "objects", "smallest", "split", "probabilities", "shown"),
    }  # fmt: skip
    if options.kind == "label-like" and not options.example:
        raise InvalidArgument("label-like needs --example IMAGE LABELS; give one or more")
    if options.kind == "pixels" and not options.classifier:
        raise InvalidArgument("pixels needs --classifier FILE, which `napari-seem pixels` writes")
    return {key: given[key] for key in ("model", "device", *used[options.kind])}


def _client(options: argparse.Namespace) -> AbstractContextManager[Client | None]:
    if not options.scheduler:
        return nullcontext()
    files = (options.tls_ca, options.tls_cert, options.tls_key)
    if any(files) and not all(files):
        raise ClusterTrouble("--tls-ca, --tls-cert and --tls-key are needed together")
    return cluster(options.scheduler, Certificates(*files) if all(files) else None)
