"""How well all objects of an image are found and told apart: `python -m benchmarks everything`.

Instance sets are taken as they are; of semantic ones the connected components of each class are
objects, where the class names a thing (a kidney) and not a stuff (`STUFF`: a road, the sky). The
figures of `instances.py` are means over the images of a set; domains are means over sets.
"""

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
from napari_seem.models.base import Model

from . import clicks
from .datasets import SMALLEST, ObjectSet, Picture, find_sets
from .instances import (
    THRESHOLDS,
    Overlaps,
    average_precision,
    f1,
    matches,
    over_segmentation,
    overlaps,
    panoptic_quality,
    ranked_precision,
    under_segmentation,
)
from .pages import add_options, publish
from .unsupervised import TOOLS, UnsupervisedTool

STUFF = (
    "air cavities", "airways", "artery or vein", "bone", "cerebrospinal fluid", "clutter",
    "corrosion", "crack", "edema", "flood", "forest", "ground", "landslide", "matter",
    "oxide layer", "retinal vessel", "road", "scratch", "sidewalk", "skin", "sky", "spalling",
    "stratigraphic unit", "tree", "vegetation", "water",
)  # fmt: skip
"""Classes of semantic sets whose names hold one of these, as whole words, are no objects; the
pixels are nobody's then. A skin lesion is an object all the same."""
SHOWN = ("ap50", "ap", "f1", "pq", "over", "under", "recall50", "ranked50")
TIMES = {"seconds": "s an image", "processor": "of the processor"}
Figures = dict[str, float]


