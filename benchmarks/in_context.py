"""How well images are labelled from a few examples: `python -m benchmarks in-context`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_seem.errors import NapariSeemError
from napari_seem.models.in_context import Example, InContextModel

from .clicks import open_model
from .datasets import ObjectSet, Picture, find_sets
from .pages import add_options, publish
from .person import iou
from .report import mean_cell

MOST_CLASSES = 20
"""Sets of more classes are asked for foreground only."""


@dataclass
class Answered:
    """IoU on other images of a set from some examples.

    `iou` is a mean over classes, `foreground` of everything labelled against the rest; `seconds`
    are those of labelling one target whose embedding is there already.
    """

    set_name: str
    other_source: bool
    examples: int
    targets: int
    classes: int
    iou: float
    foreground: float
    seconds: float


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks in-context DIR`."""
    options = _parse(argv)
    model: Any = open_model(options.model)
    results: list[Answered] = []
    for chosen in find_sets(options.folder, options.sets):
        for found in evaluate(model, chosen, options.examples, options.targets, options.seed):
            results.append(found)
            told = f"{found.examples} examples  IoU {found.iou:.3f}"
            print(f"{found.set_name:32s} {told}", flush=True)
    if not results:
        raise NapariSeemError(f"no set below '{options.folder}' has enough images")
    publish(markdown(results), [model], options)
    if options.json:
        options.json.write_text(
            json.dumps([asdict(r) for r in results], indent=1), encoding="utf-8"
        )
    return 0


def evaluate(
    model: InContextModel, chosen: ObjectSet, counts: Sequence[int], targets: int, seed: int
) -> list[Answered]:
    """Label the same targets from more and more examples; nothing where images are too few."""
    pictures = [
        picture for picture in chosen.pictures(seed, max(counts) + targets)
        if picture.instances.any()
    ]  # fmt: skip
    counts = [count for count in counts if count < len(pictures)]
    if not counts:
        return []
    labels, classes = _classes(pictures)
    examples = [
        Example(model.encode(picture.image), label)
        for picture, label in zip(pictures[: max(counts)], labels, strict=False)
    ]
    asked, truths = pictures[max(counts) :], labels[max(counts) :]
    embeddings = [model.encode(picture.image) for picture in asked]
    results = []
    for count in counts:
        lesson = model.learn(examples[:count])
        start = time.perf_counter()
        answers = [model.label(lesson, embedding).labels for embedding in embeddings]
        seconds = (time.perf_counter() - start) / len(answers)
        pairs = list(zip(answers, truths, strict=True))
        ious = [iou(a == c, t == c) for a, t in pairs for c in np.unique(t[t > 0])]
        foreground = [iou(a > 0, t > 0) for a, t in pairs]
        results.append(
            Answered(
                chosen.name, chosen.other_source, count, len(answers), classes,
                float(np.mean(ious)), float(np.mean(foreground)), seconds,
            )
        )  # fmt: skip
    return results


def _classes(pictures: Sequence[Picture]) -> tuple[list[npt.NDArray[np.int32]], int]:
    """Label images of the set's class words; of one class where there are none or too many."""
    words = sorted({word for picture in pictures for word in picture.names.values()})
    if not 1 < len(words) <= MOST_CLASSES:
        return [(picture.instances > 0).astype(np.int32) for picture in pictures], 1
    out = []
    for picture in pictures:
        table = np.zeros(int(picture.instances.max()) + 1, np.int32)
        for number, word in picture.names.items():
            table[number] = 1 + words.index(word)
        out.append(table[picture.instances])
    return out, len(words)


def markdown(results: Sequence[Answered]) -> str:
    """A table: a row a set, then domains, then all."""
    counts = sorted({r.examples for r in results})
    heads = " | ".join(f"IoU from {n}" for n in counts)
    fore = " | ".join(f"foreground from {n}" for n in counts)
    lines = [
        f"| Set | classes | targets | {heads} | {fore} | ms a target |",
        "|---" * (2 * len(counts) + 4) + "|",
    ]
    sets = list(dict.fromkeys(r.set_name for r in results))
    domains = sorted({name.split("/")[0] for name in sets})
    for title, here in [
        *((name, [r for r in results if r.set_name == name]) for name in sets),
        *((f"**{d}**", [r for r in results if r.set_name.startswith(d + "/")]) for d in domains),
        ("**all**", list(results)),
        ("**other sources**", [r for r in results if r.other_source]),
    ]:
        if not here:
            continue
        by_count = [[r for r in here if r.examples == n] for n in counts]
        cells = [mean_cell([r.iou for r in rows]) for rows in by_count]
        cells += [mean_cell([r.foreground for r in rows]) for rows in by_count]
        classes = str(here[0].classes) if title in sets else ""
        targets = sum(r.targets for r in by_count[0] or here)
        milliseconds = np.median([r.seconds for r in here]) * 1e3
        lines.append(
            f"| {title} | {classes} | {targets} | {' | '.join(cells)} | {milliseconds:.0f} |"
        )
    return "\n".join(lines)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks in-context", description=__doc__)
    parser.add_argument("folder", type=Path, help="laid out like shared/data")
    parser.add_argument("--model", default="compact")
    parser.add_argument("--sets", nargs="*", help="only sets whose name holds one of these")
    parser.add_argument("--examples", type=int, nargs="*", default=[1, 3, 5])
    parser.add_argument("--targets", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    add_options(parser, "in-context")
    return parser.parse_args(argv)
