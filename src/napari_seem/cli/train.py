"""`napari-seem train`: the compact model trained further on labelled images."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FileTrouble, NapariSeemError
from .options import add_window, usage, window_from

if TYPE_CHECKING:
    from ..finetuning import FineTuning, HeldOutFigures, TuningReport
    from ..models.base import Model


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    train = commands.add_parser(
        "train", help="train the compact model further on labelled images",
        description="Train the compact model further on images with their labels beside them "
        "(IMAGE_labels.*). A fifth is held back to judge by. Ctrl+C ends training; the best so "
        "far is kept.",
    )  # fmt: skip
    train.set_defaults(run=_train)
    train.add_argument("images", type=Path, nargs="+", help="a folder of images, or images")
    train.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.safetensors",
                       help="weights file to write")  # fmt: skip
    train.add_argument("--labels", type=Path, metavar="FOLDER",
                       help="where the labels lie; by default beside the images")  # fmt: skip
    train.add_argument("--minutes", type=float, default=10.0, help="time to take (10)")
    train.add_argument("--name", help="of the model that the docks offer; by default the file's")
    train.add_argument("--from", dest="begin", default="compact", metavar="MODEL",
                       help="weights to begin with: a file, or a name that `napari-seem models` "
                       "lists (compact)")  # fmt: skip
    train.add_argument("--kind", default="instance", choices=["instance", "semantic"],
                       help="whether each id is one object (instance), or a class whose connected "
                       "parts are objects (semantic)")  # fmt: skip
    train.add_argument("--device", default="auto",
                       help="cpu or cuda (auto); on a Mac the processor trains")  # fmt: skip
    train.add_argument("--seed", type=int, default=0, help="of all chance (0)")
    train.add_argument("--keep", action="store_true",
                       help="write the weights even if they are no better")  # fmt: skip
    train.add_argument("--no-install", action="store_true",
                       help="only write the file; the docks do not offer it")  # fmt: skip
    train.add_argument("--force", action="store_true",
                       help="replace a file, or a model, of that name")  # fmt: skip
    add_window(train)


def _train(options: argparse.Namespace) -> int:
    """Train, judge, write; 1 where nothing became better and so nothing was written."""
    from ..finetuning import MOST_PIXELS, finetune
    from ..models.files import own
    from ..series.labelled import labelled_planes

    name = own.checked_name(options.output.stem if options.name is None else options.name)
    _check_output(options.output, force=options.force)
    if not options.no_install:
        own.check_free(name, replace=options.force)
    model = _loaded(options.begin, options.device)
    planes = labelled_planes(
        options.images, options.labels, window_from(options), most_pixels=MOST_PIXELS
    )
    print(f"{len(planes)} labelled planes of {len({p.name for p in planes})} images")
    try:
        tuned = finetune(
            model, [(plane.image, plane.labels) for plane in planes], minutes=options.minutes,
            device=options.device, name=name, seed=options.seed, kind=options.kind,
            groups=[plane.name for plane in planes], progress=_Line(), on_report=_show,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise usage("stopped before anything was learned; nothing is written") from None
    _compare(tuned)
    if not tuned.improved and not options.keep:
        print(
            f"{_doubt(tuned)}: nothing is written. Label more images or give more --minutes; "
            "--keep writes them all the same.", file=sys.stderr,
        )  # fmt: skip
        return 1
    _write(tuned, options.output)
    if not options.no_install:
        print(f"offered by all docks and commands as '{tuned.install(replace=options.force)}'")
    return 0


def _doubt(tuned: FineTuning) -> str:
    if tuned.gained:
        return "Better on average, but the held-out objects are too few to rule out chance"
    return "No better on held-out objects than the weights to begin with"


def _check_output(path: Path, *, force: bool) -> None:
    """Raise `NapariSeemError` for an output that could not be written in the end."""
    if path.suffix != ".safetensors":
        raise usage(f"'{path}' does not end in .safetensors; name the file so")
    if path.exists() and not force:
        raise FileTrouble(f"there is a file '{path}'; choose another name, or give --force")
    if not path.parent.is_dir():
        raise FileTrouble(f"there is no folder '{path.parent}'; make it first")


def _loaded(name: str, device: str) -> Model:
    from ..models.registry import load_model

    if name.endswith(".safetensors"):
        return load_model("compact", device, name)
    return load_model(name, device)


class _Line:
    """Progress as one line on stderr that is written over."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Show the percents when they change."""
        percent = 100 * done // (total or 1)
        if percent != self._shown:
            self._shown = percent
            print(f"\r{what}: {percent} %", end="", file=sys.stderr, flush=True)


def _show(report: TuningReport) -> None:
    print(f"\r{report.minutes:5.1f} min   held-out IoU {report.iou:.3f}", flush=True)


def _compare(tuned: FineTuning) -> None:
    facts = tuned.provenance["held_out"]
    print(f"\nheld out: {facts['objects']} objects in {facts['how']}")
    for title, figures in (("before", tuned.before), ("after", tuned.after)):
        print(f"{title:7s} {_row(figures)}")


def _row(figures: HeldOutFigures) -> str:
    return (
        f"IoU after one click {figures.iou_at_1:.3f}, after three {figures.iou_at_3:.3f}, by a box "
        f"{figures.box:.3f}; clicks to .85 {figures.noc_at_85:.1f}"
    )


def _write(tuned: FineTuning, path: Path) -> None:
    """Write the weights; where that fails, into the folder of temporary files."""
    try:
        tuned.save(path)
    except NapariSeemError as error:
        spare = tuned.save(Path(tempfile.mkdtemp()) / path.name)
        raise FileTrouble(f"{error}. The weights are in '{spare}' instead") from error
    print(f"-> {path}")