@dataclass(frozen=True, eq=False)
class Judged:
    """One image: overlaps of what was found and what is there, and the seconds it took.

    `processor` are the seconds of all threads together, which tell how much work it was.
    """

    set_name: str
    stem: str
    other_source: bool
    table: Overlaps = field(repr=False)
    seconds: float
    processor: float


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks everything DIR`."""
    options = _parse(argv)
    sets = find_sets(options.folder, options.sets)
    models = {name: open_model(name) for name in options.model or ["compact", *TOOLS]}
    judged: dict[str, list[Judged]] = {name: [] for name in models}
    for chosen in sets:
        for name, found in judge_set(models, chosen, options.per_set, options.seed):
            judged[name].append(found)
        _tell(chosen, judged)
    if not any(judged.values()):
        raise NapariSeemError(
            f"no set of '{options.folder}' has objects to be told apart"
            + (f" and is named like {options.sets}" if options.sets else "")
        )
    figures = {name: summary(found) for name, found in judged.items()}
    protocol = {"per_set": options.per_set, "seed": options.seed}
    if options.json:
        images = {name: [by_image(one) for one in found] for name, found in judged.items()}
        kept = {"protocol": protocol, "models": figures, "images": images}
        options.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    publish(markdown(figures, protocol), models.values(), options)
    return 0


def open_model(name: str) -> Model:
    """A model of the registry, a weights file of the compact model, or one of `TOOLS`."""
    return UnsupervisedTool(name, TOOLS[name]) if name in TOOLS else clicks.open_model(name)


def judge_set(
    models: dict[str, Model], chosen: ObjectSet, most: int, seed: int
) -> Iterator[tuple[str, Judged]]:
    """Let every model find everything on at most `most` images of a set; names and outcomes.

    Images without an object are passed over: nothing can be said of them.
    """
    for picture in chosen.pictures(seed, most):
        truth, ignored = things(picture)
        if not truth.any():
            continue
        for name, model in models.items():
            start = time.perf_counter(), time.process_time()
            found = model.segment(model.encode(picture.image))
            took = time.perf_counter() - start[0], time.process_time() - start[1]
            scores = [instance.score for instance in found.instances]
            table = overlaps(found.labels, truth, ignored, scores)
            yield name, Judged(chosen.name, picture.stem, chosen.other_source, table, *took)


def things(picture: Picture) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Ids (H, W) of the objects of a picture, and the pixels that are nobody's.

    Those are stuff, objects of fewer than `datasets.SMALLEST` pixels, and negative ids.
    """
    truth = picture.instances
    areas = np.bincount(np.maximum(truth, 0).ravel())
    dropped = {int(i) for i in np.flatnonzero((areas > 0) & (areas < SMALLEST))}
    dropped |= {i for i, word in picture.names.items() if is_stuff(word)}
    dropped.discard(0)
    ignored = np.isin(truth, list(dropped)) | (truth < 0)
    return np.where(ignored, 0, truth), ignored


def is_stuff(name: str) -> bool:
    """Whether a class is no thing that can be counted."""
    return "lesion" not in name and any(f" {part} " in f" {name} " for part in STUFF)


def summary(judged: Sequence[Judged]) -> dict[str, dict[str, Figures]]:
    """Figures by set, by domain (mean over its sets), over other sources only, and overall."""
    names = dict.fromkeys(j.set_name for j in judged)
    sets = {name: figures([j for j in judged if j.set_name == name]) for name in names}
    elsewhere = {j.set_name for j in judged if j.other_source}
    domains = sorted({name.split("/")[0] for name in sets})
    nuclei = [f for name, f in sets.items() if any(part in name for part in NUCLEI)]
    overall = {"all sets": mean(list(sets.values()))}
    if nuclei:
        overall["sets of nuclei"] = mean(nuclei)
    if elsewhere and elsewhere != set(sets):
        overall["sets of other sources"] = mean([sets[n] for n in sets if n in elsewhere])
    by_domain = {d: mean([f for n, f in sets.items() if n.split("/")[0] == d]) for d in domains}
    return {"sets": sets, "domains": by_domain, "overall": overall}


NUCLEI = ("dsb2018", "tnbc", "nuclei3d", "qcanet", "hela")
"""Parts of the names of sets that show nuclei."""


def figures(judged: Sequence[Judged]) -> Figures:
    """Means over images; `ranked50` takes the objects of all images together."""
    tables = [j.table for j in judged]
    ious = [table.iou for table in tables]
    return {
        "images": len(tables),
        "objects": int(sum(table.true.size for table in tables)),
        "found": int(sum(table.found.size for table in tables)),
        "ap50": _mean([average_precision(iou, 0.5) for iou in ious]),
        "ap": _mean([average_precision(iou, t) for iou in ious for t in THRESHOLDS]),
        "f1": _mean([f1(iou, 0.5) for iou in ious]),
        "pq": _mean([panoptic_quality(iou) for iou in ious]),
        "over": _mean([over_segmentation(table) for table in tables]),
        "under": _mean([under_segmentation(table) for table in tables]),
        "recall50": _mean([len(matches(iou, 0.5)) / iou.shape[1] for iou in ious if iou.shape[1]]),
        "ranked50": ranked_precision(tables, 0.5),
        "seconds": float(np.median([j.seconds for j in judged])),
        "processor": float(np.median([j.processor for j in judged])),
    }


def by_image(judged: Judged) -> dict[str, Any]:
    """Return what is kept of one image, for tests of differences image by image."""
    iou = judged.table.iou
    return {
        "set": judged.set_name, "image": judged.stem,
        "objects": judged.table.true.size, "found": judged.table.found.size,
        "ap50": average_precision(iou, 0.5), "f1": f1(iou, 0.5),
        "seconds": judged.seconds, "processor": judged.processor,
    }  # fmt: skip


def mean(rows: Sequence[Figures]) -> Figures:
    """Counts are summed, all else is a mean over sets."""
    counts = ("images", "objects", "found")
    return {
        key: sum(row[key] for row in rows) if key in counts else _mean([row[key] for row in rows])
        for key in rows[0]
    }


def markdown(models: dict[str, dict[str, dict[str, Figures]]], protocol: dict[str, Any]) -> str:
    """The figures of several models as tables, models side by side."""
    lines = [
        f"At most {protocol['per_set']} images a set (seed {protocol['seed']}). AP50 and AP are "
        "TP / (TP + FP + FN) at an IoU above 0.5 and as a mean over 0.5 to 0.95; F1 is at 0.5, for "
        "what is found by default; PQ is panoptic quality; split and merged are the shares of true "
        "objects over- and under-segmented (less is better); found is the recall at 0.5; ranked "
        "AP50 is COCO's, which counts a wrong object less the surer the right ones are. Means over "
        "images, then over sets.", "",
    ]  # fmt: skip
    for part, title in (("domains", "Domain"), ("overall", "All"), ("sets", "Set")):
        lines += [f"### By {title.lower()}", "", *_table(models, part, title), ""]
    return "\n".join(lines)


def _table(
    models: dict[str, dict[str, dict[str, Figures]]], part: str, title: str
) -> list[str]:  # fmt: skip
    heads = ["AP50", "AP", "F1", "PQ", "split", "merged", "found", "ranked AP50", *TIMES.values()]
    head = [title, "model", "objects", *heads]
    rows = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for place in dict.fromkeys(p for parts in models.values() for p in parts[part]):
        for model, parts in models.items():
            found = parts[part].get(place)
            if found is None:
                continue
            cells = [f"{found[key]:.3f}" for key in SHOWN] + [f"{found[t]:.2f}" for t in TIMES]
            rows.append(f"| {place} | {model} | {found['objects']:.0f} | {' | '.join(cells)} |")
    return rows


def _tell(chosen: ObjectSet, judged: dict[str, list[Judged]]) -> None:
    here = {n: [j for j in found if j.set_name == chosen.name] for n, found in judged.items()}
    told = [f"{name} {figures(found)['ap50']:.3f}" for name, found in here.items() if found]
    if told:
        print(f"{chosen.name:32s} AP50: {'  '.join(told)}", flush=True)


def _mean(values: Sequence[float]) -> float:
    """The mean of what can be said; 0 where nothing can."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else 0.0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks everything", description=__doc__)
    parser.add_argument("folder", type=Path, help="laid out as <domain>/<set>/set.json")
    parser.add_argument(
        "--model", action="append", metavar="M",
        help="a model, a .safetensors file of the compact model, or one of: " + ", ".join(TOOLS),
    )  # fmt: skip
    parser.add_argument("--per-set", type=int, default=6, help="images a set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", action="append", metavar="PART", help="only sets named like this")
    parser.add_argument("--json", type=Path)
    add_options(parser, "everything")
    return parser.parse_args(list(argv))
