"""How many clicks an object takes: models and classical tools by the same simulated person."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_seem.errors import NapariSeemError
from napari_seem.models.base import Capability, Embedding, Model, Prediction
from napari_seem.prompts import Prompt, Reference, Text

from .classical import TOOLS, available, classical_model
from .datasets import ObjectSet, Picture, find_sets, sample_objects
from .pages import add_options, measured_with, put_table
from .person import (
    drawn_box,
    drawn_lasso,
    drawn_scribble,
    first_click,
    iou,
    next_click,
)
from .records import Measured, Protocol, Record, read, write
from .report import TABLES, markdown
from .sizes import IMAGES, Picks, pick, side_of, sizes_of

BoolArray = npt.NDArray[np.bool_]


MOST_BY_SIZE = 3
"""Most clicks on an object that was drawn for its size."""
ANSWERS = 3
"""Answers to the first click that are looked at."""


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks clicks DIR`."""
    options = _parse(argv)
    protocol = Protocol(
        options.per_set, options.max_clicks, options.seed, not options.clicks_only, options.by_size
    )
    sets = find_sets(options.folder, options.sets)
    if not sets:
        raise NapariSeemError(f"no set of '{options.folder}' is named like {options.sets}")
    models = _open_models(options.model or ["compact", "random-walker"])
    picks = pick(sets, protocol.seed, protocol.by_size) if protocol.by_size else {}
    results = {
        name: Measured(measured_with(model), list(_run(model, sets, protocol, picks)))
        for name, model in models.items()
    }
    for path in options.join:
        results |= _earlier(path, protocol)
    if options.json:
        write(options.json, protocol, results)
    text = markdown(results, protocol, options.tables)
    print(text)
    if options.table:
        put_table(options.table, text, options.mark, "Clicks")
    return 0


def _earlier(path: Path, protocol: Protocol) -> dict[str, Measured]:
    """Read an earlier run, such as of tools that take long and do not change."""
    known, models = read(path)
    if known != protocol:
        raise NapariSeemError(
            f"'{path}' was measured by another protocol ({known}); measure it again"
        )
    return models


def open_model(name: str) -> Model:
    """Return a model of the registry, or a classical tool.

    Parameters
    ----------
    name : str
        Its name; with `=FILE` after it, of weights of one's own. A `.safetensors` file alone is one
        of the compact model.

    Raises
    ------
    UnknownModel, WeightsError
        As of `load_model`.
    """
    if name in TOOLS:
        return classical_model(name)
    from napari_seem.models.registry import load_model

    name, _, file = name.partition("=")
    if name.endswith(".safetensors"):
        name, file = "compact", name
    return load_model(name, weights=file or None)


def _open_models(names: Sequence[str]) -> dict[str, Model]:
    """All models before anything is measured; tools without their package are left out aloud."""
    from napari_seem.models.registry import unable

    models = {}
    for name in names:
        if name in TOOLS and not available(name):
            print(f'{name}: left out, its package is missing (pip install "napari-seem[bench]")')
            continue
        model = models[name] = open_model(name)
        if Capability.POINT not in model.capabilities:
            raise unable(model, Capability.POINT, "be clicked on")
    if not models:
        raise NapariSeemError(f"none of {', '.join(names)} can run here; install the extra 'bench'")
    return models


def _run(
    model: Model, sets: Sequence[ObjectSet], protocol: Protocol, picks: Picks
) -> Iterator[Record]:
    for chosen in sets:
        start = time.perf_counter()
        records = list(evaluate_set(model, chosen, protocol)) if protocol.per_set else []
        records += evaluate_picks(model, chosen, protocol, picks.get(chosen.name, {}))
        yield from records
        if records:
            first = np.mean([r.curve[0] for r in records])
            third = np.mean([r.curve[min(2, len(r.curve) - 1)] for r in records])
            print(
                f"{model.name:14s} {chosen.name:32s} {len(records):3d} objects  "
                f"IoU@1 {first:.3f}  @3 {third:.3f}  {time.perf_counter() - start:.0f} s",
                flush=True,
            )


def evaluate_set(model: Model, chosen: ObjectSet, protocol: Protocol) -> Iterator[Record]:
    """Segment sampled objects of a set by clicks, boxes, strokes, outlines, words, references."""
    rng = np.random.default_rng([protocol.seed, 2, *chosen.name.encode()])
    reference: tuple[str, Reference] | None = None
    for picture, ids in sample_objects(chosen, protocol.seed, protocol.per_set):
        embedding = model.encode(picture.image)
        concepts = _concepts(model, embedding, picture, reference) if protocol.extras else {}
        for number in ids:
            record = _clicked(model, embedding, chosen, picture, number, protocol.clicks)
            if protocol.extras:
                truth = picture.instances == number
                record.single = _single(model, embedding, truth, rng) | concepts
            concepts = {}  # counted once an image
            yield record
        if reference is None and protocol.extras:
            reference = _take_reference(model, embedding, picture, ids)


