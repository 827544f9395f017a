"""How well labels are carried through stacks: `python -m benchmarks propagate`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_seem.embeddings import EmbeddingCache
from napari_seem.propagation import METHODS, Method, Propagation

from .clicks import open_model
from .pages import add_options, publish
from .report import mean_cell
from .stacks import StackCase, find_stacks, phantoms

DISTANCES = ((1, 1), (2, 3), (4, 7), (8, 15), (16, 999))
"""Planes from the nearest seed, first and last of each bin."""


@dataclass
class Carried:
    """What one method made of one case from some seeds.

    `dice` is 3-D over all planes but the seeds, a mean over objects; `by_distance` the mean Dice
    of single planes; `ranking` the rank correlation of the planes' scores with their Dice.
    """

    case: str
    method: str
    seeds: int
    planes: int
    dice: float
    by_distance: dict[str, float] = field(default_factory=dict)
    ranking: float | None = None
    seconds_a_plane: float = 0.0


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks propagate DIR`."""
    options = _parse(argv)
    model = open_model(options.model)
    cases = list(phantoms(options.seed, options.sides))
    if options.folder is not None:
        cases += find_stacks(options.folder, options.per_set, options.objects, options.seed)
    cases = [
        case for case in cases if not options.only or any(o in case.name for o in options.only)
    ]
    results: list[Carried] = []
    cache, encoded, key = EmbeddingCache(8 << 30), [0, 0.0], ""
    for case in cases:
        if case.key != key:
            cache.clear()
            key = case.key
        for count in options.seeds:
            for method in options.method:
                results.append(carry(model, case, count, method, cache, encoded))
                _print(results[-1])
    publish(markdown(results, encoded), [model], options)
    if options.json:
        options.json.write_text(
            json.dumps([asdict(r) for r in results], indent=1), encoding="utf-8"
        )
    return 0


def carry(
    model: Any, case: StackCase, count: int, method: Method, cache: EmbeddingCache,
    encoded: list[Any],
) -> Carried:  # fmt: skip
    """Carry a case's objects from `count` seeds and compare with the truth.

    `encoded` sums planes and seconds spent on encoding, which are not counted as carrying.
    """
    seeds = {k: case.labels[k] for k in case.seeds(count)}
    work = Propagation(model, case.volume, seeds, method=method, kind=case.kind, cache=cache)
    if method == "model":
        before, start = len(cache), time.perf_counter()
        work.encode_all()
        if len(cache) > before:
            encoded[0] += len(cache) - before
            encoded[1] += time.perf_counter() - start
    start = time.perf_counter()
    done = sum(1 for _ in work.run())
    seconds = (time.perf_counter() - start) / max(1, done)
    return _judged(case, work, Carried(case.name, method, len(seeds), done, 0.0), seconds)


def _judged(case: StackCase, work: Propagation, found: Carried, seconds: float) -> Carried:
    labels = work.labels
    seeds = np.array([k for k, result in work.results.items() if result.accepted])
    others = np.setdiff1d(np.arange(len(labels)), seeds)
    told = np.unique(case.labels[seeds])
    ids = told[told > 0]
    found.seconds_a_plane = seconds
    found.dice = float(np.mean([dice(labels[others] == i, case.labels[others] == i) for i in ids]))
    by_plane = {
        int(k): float(np.mean([
            dice(labels[k] == i, case.labels[k] == i) for i in ids
            if (labels[k] == i).any() or (case.labels[k] == i).any()
        ] or [1.0]))
        for k in others
    }  # fmt: skip
    for first, last in DISTANCES:
        values = [
            value for k, value in by_plane.items() if first <= np.abs(seeds - k).min() <= last
        ]
        if values:
            found.by_distance[f"{first}"] = float(np.mean(values))
    scores = work.scores
    found.ranking = _rank_correlation([scores[k] for k in by_plane], list(by_plane.values()))
    return found


def dice(mask: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """Twice the intersection over the sum; 1 where both are empty."""
    total = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else 1.0


def _rank_correlation(scores: Sequence[float], truth: Sequence[float]) -> float | None:
    from scipy.stats import spearmanr

    if len(set(scores)) < 2 or len(set(truth)) < 2:
        return None
    return float(spearmanr(scores, truth).statistic)


def markdown(results: Sequence[Carried], encoded: Sequence[Any] = (0, 0.0)) -> str:
    """Tables: Dice by set and number of seeds, and Dice by distance."""
    counts = sorted({r.seeds for r in results})
    methods = [m for m in METHODS if any(r.method == m for r in results)]
    heads = [f"{m} {n}" for n in counts for m in methods]
    lines = [
        "3-D Dice (seed planes not counted), by method and number of seeded planes:", "",
        f"| Set | cases | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|",
    ]  # fmt: skip
    sets = list(dict.fromkeys(r.case.split("/")[0] for r in results))
    for name in [*sets, "all"]:
        here = [r for r in results if name in ("all", r.case.split("/")[0])]
        cells = [
            mean_cell([r.dice for r in here if r.seeds == n and r.method == m])
            for n in counts for m in methods
        ]  # fmt: skip
        lines.append(f"| {name} | {len({r.case for r in here})} | {' | '.join(cells)} |")
    first = [f"{a}" if a == b else f"{a}-{b}" if b < 900 else f"{a}+" for a, b in DISTANCES]
    lines += [
        "", "Dice of single planes by their distance from the nearest seed:", "",
        f"| Method | seeds | {' | '.join(first)} | rank correlation of the score |",
        "|---" * (len(first) + 3) + "|",
    ]  # fmt: skip
    for n in counts:
        for m in methods:
            here = [r for r in results if r.seeds == n and r.method == m]
            cells = [
                mean_cell([r.by_distance[str(a)] for r in here if str(a) in r.by_distance])
                for a, _ in DISTANCES
            ]
            ranks = mean_cell([r.ranking for r in here if r.ranking is not None])
            lines.append(f"| {m} | {n} | {' | '.join(cells)} | {ranks} |")
    lines.append("")
    for m in methods:
        taken = [1e3 * r.seconds_a_plane for r in results if r.method == m]
        lines.append(
            f"{m}: {np.median(taken):.0f} ms a plane (median over cases; {min(taken):.0f} to "
            f"{max(taken):.0f})  "
        )
    if encoded[0]:
        lines.append(f"encoding before that: {encoded[1] / encoded[0] * 1e3:.0f} ms a plane")
    return "\n".join(lines)


def _print(r: Carried) -> None:
    print(
        f"{r.case:40s} {r.method:6s} {r.seeds} seeds {r.planes:4d} planes  dice {r.dice:.3f}  "
        f"{r.seconds_a_plane * 1e3:6.0f} ms a plane",
        flush=True,
    )


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks propagate", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="laid out like shared/data")
    parser.add_argument("--model", default="compact")
    parser.add_argument("--method", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 3, 5])
    parser.add_argument("--per-set", type=int, default=2, help="stacks a set")
    parser.add_argument("--objects", type=int, default=4, help="objects a stack")
    parser.add_argument("--only", nargs="*", help="cases whose name holds one of these")
    parser.add_argument("--sides", type=int, nargs="*", default=[160, 208, 256],
                        help="sides of the phantoms")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    add_options(parser, "propagate")
    return parser.parse_args(argv)
