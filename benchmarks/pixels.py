"""How well pixels are classified from a few strokes: `python -m benchmarks pixels`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

import napari_seem as ns
from napari_seem.errors import NapariSeemError

from .clicks import open_model
from .datasets import ObjectSet, find_sets, read_image
from .strokes import drawn_strokes

SETS = ("retina_chase", "fives_vessels", "gsi_road", "axon_sem", "vegas_road", "concrete_damage")
ROUGH = ("vegas_road", "concrete_damage")
"""Sets whose labels are rough, and judged with a tolerance."""
TOLERANCE = 3
"""Pixels by which the border may be off in rough sets."""
STROKES = 5
FOREST, OURS, PLAIN = "forest", "classifier", "plain"
METHODS = (FOREST, OURS, PLAIN)
Array = npt.NDArray[Any]


@dataclass
class Classified:
    """IoU of one image; `seconds` are those of features, fitting and classifying."""

    set_name: str
    image: str
    method: str
    iou: float
    classes: dict[str, float]
    features: float
    fit: float
    predict: float


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks pixels DIR`."""
    options = _parse(argv)
    if options.side:
        print(processor_seconds(open_model(options.model), options.side))
        return 0
    known = _known(options.json)
    model: Any = open_model(options.model) if OURS in options.methods else None
    for chosen in find_sets(options.folder, options.sets):
        for name, image, truth, words in scenes(chosen):
            strokes = drawn_strokes(truth, options.seed, STROKES)
            for method in options.methods:
                if any((r.set_name, r.image, r.method) == (chosen.name, name, method)
                       for r in known):  # fmt: skip
                    continue
                found, seconds = _METHODS[method](model, image, strokes)
                tolerance = TOLERANCE if chosen.folder.name in ROUGH else 0
                ious = {word: quality(found == value + 1, truth == value, tolerance)
                        for value, word in words.items()}  # fmt: skip
                mean = float(np.mean(list(ious.values())))
                known.append(Classified(chosen.name, name, method, mean, ious, *seconds))
                print(f"{chosen.name:28s} {name:24.24s} {method:10s} IoU {mean:.3f}", flush=True)
                _write(options.json, known, argv)
    if not known:
        raise NapariSeemError(f"no set below '{options.folder}' has thin classes")
    print(markdown(known))
    return 0


def processor_seconds(model: Any, side: int) -> str:
    """Processor seconds of features, fit and answer on scikit-image's retina of `side` pixels."""
    from skimage.data import retina
    from skimage.transform import resize

    image = (255 * resize(retina()[200:1224, 200:1224], (side, side))).astype(np.uint8)
    green = image[..., 1].astype(float)
    dark = ndimage.gaussian_filter(green, 8) - ndimage.gaussian_filter(green, 1.5) > 8
    strokes = drawn_strokes(dark.astype(int), 0)
    _ours(model, image[:256, :256], strokes[:256, :256])  # what is loaded when it is first needed
    _, seconds = _ours(model, image, strokes, time.process_time)
    features, fit, predict = seconds
    return f"{side} px: features {features:.2f} s, fit {fit:.2f} s, classes {predict:.2f} s"


def scenes(chosen: ObjectSet) -> Iterator[tuple[str, Array, Array, dict[int, str]]]:
    """Every image of a set that has two classes: name, image, classes (H, W) and their names."""
    info = json.loads((chosen.folder / "set.json").read_text(encoding="utf-8"))
    for stem in sorted(info["items"]):
        item = info["items"][stem]
        image = read_image(chosen.folder / item["image"])
        truth, words = class_map(read_image(chosen.folder / item["mask"]), info, item)
        present = [int(value) for value in np.unique(truth) if value]
        if present and not truth.all():
            yield stem, image, truth, {value: words[value] for value in present}


def class_map(
    mask: Array, info: dict[str, Any], item: dict[str, Any]
) -> tuple[Array, dict[int, str]]:
    """Return classes (H, W) and their names; a set of objects tells the class of each."""
    if not info["kind"].startswith("instance"):
        return mask.astype(np.int64), {int(k): word for k, word in info["classes"].items()}
    classes = sorted(set(item["objects"].values()))
    table = np.zeros(int(mask.max()) + 1, np.int64)
    for number, word in item["objects"].items():
        table[int(number)] = 1 + classes.index(word)
    return table[mask], dict(enumerate(classes, 1))