def evaluate_picks(
    model: Model, chosen: ObjectSet, protocol: Protocol,
    picks: Mapping[str, Mapping[int, tuple[str, ...]]],
) -> Iterator[Record]:  # fmt: skip
    """Segment the objects of a set that were drawn for their size, by clicks and a box."""
    rng = np.random.default_rng([protocol.seed, 4, *chosen.name.encode()])
    for picture in chosen.pictures(protocol.seed, IMAGES) if picks else ():
        if picture.stem not in picks:
            continue
        embedding = model.encode(picture.image)
        for number, sizes in picks[picture.stem].items():
            most = min(MOST_BY_SIZE, protocol.clicks)
            record = _clicked(model, embedding, chosen, picture, number, most)
            box = drawn_box(picture.instances == number, rng)
            record.single["box"] = iou(
                model.predict(embedding, [box]).mask, picture.instances == number
            )
            record.sizes, record.by_size = sizes, True
            yield record


def _clicked(
    model: Model, embedding: Embedding, chosen: ObjectSet, picture: Picture, number: int, most: int
) -> Record:
    truth = picture.instances == number
    side = side_of(truth.sum())
    record = Record(
        chosen.name, chosen.other_source, picture.stem, number, side, sizes_of(side, truth.shape)
    )
    start = time.perf_counter()
    record.curve, record.scores, first = click_curve(model, embedding, truth, most)
    record.seconds = (time.perf_counter() - start) / len(record.curve)
    record.best = best_answers(first, truth)
    return record


def best_answers(first: Prediction, truth: BoolArray) -> list[float]:
    """Return the best IoU of the first one, two and three answers to a click.

    They come in the order in which a person would be shown them; where there are fewer, the last
    figure stays.
    """
    overlaps = [iou(answer.mask, truth) for answer in first.alternatives[:ANSWERS]]
    overlaps += [0.0] * (ANSWERS - len(overlaps))
    return np.maximum.accumulate(overlaps).tolist()


def click_curve(
    model: Model, embedding: Embedding, truth: BoolArray, most: int
) -> tuple[list[float], list[float], Prediction]:
    """IoU and own score after each of up to `most` clicks, and the answer to the first.

    The first click is in the middle of the object, each next one in the middle of the largest
    error (Sofiiuk et al. 2022).
    """
    prompts: list[Prompt] = [first_click(truth)]
    answers = [model.predict(embedding, prompts)]
    while len(answers) < most and (click := next_click(truth, answers[-1].mask)) is not None:
        prompts.append(click)
        answers.append(model.predict(embedding, prompts, answers[-1].memory))
    curve = [iou(answer.mask, truth) for answer in answers]
    scores = [answer.score for answer in answers]
    padding = most - len(curve)
    return curve + curve[-1:] * padding, scores + scores[-1:] * padding, answers[0]


def _single(
    model: Model, embedding: Embedding, truth: BoolArray, rng: np.random.Generator
) -> dict[str, float]:
    prompts: dict[str, Prompt] = {
        "box": drawn_box(truth, rng),
        "scribble": drawn_scribble(truth),
        "lasso": drawn_lasso(truth),
    }
    return {
        kind: iou(model.predict(embedding, [prompt]).mask, truth)
        for kind, prompt in prompts.items()
    }


def _concepts(
    model: Model, embedding: Embedding, picture: Picture, reference: tuple[str, Reference] | None
) -> dict[str, float]:
    """IoU of all objects of a class by its word, and by a reference from another image."""
    out = {}
    words = sorted(set(picture.names.values()))
    if reference is not None and reference[0] in words:
        truth = _all_of(picture, reference[0])
        out["reference"] = iou(model.predict(embedding, [reference[1]]).mask, truth)
    known = [word for word in words if word in model.vocabulary()]
    if known and Capability.TEXT in model.capabilities:
        out["word"] = float(
            np.mean([
                iou(model.predict(embedding, [Text(word)]).mask, _all_of(picture, word))
                for word in known
            ])
        )  # fmt: skip
    return out


def _take_reference(
    model: Model, embedding: Embedding, picture: Picture, ids: Sequence[int]
) -> tuple[str, Reference] | None:
    """One object of the set, to be shown on the other images of the set."""
    if Capability.REFERENCE not in model.capabilities:
        return None
    for number in ids:
        word = picture.names.get(number)
        if word:
            return word, Reference(embedding, picture.instances == number)
    return None


def _all_of(picture: Picture, word: str) -> BoolArray:
    numbers = [number for number, name in picture.names.items() if name == word]
    return np.isin(picture.instances, numbers)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks clicks", description=__doc__)
    parser.add_argument("folder", type=Path, help="laid out as <domain>/<set>/set.json")
    tools = ", ".join(TOOLS)
    parser.add_argument(
        "--model", action="append", metavar="M",
        help=f"a model, NAME=FILE for weights of your own, or one of: {tools}",
    )  # fmt: skip
    parser.add_argument("--per-set", type=int, default=Protocol.per_set, help="objects a set")
    parser.add_argument(
        "--by-size", type=int, default=0, metavar="N",
        help="also N objects of each size, from all sets, for the table by size",
    )  # fmt: skip
    parser.add_argument("--max-clicks", type=int, default=Protocol.clicks)
    parser.add_argument("--seed", type=int, default=Protocol.seed)
    parser.add_argument("--sets", action="append", metavar="PART", help="only sets named like this")
    parser.add_argument("--clicks-only", action="store_true", help="no boxes, strokes, words, ...")
    parser.add_argument(
        "--join", type=Path, action="append", default=[], metavar="JSON",
        help="show the figures of an earlier run by the same protocol, too",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write what was measured of each object")
    parser.add_argument("--tables", nargs="*", choices=TABLES, help="show these tables only")
    add_options(parser, "clicks")
    return parser.parse_args(list(argv))
