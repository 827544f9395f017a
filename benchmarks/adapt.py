"""Whether accepted objects make later ones cheaper: `python -m benchmarks adapt`.

Objects of an image are segmented one after another; each is accepted as it is labelled. Later ones
are asked for in four ways: with nothing known, steered by what was accepted before (`Context`),
with a model fitted to it (`adapted`, in the dock *Learn*), and with both.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_seem import Context
from napari_seem.errors import NapariSeemError
from napari_seem.models.context import in_context_of

from .clicks import click_curve, open_model
from .datasets import ObjectSet, Picture, find_sets, usable_ids
from .pages import add_options, publish
from .person import first_click
from .report import clicks_needed

AGAIN_AFTER = (4, 8, 14)
"""After so many accepted objects the model is fitted; those after the first of them count."""
WAYS = ("off", "context", "learn", "both")
COSTS = 0.02
"""Share of the clicks that a set may cost."""


@dataclass
class Later:
    """The later objects of one image.

    Attributes
    ----------
    set_name : str
    curves : dict of str to list of list of float
        By each way, the IoU of each object after each click.
    fitted : bool
        Whether the last fit was of use.
    seconds : float
        That the longest fit took.
    """

    set_name: str
    curves: dict[str, list[list[float]]] = field(default_factory=dict)
    fitted: bool = False
    seconds: float = 0.0


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks adapt DIR`."""
    options = _parse(argv)
    model: Any = open_model(options.model)
    results: list[Later] = []
    for chosen in find_sets(options.folder, options.sets):
        for later in evaluate(model, chosen, options):
            results.append(later)
            print(_row(later.set_name, [later], options), flush=True)
    if not results:
        raise NapariSeemError(f"no image below '{options.folder}' has enough objects")
    publish(markdown(results, options), [model], options)
    if options.json:
        options.json.write_text(
            json.dumps([asdict(r) for r in results], indent=1), encoding="utf-8"
        )
    return 0


def evaluate(model: Any, chosen: ObjectSet, options: argparse.Namespace) -> Iterator[Later]:
    """The first `options.images` images of a set that have enough objects."""
    left = options.images
    before: dict[str, list[float]] = {}
    for picture in chosen.pictures(options.seed, most=8):
        ids = usable_ids(picture.instances)
        if left and len(ids) >= AGAIN_AFTER[0] + 4:
            rng = np.random.default_rng([options.seed, len(ids)])
            picks = [int(i) for i in rng.permutation(ids)[: options.objects]]
            yield _image(model, chosen.name, picture, picks, before, options)
            left -= 1


def _image(
    model: Any, name: str, picture: Picture, picks: Sequence[int], before: dict[str, list[float]],
    options: argparse.Namespace,
) -> Later:  # fmt: skip
    """Ask for objects `picks` of an image; `before`, areas by class on earlier ones, grows."""
    embedding = model.encode(picture.image)
    masks = [picture.instances == i for i in picks]
    later, fitted = Later(name, {way: [] for way in options.ways}), model
    here: dict[str, list[int]] = {}
    learns = {"learn", "both"} & set(options.ways)
    for number, (pick, mask) in enumerate(zip(picks, masks, strict=True)):
        kind = picture.names.get(pick, "")
        if number in AGAIN_AFTER and learns:
            start = time.perf_counter()
            fitted = model.adapted(embedding, masks[:number])
            later.seconds = max(later.seconds, time.perf_counter() - start)
        if number >= AGAIN_AFTER[0]:
            same = [masks[at] for at in here.get(kind, [])]
            context = Context.of_areas([mask.sum() for mask in same], before.get(kind, []))
            known: dict[bytes, list[float]] = {}
            for way in options.ways:
                asked = fitted if way in ("learn", "both") else model
                asked = in_context_of(asked, context if way in ("context", "both") else None)
                # where first answers are the same, so are all later ones
                first = asked.predict(embedding, [first_click(mask)]).logits.tobytes()
                if first not in known:
                    known[first] = click_curve(asked, embedding, mask, options.max_clicks)[0]
                later.curves[way].append(known[first])
        here.setdefault(kind, []).append(number)
    later.fitted = fitted.is_adapted
    for kind, numbers in here.items():
        before.setdefault(kind, []).extend(float(masks[at].sum()) for at in numbers)
    return later


