"""How many clicks an object takes: models and classical tools by the same simulated person."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_seem.errors import NapariSeemError
from napari_seem.models.base import Capability, Embedding, Model
from napari_seem.prompts import Prompt, Reference, Text

from .classical import TOOLS, available, classical_model
from .datasets import ObjectSet, Picture, find_sets, sample_objects
from .person import (
    drawn_box,
    drawn_lasso,
    drawn_scribble,
    first_click,
    iou,
    next_click,
)
from .report import markdown, summary

BoolArray = npt.NDArray[np.bool_]


@dataclass
class Record:
    """What one model did with one object.

    `curve` holds the IoU after each click; once it is perfect it stays so. `scores` holds the
    model's own estimates beside it. The others are single IoUs by kind of prompt.
    """

    set_name: str
    other_source: bool
    curve: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    single: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Protocol:
    """How much is asked: objects a set, clicks an object, and the seed of every choice."""

    per_set: int = 24
    clicks: int = 20
    seed: int = 0
    extras: bool = True


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks clicks DIR`."""
    options = _parse(argv)
    protocol = Protocol(options.per_set, options.max_clicks, options.seed, not options.clicks_only)
    sets = find_sets(options.folder, options.sets)
    if not sets:
        raise NapariSeemError(f"no set of '{options.folder}' is named like {options.sets}")
    models = _open_models(options.model or ["compact", "random-walker"])
    results = {name: list(_run(model, sets, protocol)) for name, model in models.items()}
    figures = {name: summary(records) for name, records in results.items()}
    for path in options.join:
        figures |= _earlier(path, protocol)
    print(markdown(figures, protocol))
    if options.json:
        options.json.write_text(
            json.dumps({"protocol": vars(protocol), "models": figures}, indent=1)
        )
    if options.markdown:
        options.markdown.write_text(markdown(figures, protocol))
    return 0


def _earlier(path: Path, protocol: Protocol) -> dict[str, Any]:
    """Figures of an earlier run, such as of tools that take long and do not change."""
    found = json.loads(path.read_text())
    if found["protocol"] != vars(protocol):
        raise NapariSeemError(
            f"'{path}' was measured by another protocol ({found['protocol']}); measure it again"
        )
    return dict(found["models"])


def open_model(name: str) -> Model:
    """A model of the registry, or a classical tool; a weights file of the compact model by path."""
    if name in TOOLS:
        return classical_model(name)
    from napari_seem.models.registry import load_model

    if name.endswith(".safetensors"):
        return load_model("compact", weights=name)
    return load_model(name)


def _open_models(names: Sequence[str]) -> dict[str, Model]:
    """All models before anything is measured; tools without their package are left out aloud."""
    models = {}
    for name in names:
        if name in TOOLS and not available(name):
            print(f"{name}: left out, its package is missing (pip install 'napari-seem[bench]')")
            continue
        models[name] = open_model(name)
    if not models:
        raise NapariSeemError(f"none of {', '.join(names)} can run here; install the extra 'bench'")
    return models


def _run(model: Model, sets: Sequence[ObjectSet], protocol: Protocol) -> Iterator[Record]:
    for chosen in sets:
        start = time.perf_counter()
        records = list(evaluate_set(model, chosen, protocol))
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
            truth = picture.instances == number
            record = Record(chosen.name, chosen.other_source)
            start = time.perf_counter()
            record.curve, record.scores = click_curve(model, embedding, truth, protocol.clicks)
            record.seconds = (time.perf_counter() - start) / len(record.curve)
            if protocol.extras:
                record.single = _single(model, embedding, truth, rng) | concepts
            concepts = {}  # counted once an image
            yield record
        if reference is None and protocol.extras:
            reference = _take_reference(model, embedding, picture, ids)


def click_curve(
    model: Model, embedding: Embedding, truth: BoolArray, most: int
) -> tuple[list[float], list[float]]:
    """IoU and own score after each of up to `most` clicks.

    The first click is in the middle of the object, each next one in the middle of the largest
    error (Sofiiuk et al. 2022).
    """
    prompts: list[Prompt] = []
    memory: Any = None
    mask = np.zeros_like(truth)
    curve: list[float] = []
    scores: list[float] = []
    while len(curve) < most:
        click = next_click(truth, mask) if prompts else first_click(truth)
        if click is None:
            break
        prompts.append(click)
        prediction = model.predict(embedding, prompts, memory)
        memory, mask = prediction.memory, prediction.mask
        curve.append(iou(mask, truth))
        scores.append(prediction.score)
    padding = most - len(curve)
    return curve + curve[-1:] * padding, scores + scores[-1:] * padding


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
        help=f"a model, a .safetensors file of the compact model, or one of: {tools}",
    )  # fmt: skip
    parser.add_argument("--per-set", type=int, default=Protocol.per_set, help="objects a set")
    parser.add_argument("--max-clicks", type=int, default=Protocol.clicks)
    parser.add_argument("--seed", type=int, default=Protocol.seed)
    parser.add_argument("--sets", action="append", metavar="PART", help="only sets named like this")
    parser.add_argument("--clicks-only", action="store_true", help="no boxes, strokes, words, ...")
    parser.add_argument(
        "--join", type=Path, action="append", default=[], metavar="JSON",
        help="show the figures of an earlier run by the same protocol, too",
    )  # fmt: skip
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args(list(argv))
