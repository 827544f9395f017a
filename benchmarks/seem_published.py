"""The published SEEM figures, given the weights and the data: NoC on Pascal VOC, cIoU on RefCOCOg.

    python -m benchmarks.seem_published noc  --model seem-focal-t --data VOCdevkit/VOC2012
    python -m benchmarks.seem_published refer --model seem-focal-t --data refcocog_val.json \
        --images train2014

Published (Focal-T v1, Focal-L v1): NoC85 3.19, 2.66; NoC90 4.13, 3.44; RefCOCOg cIoU 58.5, 62.4.

*NoC*: clicks needed until a mask reaches 85 or 90 % IoU with the object, at most 20; the next click
is in the middle of the largest error. Images are shown at 800 pixels on the short side, at most
1333 on the long one. *cIoU*: summed intersection over summed union, over all sentences; 512, 1024.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon
from skimage.io import imread

from benchmarks.person import first_click, iou, next_click
from benchmarks.report import clicks_needed
from napari_seem.models.base import Model
from napari_seem.models.registry import load_model
from napari_seem.prompts import Point, Text

MOST_CLICKS = 20
GOALS = (0.85, 0.90)
VOID = 255
SIDES = {"noc": (800, 1333), "refer": (512, 1024)}
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Referred:
    """One image (H, W, 3), one region of it (H, W), and the sentences that name the region."""

    image: npt.NDArray[np.uint8]
    region: BoolArray
    sentences: tuple[str, ...]


def voc_objects(folder: Path, split: str = "val") -> Iterator[tuple[Any, list[BoolArray], Any]]:
    """Image, masks of its objects, and void pixels, for every image of a Pascal VOC folder."""
    listed = (
        (folder / "ImageSets" / "Segmentation" / f"{split}.txt").read_text(encoding="utf-8").split()
    )
    for name in listed:
        image = imread(folder / "JPEGImages" / f"{name}.jpg")
        ids = _palette_indices(folder / "SegmentationObject" / f"{name}.png")
        present = [i for i in np.unique(ids) if i not in (0, VOID)]
        yield image, [ids == i for i in present], ids == VOID


def clicks_of(model: Model, embedding: Any, truth: BoolArray, void: BoolArray) -> list[float]:
    """IoU after each click on one object, void pixels left out."""
    prompts: list[Point] = [first_click(truth)]
    memory, curve = None, []
    for _ in range(MOST_CLICKS):
        prediction = model.predict(embedding, prompts, memory)
        memory, mask = prediction.memory, prediction.mask & ~void
        curve.append(iou(mask, truth))
        click = next_click(truth, mask)
        if click is None or curve[-1] >= max(GOALS):
            break
        prompts.append(click)
    return curve


def noc(model: Model, samples: Iterable[tuple[Any, list[BoolArray], Any]]) -> dict[str, float]:
    """Mean number of clicks for each goal, over all objects of all images."""
    curves = []
    for image, objects, void in samples:
        embedding = model.encode(image)
        curves += [clicks_of(model, embedding, truth, void) for truth in objects]
    figures: dict[str, float] = {"objects": len(curves)}
    for goal in GOALS:
        needed = [clicks_needed(curve, goal) or MOST_CLICKS for curve in curves]
        figures[f"NoC{goal * 100:.0f}"] = float(np.mean(needed))
    return figures


def referred_regions(annotations: Path, images: Path) -> Iterator[Referred]:
    """Regions of a COCO-style file whose annotations carry `sentences`."""
    content = json.loads(annotations.read_text(encoding="utf-8"))
    files = {entry["id"]: entry["file_name"] for entry in content["images"]}
    for entry in content["annotations"]:
        image = imread(images / files[entry["image_id"]])
        if image.ndim == 2:
            image = np.stack([image] * 3, axis=2)
        region = drawn(entry["segmentation"], image.shape[:2])
        sentences = tuple(s["raw"] if isinstance(s, Mapping) else s for s in entry["sentences"])
        yield Referred(image, region, sentences)


def drawn(segmentation: Any, shape: tuple[int, int]) -> BoolArray:
    """A COCO segmentation as a mask: polygons as (x, y, x, y, ...), or plain run lengths."""
    mask = np.zeros(shape, dtype=bool)
    if isinstance(segmentation, Mapping):
        counts = segmentation["counts"]
        if isinstance(counts, str):
            raise ValueError("compressed run lengths: convert the file to polygons first")
        values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return values.reshape(shape, order="F")
    for outline in segmentation:
        columns, rows = np.asarray(outline, dtype=float).reshape(-1, 2).T
        mask[polygon(rows, columns, shape)] = True
    return mask


def grounding(model: Model, samples: Iterable[Referred]) -> dict[str, float]:
    """Cumulative and mean IoU of the regions that sentences name."""
    common = union = 0
    ious = []
    for sample in samples:
        embedding = model.encode(sample.image)
        for sentence in sample.sentences:
            mask = model.predict(embedding, [Text(sentence)]).mask
            common += int((mask & sample.region).sum())
            union += int((mask | sample.region).sum())
            ious.append(iou(mask, sample.region))
    return {"sentences": len(ious), "cIoU": common / max(union, 1), "mIoU": float(np.mean(ious))}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the two evaluations and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("figure", choices=SIDES)
    parser.add_argument("--model", default="seem-focal-t")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=Path, help="folder of the images (refer)")
    options = parser.parse_args(argv)
    model: Any = load_model(options.model, weights=options.weights)
    model = model.at_size(*SIDES[options.figure])
    if options.figure == "noc":
        figures = noc(model, voc_objects(options.data))
    else:
        figures = grounding(model, referred_regions(options.data, options.images))
    print(json.dumps(figures, indent=1))
    return 0


def _palette_indices(path: Path) -> npt.NDArray[np.uint8]:
    """Values of an indexed PNG, not its colours."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image)


if __name__ == "__main__":
    raise SystemExit(main())
