"""How well a taught word finds its kind in other images: `python -m benchmarks concepts`.

The word is taught by one, three and five objects of one image of a set, and looked for in other
images of the set; beside it stand the vocabulary's word, where the model was trained on it, and all
objects of the image, whatever they are.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_seem.concepts import ConceptLibrary, Shown, teach_word
from napari_seem.errors import InvalidPrompt, NapariSeemError, UnknownWord
from napari_seem.models.base import Embedding, Segmentation
from napari_seem.prompts import Text

from .clicks import open_model
from .datasets import ObjectSet, Picture, find_sets, usable_ids
from .instances import average_precision, overlaps
from .pages import add_options, publish
from .person import iou
from .report import mean_cell

TAUGHT = "what was taught"
IMAGES = 8
"""So many images of a set are looked through for some with the word."""
Truth = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """What one way of asking found on one image.

    Attributes
    ----------
    set_name : str
    other_source : bool
    word : str
        As the set calls it.
    way : str
        'word', 'everything', or how many objects it was taught by.
    ap50 : float
        TP / (TP + FP + FN) of its objects at an IoU of 0.5.
    iou : float
        Of all its pixels; of 'everything' those of all objects.
    seconds : float
        Of finding, encoded already; NaN where the image was refused, which counts as 0 found.
    """

    set_name: str
    other_source: bool
    word: str
    way: str
    ap50: float
    iou: float
    seconds: float


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks concepts DIR`."""
    options = _parse(argv)
    model: Any = open_model(options.model)
    results: list[Found] = []
    for chosen in find_sets(options.folder, options.sets):
        here = list(evaluate(model, chosen, options.objects, options.targets, options.seed))
        results += here
        told = ", ".join(f"{way} {_mean(here, way)[0]}" for way in _ways(here))
        print(f"{chosen.name:32s} {here[0].word if here else 'no word'}: AP50 {told}", flush=True)
        if options.json:
            options.json.write_text(
                json.dumps([asdict(r) for r in results], indent=1), encoding="utf-8"
            )
    if not results:
        raise NapariSeemError(f"no set below '{options.folder}' has a word on two images")
    publish(markdown(results), [model], options)
    return 0


def evaluate(
    model: Any, chosen: ObjectSet, counts: Sequence[int], targets: int, seed: int
) -> Iterator[Found]:
    """Ask for the set's most frequent word on some images, in every way; nothing where none is."""
    pictures = list(chosen.pictures(seed, IMAGES))
    words = Counter(word for picture in pictures for word in set(picture.names.values()))
    if not words:
        return
    word = max(words, key=lambda one: (words[one], one))
    marked = [(picture, objects_of(picture, word)) for picture in pictures]
    marked = [(picture, truth) for picture, truth in marked if truth.any()]
    marked.sort(key=lambda pair: -min(int(pair[1].max()), max(counts)))
    if len(marked) < 2:
        return
    (first, labels), asked = marked[0], marked[1 : 1 + targets]
    embeddings = [model.encode(picture.image) for picture, _ in asked]
    rng = np.random.default_rng([seed, *chosen.name.encode()])
    order = rng.permutation(int(labels.max())) + 1
    ways: dict[str, tuple[Any, str | None]] = {"everything": (model, None), "word": (model, word)}
    for count in counts:
        if count > len(order) and count > min(counts):
            continue
        shown = Shown(first.image, np.where(np.isin(labels, order[:count]), labels, 0))
        concept = teach_word(model, TAUGHT, [shown], keep_examples=False)
        ways[str(count)] = model.with_words(ConceptLibrary((concept,))), TAUGHT
    for (_, truth), embedding in zip(asked, embeddings, strict=True):
        for way, (able, name) in ways.items():
            try:
                figures = _figures(able, embedding, name, truth)
            except UnknownWord:
                continue
            yield Found(chosen.name, chosen.other_source, word, way, *figures)


