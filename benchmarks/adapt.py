"""Whether accepted objects make later ones cheaper: `python -m benchmarks adapt`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_seem.errors import NapariSeemError
from napari_seem.models.base import Embedding

from .clicks import click_curve, open_model
from .datasets import ObjectSet, find_sets, usable_ids
from .pages import add_options, publish
from .report import clicks_needed

AGAIN_AFTER = (4, 8, 14)
"""After so many accepted objects the model is adapted."""


@dataclass
class Saved:
    """Clicks that the objects of one image took, as shipped and adapted.

    `first` are the IoUs after one click; only objects after the first adaptation count.
    """

    set_name: str
    objects: int
    plain: float
    adapted: float
    first_plain: float
    first_adapted: float
    fitted: bool
    seconds: float


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks adapt DIR`."""
    options = _parse(argv)
    model: Any = open_model("compact")
    results: list[Saved] = []
    for chosen in find_sets(options.folder, options.sets):
        for saved in evaluate(model, chosen, options):
            results.append(saved)
            print(
                f"{saved.set_name:32s} clicks {saved.plain:.2f} -> {saved.adapted:.2f}  first "
                f"{saved.first_plain:.3f} -> {saved.first_adapted:.3f}  {saved.seconds:.1f} s",
                flush=True,
            )
    if not results:
        raise NapariSeemError(f"no image below '{options.folder}' has enough objects")
    publish(markdown(results), [model], options)
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in results], indent=1))
    return 0


def evaluate(model: Any, chosen: ObjectSet, options: argparse.Namespace) -> Iterator[Saved]:
    """The first `options.images` images of a set that have enough objects."""
    left = options.images
    for picture in chosen.pictures(options.seed, most=8):
        ids = usable_ids(picture.instances)
        if left and len(ids) >= AGAIN_AFTER[0] + 4:
            rng = np.random.default_rng([options.seed, len(ids)])
            picks = rng.permutation(ids)[: options.objects]
            masks = [picture.instances == i for i in picks]
            embedding = model.encode(picture.image)
            yield _image(model, chosen.name, embedding, masks, options)
            left -= 1


def _image(
    model: Any, name: str, embedding: Embedding, masks: list[npt.NDArray[np.bool_]],
    options: argparse.Namespace,
) -> Saved:  # fmt: skip
    plain, adapted, seconds, suited = [], [], 0.0, model
    for number, mask in enumerate(masks):
        if number in AGAIN_AFTER:
            start = time.perf_counter()
            suited = model.adapted(embedding, masks[:number])
            seconds = max(seconds, time.perf_counter() - start)
        if number < AGAIN_AFTER[0]:
            continue
        plain.append(click_curve(model, embedding, mask, options.max_clicks)[0])
        same = suited.first_decoder is None
        curve = plain[-1] if same else click_curve(suited, embedding, mask, options.max_clicks)[0]
        adapted.append(curve)

    def needed(curves: list[list[float]]) -> float:
        most = options.max_clicks
        return float(np.mean([clicks_needed(c, options.goal) or most for c in curves]))

    return Saved(
        name, len(plain), needed(plain), needed(adapted),
        float(np.mean([c[0] for c in plain])), float(np.mean([c[0] for c in adapted])),
        suited.first_decoder is not None, seconds,
    )  # fmt: skip


def markdown(results: Sequence[Saved]) -> str:
    """A table: a row an image, then all."""
    lines = [
        "| Set | objects | clicks | adapted | IoU@1 | adapted | fitted | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        lines.append(
            f"| {r.set_name} | {r.objects} | {r.plain:.2f} | {r.adapted:.2f} | {r.first_plain:.3f} "
            f"| {r.first_adapted:.3f} | {'yes' if r.fitted else 'no'} | {r.seconds:.1f} |"
        )
    mean = {key: np.mean([getattr(r, key) for r in results]) for key in
            ("plain", "adapted", "first_plain", "first_adapted", "seconds")}  # fmt: skip
    lines.append(
        f"| **all** | {sum(r.objects for r in results)} | {mean['plain']:.2f} | "
        f"{mean['adapted']:.2f} | {mean['first_plain']:.3f} | {mean['first_adapted']:.3f} | "
        f"{sum(r.fitted for r in results)} of {len(results)} | {mean['seconds']:.1f} |"
    )
    return "\n".join(lines)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks adapt", description=__doc__)
    parser.add_argument("folder", type=Path, help="laid out like shared/data")
    parser.add_argument("--sets", nargs="*", help="only sets whose name holds one of these")
    parser.add_argument("--images", type=int, default=1, help="images a set")
    parser.add_argument("--objects", type=int, default=20, help="objects an image")
    parser.add_argument("--max-clicks", type=int, default=10)
    parser.add_argument("--goal", type=float, default=0.8, help="IoU at which an object is done")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    add_options(parser, "adapt")
    return parser.parse_args(argv)