def clicks(results: Sequence[Later], way: str, options: argparse.Namespace) -> float:
    """The mean number of clicks until an object is done, at most `options.max_clicks`."""
    most = options.max_clicks
    curves = [curve for later in results for curve in later.curves[way]]
    return float(np.mean([clicks_needed(curve, options.goal) or most for curve in curves]))


def saved(results: Sequence[Later], way: str, options: argparse.Namespace) -> float:
    """The share of the clicks that a way saves, against nothing known."""
    return 1 - clicks(results, way, options) / clicks(results, "off", options)


def markdown(results: Sequence[Later], options: argparse.Namespace) -> str:
    """A table: a row a set, then the mean over sets, and which sets a way costs clicks on."""
    ways = options.ways
    by_set = {name: [r for r in results if r.set_name == name] for name in
              dict.fromkeys(r.set_name for r in results)}  # fmt: skip
    heads = [f"clicks {way}" for way in ways] + [f"saved {way}" for way in ways[1:]]
    heads += [f"IoU@1 {way}" for way in ways]
    lines = [
        f"| Set | objects | {' | '.join(heads)} | fitted | seconds |",
        "|---" * (len(heads) + 4) + "|",
        *(_row(name, some, options) for name, some in by_set.items()),
    ]
    cells = [f"{np.mean([clicks(s, way, options) for s in by_set.values()]):.2f}" for way in ways]
    cells += [f"{np.mean([saved(s, w, options) for s in by_set.values()]):.1%}" for w in ways[1:]]
    cells += [f"{np.mean([_first(s, way) for s in by_set.values()]):.3f}" for way in ways]
    objects = sum(len(r.curves["off"]) for r in results)
    fits = f"{sum(r.fitted for r in results)} of {len(results)}"
    lines.append(f"| **mean over sets** | {objects} | {' | '.join(cells)} | {fits} | |")
    for way in ways[1:]:
        costly = [n for n, some in by_set.items() if saved(some, way, options) < -COSTS]
        lines.append(f"\n{way} costs over {COSTS:.0%} on: {', '.join(costly) or 'no set'}")
    return "\n".join(lines)


def _row(name: str, some: Sequence[Later], options: argparse.Namespace) -> str:
    ways = options.ways
    cells = [f"{clicks(some, way, options):.2f}" for way in ways]
    cells += [f"{saved(some, way, options):.0%}" for way in ways[1:]]
    cells += [f"{_first(some, way):.3f}" for way in ways]
    objects, seconds = sum(len(r.curves["off"]) for r in some), max(r.seconds for r in some)
    fits = "yes" if any(r.fitted for r in some) else "no"
    return f"| {name} | {objects} | {' | '.join(cells)} | {fits} | {seconds:.1f} |"


def _first(some: Sequence[Later], way: str) -> float:
    return float(np.mean([curve[0] for later in some for curve in later.curves[way]]))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks adapt", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="laid out like shared/data")
    parser.add_argument("--model", default="compact", help="or a .safetensors file of its weights")
    parser.add_argument("--sets", nargs="*", help="only sets whose name holds one of these")
    parser.add_argument(
        "--ways", nargs="*", choices=WAYS, default=WAYS, help="what to compare; off always is"
    )
    parser.add_argument("--images", type=int, default=1, help="images a set")
    parser.add_argument("--objects", type=int, default=20, help="objects an image")
    parser.add_argument("--max-clicks", type=int, default=10)
    parser.add_argument("--goal", type=float, default=0.8, help="IoU at which an object is done")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    add_options(parser, "adapt")
    options = parser.parse_args(argv)
    options.ways = [way for way in WAYS if way == "off" or way in options.ways]
    return options