def objects_of(picture: Picture, word: str) -> Truth:
    """The objects of one word, numbered 1, 2, 3, ..., without those too small to count."""
    ids = [i for i in usable_ids(picture.instances) if picture.names.get(int(i)) == word]
    table = np.zeros(int(picture.instances.max()) + 1, np.int64)
    table[ids] = np.arange(1, len(ids) + 1)
    return table[picture.instances]


def _figures(
    model: Any, embedding: Embedding, name: str | None, truth: Truth
) -> tuple[float, float, float]:
    start = time.perf_counter()
    try:
        found: Segmentation = model.segment(embedding, None if name is None else [name])
    except InvalidPrompt:  # taught in colour and asked in gray, or the other way round
        return 0.0, 0.0, float("nan")
    seconds = time.perf_counter() - start
    mask = found.labels > 0 if name is None else model.predict(embedding, [Text(name)]).mask
    precision = average_precision(overlaps(found.labels, truth).iou, 0.5)
    return precision, iou(mask, truth > 0), seconds


def markdown(results: Sequence[Found]) -> str:
    """A table: a row a set, then means over sets in which the same ways were tried."""
    ways = _ways(results)
    heads = [f"{_title(way)}" for way in ways]
    lines = [
        "| Set | word | images | " + " | ".join(f"AP50 {h}" for h in heads) + " | "
        + " | ".join(f"IoU {h}" for h in heads) + " |",
        "|---" * (2 * len(ways) + 3) + "|",
    ]  # fmt: skip
    sets = list(dict.fromkeys(r.set_name for r in results))
    for name in sets:
        lines.append(_row(name, [r for r in results if r.set_name == name], ways, single=True))
    for title, wanted in (
        ("**where all numbers of objects could be marked**", [w for w in ways if w != "word"]),
        ("**where the word is known, too**", ["everything", "word", ways[-1]]),
        ("**where the word is known, and one marked**", ["everything", "word", *ways[2:3]]),
    ):
        both = [r for r in results if all(_has(results, r.set_name, way) for way in wanted)]
        if both:
            lines.append(_row(title, [r for r in both if r.way in wanted], ways))
    return "\n".join(lines)


def _has(results: Sequence[Found], set_name: str, way: str) -> bool:
    return any(r.set_name == set_name and r.way == way for r in results)


def _row(title: str, here: list[Found], ways: Sequence[str], single: bool = False) -> str:
    images = sum(r.way == ways[0] for r in here)
    cells = [_mean(here, way) for way in ways]
    figures = [cell[0] for cell in cells] + [cell[1] for cell in cells]
    word = here[0].word if single else ""
    return f"| {title} | {word} | {images} | " + " | ".join(figures) + " |"


def _mean(results: Sequence[Found], way: str) -> tuple[str, str]:
    """Mean AP50 and IoU over sets of the means over a set's images, as they stand in a table."""
    sets: dict[str, list[Found]] = {}
    for one in results:
        if one.way == way:
            sets.setdefault(one.set_name, []).append(one)
    return (
        mean_cell([float(np.nanmean([r.ap50 for r in here])) for here in sets.values()]),
        mean_cell([float(np.mean([r.iou for r in here])) for here in sets.values()]),
    )


def _ways(results: Sequence[Found]) -> list[str]:
    order = {"everything": -2, "word": -1}
    return sorted({r.way for r in results}, key=lambda way: order.get(way) or int(way))


def _title(way: str) -> str:
    return way if not way.isdigit() else f"taught by {way}"


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks concepts", description=__doc__)
    parser.add_argument("folder", type=Path, help="laid out like shared/data")
    parser.add_argument("--model", default="compact")
    parser.add_argument("--sets", nargs="*", help="only sets whose name holds one of these")
    parser.add_argument("--objects", type=int, nargs="*", default=[1, 3, 5])
    parser.add_argument("--targets", type=int, default=2, help="images asked about")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    add_options(parser, "concepts")
    return parser.parse_args(argv)