def quality(found: Array, truth: Array, tolerance: int = 0) -> float:
    """Intersection over union of masks (H, W), with a tolerance in pixels.

    Found pixels that near to the truth are right, and pixels of the truth that near to a found one
    are not missed (the quality of Wiedemann et al. 1998 for extracted roads).
    """
    near_truth, near_found = truth, found
    if tolerance:
        near_truth, near_found = (
            ndimage.distance_transform_edt(~one) <= tolerance if one.any() else one
            for one in (truth, found)
        )
    right, missed = (found & near_truth).sum(), (truth & ~near_found).sum()
    return float(right / max(1, found.sum() + missed))


def _forest(model: object, image: Array, strokes: Array) -> tuple[Array, tuple[float, ...]]:
    """scikit-image's trainable segmentation: its features, and its default forest."""
    from skimage.feature import multiscale_basic_features
    from skimage.future import fit_segmenter, predict_segmenter
    from sklearn.ensemble import RandomForestClassifier

    times = [time.perf_counter()]
    features = multiscale_basic_features(image, channel_axis=-1 if image.ndim == 3 else None)
    times.append(time.perf_counter())
    forest = RandomForestClassifier(n_estimators=100, n_jobs=1, random_state=0)
    fit_segmenter(strokes, features, forest)
    times.append(time.perf_counter())
    found = predict_segmenter(features, forest)
    times.append(time.perf_counter())
    return found, tuple(np.diff(times))


def _ours(
    model: Any, image: Array, strokes: Array, clock: Callable[[], float] = time.perf_counter
) -> tuple[Array, tuple[float, ...]]:
    """The pixel classifier."""
    times = [clock()]
    features = ns.PixelFeatures(model, image)
    for _, frame in features.frames:
        features.maps(frame)
    times.append(clock())
    classifier = ns.PixelClassifier.fit(model, (features, strokes))
    times.append(clock())
    found = classifier.predict(features).labels
    times.append(clock())
    return found, tuple(np.diff(times))


_METHODS: dict[str, Callable[[Any, Array, Array], tuple[Array, tuple[float, ...]]]] = {
    FOREST: _forest, OURS: _ours, PLAIN: lambda _, image, strokes: _ours(None, image, strokes),
}  # fmt: skip


def markdown(results: Sequence[Classified]) -> str:
    """A table: a row a set, a column a method."""
    methods = [method for method in METHODS if any(r.method == method for r in results)]
    lines = ["| Set | images | " + " | ".join(methods) + " |", "|---" * (2 + len(methods)) + "|"]
    means = []
    for name in dict.fromkeys(r.set_name for r in results):
        own = [r for r in results if r.set_name == name]
        means.append([np.mean([r.iou for r in own if r.method == m] or [np.nan]) for m in methods])
        images = len({r.image for r in own})
        rough = f" (within {TOLERANCE} px)" if name.split("/")[1] in ROUGH else ""
        lines.append(f"| {name}{rough} | {images} | {_cells(means[-1])} |")
    lines.append(f"| **mean of sets** | | {_cells(np.mean(means, 0))} |")
    return "\n".join(lines)


def _cells(values: Sequence[float]) -> str:
    return " | ".join(f"{value:.3f}" for value in values)


def _known(path: Path | None) -> list[Classified]:
    """Results that an earlier, perhaps broken off, run has written."""
    if path is None or not path.exists():
        return []
    return [Classified(**one) for one in json.loads(path.read_text(encoding="utf-8"))["results"]]


def _write(path: Path | None, results: Sequence[Classified], argv: Sequence[str]) -> None:
    if path is None:
        return
    rows = [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(r).items()}
        for r in results
    ]
    command = f"python -m benchmarks pixels {' '.join(argv)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"command": command, "results": rows}, indent=1) + "\n", encoding="utf-8"
    )


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks pixels", description=__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), help="laid out like shared/data"
    )
    parser.add_argument("--model", default="compact")
    parser.add_argument("--sets", nargs="*", default=SETS,
                        help="only sets whose name holds one of these")  # fmt: skip
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=[FOREST, OURS])
    parser.add_argument("--side", type=int, metavar="PIXELS",
                        help="print processor times on an image of this side instead")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write results here, and go on from there")
    return parser.parse_args(argv)
