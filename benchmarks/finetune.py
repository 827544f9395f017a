"""Fine-tuning on few labelled images: `python -m benchmarks finetune DIR`.

Each set is split in two by `--seed`. The model is fitted to 5, 10 and 20 images of one half (or as
many as there are), and asked for objects of the other half before and after. A cell (a set and a
number of images) that is in the JSON file already is not measured again, so that the command can be
given again after an interruption.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import napari_seem as ns
from napari_seem.errors import NapariSeemError
from napari_seem.finetuning import FineTuning, FineTuningRun
from napari_seem.io.writing.whole import replacing
from napari_seem.models.base import Model

from .clicks import click_curve
from .datasets import PER_IMAGE, ObjectSet, Picture, find_sets, usable_ids
from .person import drawn_box, iou
from .report import clicks_needed

SETS = ("microscopy/wbc", "medical/polyp", "aerial/dronedeploy")
"""Of each kind the one with most images in dev-eval among those without a training half."""
IMAGES = (5, 10, 20)
GOAL = 0.85
ROOT = Path(__file__).resolve().parents[1]
Row = dict[str, Any]


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks finetune DIR`."""
    options = _parse(argv)
    import torch

    torch.set_num_threads(options.threads)
    wanted = options.only or SETS
    sets = [one for one in find_sets(options.folder) if one.name in wanted]
    if missing := set(wanted) - {one.name for one in sets}:
        raise NapariSeemError(f"'{options.folder}' has no set {', '.join(sorted(missing))}")
    model = ns.load_model("compact", device=options.device, weights=options.weights)
    results = _earlier(options, model)
    for chosen in sets:
        _measure_set(model, chosen, results, options)
    options.markdown.write_text(markdown(results), encoding="utf-8")
    print(markdown(results))
    return 0


def _measure_set(model: Any, chosen: ObjectSet, results: Row, options: argparse.Namespace) -> None:
    """Measure the cells of a set that are not there yet; write after each."""
    pictures = [p for p in chosen.pictures(options.seed, most=10_000) if p.instances.any()]
    half = len(pictures) // 2
    learned, judged = pictures[half:], pictures[:half]
    cells = results["sets"].setdefault(chosen.name, {"before": None, "after": {}})
    if cells["before"] is None:
        cells["before"] = measured(model, judged, options)
        _write(results, options.json)
    for count in sorted({min(count, len(learned)) for count in options.images}):
        if str(count) in cells["after"]:
            continue
        examples = [(p.image, p.instances.astype(np.int32)) for p in learned[:count]]
        tuned = _tuned(model, examples, options)
        about = {key: value for key, value in tuned.provenance.items() if key != "made"}
        cells["after"][str(count)] = {
            "images": measured(tuned.model, judged, options), "curve": tuned.curve,
            "improved": tuned.improved, "fit": about,
        }  # fmt: skip
        _write(results, options.json)
        print(f"{chosen.name} {count}: {_row(chosen.name, cells, str(count))}", flush=True)


def _tuned(model: Any, examples: object, options: argparse.Namespace) -> FineTuning:
    """Fine-tune as `ns.finetune` does, by a clock that other work does not take time of."""
    run = FineTuningRun(
        model, examples, minutes=options.minutes, device=options.device, seed=options.seed,
        clock=lambda: time.process_time() / options.threads,
    )  # fmt: skip
    for step in run.steps():
        if step.iou is not None:
            print(f"  {step.minutes:5.1f} min  {step.iou:.3f}", flush=True)
    return run.result()


def measured(model: Model, pictures: Sequence[Picture], options: argparse.Namespace) -> list[Row]:
    """Figures of each picture: means over at most `PER_IMAGE` of its objects."""
    rows = []
    for number, picture in enumerate(pictures):
        rng = np.random.default_rng([options.seed, number])
        ids = rng.permutation(usable_ids(picture.instances))[:PER_IMAGE]
        if not len(ids):
            continue
        embedding = model.encode(picture.image)
        curves, boxes = [], []
        for label_id in ids:
            truth = picture.instances == label_id
            curves.append(click_curve(model, embedding, truth, options.max_clicks)[0])
            found = model.predict(embedding, [drawn_box(truth, rng)])
            boxes.append(iou(found.mask, truth))
        needed = [clicks_needed(curve, GOAL) or options.max_clicks for curve in curves]
        rows.append({
            "image": picture.stem, "objects": len(ids),
            "iou_at_1": round(float(np.mean([curve[0] for curve in curves])), 4),
            "noc_at_85": round(float(np.mean(needed)), 3),
            "box": round(float(np.mean(boxes)), 4),
        })  # fmt: skip
    return rows


def _earlier(options: argparse.Namespace, model: Any) -> Row:
    """What was measured before, by the same protocol and weights."""
    protocol = {
        "minutes": options.minutes, "seed": options.seed, "clicks": options.max_clicks,
        "threads": options.threads, "weights": model.identity,
    }  # fmt: skip
    command = (
        f"python -m benchmarks finetune shared/data/dev-eval --minutes {options.minutes:g} "
        f"--threads {options.threads} --seed {options.seed}"
    )
    found: Row = {"command": command, "protocol": protocol, "sets": {}}
    if options.json.exists() and not options.again:
        earlier: Row = json.loads(options.json.read_text(encoding="utf-8"))
        found = earlier if earlier["sets"] else found
    if found["protocol"] != protocol:
        raise NapariSeemError(
            f"'{options.json}' was measured by another protocol ({found['protocol']}, now "
            f"{protocol}); give --again to begin anew, or another --json"
        )
    return found


def _write(results: Row, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as (part,):
        part.write_text(json.dumps(results, indent=1), encoding="utf-8")


def markdown(results: Row) -> str:
    """The page of the docs."""
    protocol = results["protocol"]
    head = (
        "Set", "images learned from", "images judged", "IoU@1 before", "after", "NoC@85 before",
        "after", "box before", "after", "improved",
    )  # fmt: skip
    lines = [
        "# Benchmarks: fine-tuning", "",
        f"    {results['command']}", "",
        "Three sets of which no image, and none of the same source, was trained on: one of "
        "microscopy, one medical, one aerial, chosen by their kind and number of images. Each is "
        "split in two halves by chance; where a half has fewer images, all are learned from. The "
        "shipped model is fitted to some labelled images of "
        f"one half for {protocol['minutes']:g} minutes of processor time on each of "
        f"{protocol['threads']} threads (of these images a fifth is held back by the fit itself), "
        "and asked for objects of the other half. The fits are thrown away; nothing was chosen by "
        "them.", "",
        f"Weights to begin with: `{protocol['weights']}`. At most {PER_IMAGE} objects an image; "
        f"NoC@85 counts objects that never got there as {protocol['clicks']} clicks. Means over "
        "images. `improved` is what the fit says of itself by what it held back: if it says no, "
        "nobody would use it. Values of each image: [finetune.json](data/finetune.json).", "",
        f"| {' | '.join(head)} |", "|---" * len(head) + "|",
    ]  # fmt: skip
    for name, cells in results["sets"].items():
        for count in sorted(cells["after"], key=int):
            lines.append(_row(name, cells, count))
    return "\n".join([*lines, ""])


def _row(name: str, cells: Row, count: str) -> str:
    before, cell = cells["before"], cells["after"][count]
    after = cell["images"]

    def mean(rows: list[Row], key: str) -> float:
        return float(np.mean([row[key] for row in rows]))

    figures = [
        f"{mean(before, key):{form}} | {mean(after, key):{form}}"
        for key, form in (("iou_at_1", ".3f"), ("noc_at_85", ".1f"), ("box", ".3f"))
    ]
    improved = "yes" if cell["improved"] else "no"
    return f"| {name} | {count} | {len(after)} | {' | '.join(figures)} | {improved} |"


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks finetune", description=__doc__)
    parser.add_argument("folder", type=Path, help="laid out as <domain>/<set>/set.json")
    parser.add_argument("--only", action="append", metavar="SET", help=f"by default {SETS}")
    parser.add_argument("--images", type=int, nargs="*", default=IMAGES)
    parser.add_argument("--minutes", type=float, default=10.0, help="of each fit, on every thread")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--weights", type=Path, help="to begin with; by default the shipped ones")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--max-clicks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=ROOT / "docs/data/finetune.json")
    parser.add_argument("--markdown", type=Path, default=ROOT / "docs/benchmarks-finetune.md")
    parser.add_argument("--again", action="store_true", help="measure everything again")
    return parser.parse_args(argv)
