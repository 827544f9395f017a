"""The pictures the compact model learns from: real sets and the procedural pool, in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.io import imread

UInt8Array = npt.NDArray[np.uint8]
IdArray = npt.NDArray[np.uint16]

DOMAIN_SHARE = {
    "microscopy": 0.22, "medical": 0.24, "aerial": 0.16, "natural": 0.26, "other": 0.02,
    "video": 0.02, "volumes": 0.08,
}  # fmt: skip
PARTLY_LABELLED = {"lung_vessels", "nasa_meltpool"}
"""Sets in which an unlabelled pixel may well be an object."""
SMALLEST_OBJECT = 24


@dataclass(frozen=True)
class Picture:
    """One image with its objects.

    Attributes
    ----------
    image : uint8 (H, W) or (H, W, 3)
    instances : uint16 (H, W)
        Object ids, 0 = background.
    names : dict of int to str
        Class word per id; ids without one are nameless.
    group : str
        `<domain>/<set>`; pictures of one group can stand as references for each other.
    partial : bool
        Whether the background may hold unlabelled objects.
    """

    image: UInt8Array
    instances: IdArray
    names: dict[int, str]
    group: str
    partial: bool = False


def clean_word(name: str) -> str:
    """A class name as a person would type it."""
    return name.lower().split(" (")[0].replace("_", " ").strip()


def read_real(root: Path) -> Iterator[Picture]:
    """Yield every picture of the train half under `root` (laid out like shared/data/train)."""
    for path in sorted(root.glob("*/*/set.json")):
        info = json.loads(path.read_text())
        group = f"{path.parent.parent.name}/{path.parent.name}"
        for item in info["items"].values():
            image = _read(path.parent / item["image"])
            mask = _read(path.parent / item["mask"])
            if info["kind"].endswith("volume"):
                planes = _planes_of(image, mask, many=len(info["items"]) < 20)
            else:
                planes = iter([(image, mask)])
            for plane, plane_mask in planes:
                yield _picture(plane, plane_mask, info, item, group)


def read_pool(folders: list[Path]) -> Iterator[Picture]:
    """Yield the generated pictures written by `python -m training.procedural --pool`."""
    if folders:
        from training.procedural import load_pool

    for folder in folders:
        for sample in load_pool(folder):
            image = sample.image
            gray = (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all()
            names = {key: clean_word(word) for key, word in sample.names.items()}
            yield Picture(
                image[..., 0].copy() if gray else image,
                sample.instances, names, f"procedural/{sample.family}",
            )  # fmt: skip


def vocabulary(pictures: list[Picture]) -> tuple[str, ...]:
    """Every class word of the corpus, sorted."""
    return tuple(sorted({word for picture in pictures for word in picture.names.values()}))


def _picture(
    image: npt.NDArray[Any], mask: npt.NDArray[Any], info: dict[str, Any], item: dict[str, Any],
    group: str,
) -> Picture:  # fmt: skip
    classes = {key: clean_word(value) for key, value in info["classes"].items()}
    if info["kind"].startswith("instance"):
        instances = mask.astype(np.uint16)
        ids = np.flatnonzero(np.bincount(instances.ravel()))[1:]
        objects = {int(k): clean_word(v) for k, v in item.get("objects", {}).items()}
        every = classes.get("*")
        names = {int(i): objects.get(int(i), every) for i in ids}
        known = {key: word for key, word in names.items() if word}
    else:
        instances, known = _split_classes(mask, classes)
    return Picture(
        _to_uint8(image), instances, known, group, group.split("/")[1] in PARTLY_LABELLED
    )


def _split_classes(
    mask: npt.NDArray[Any], classes: dict[str, str]
) -> tuple[IdArray, dict[int, str]]:
    instances = np.zeros(mask.shape, np.uint16)
    names: dict[int, str] = {}
    last = 0
    for value in np.flatnonzero(np.bincount(mask.ravel()))[1:]:
        parts, count = ndimage.label(mask == value, np.ones((3, 3)))
        sizes = np.bincount(parts.ravel())
        keep = np.flatnonzero(sizes >= SMALLEST_OBJECT)
        renumber = np.zeros(count + 1, np.uint16)
        keep = keep[keep > 0][:2000]
        renumber[keep] = np.arange(last + 1, last + 1 + len(keep))
        instances = np.where(parts > 0, renumber[parts], instances)
        word = classes.get(str(value))
        if word:
            names.update({last + 1 + i: word for i in range(len(keep))})
        last += len(keep)
    return instances.astype(np.uint16), names


def _planes_of(
    image: npt.NDArray[Any], mask: npt.NDArray[Any], many: bool
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """A few planes along every axis of a volume, those with most objects' borders inside."""
    low, high = np.percentile(image, [0.5, 99.5])
    for axis in range(3):
        size = mask.shape[axis]
        positions = np.linspace(size * 0.15, size * 0.85, 16 if many else 2).astype(int)
        for position in np.unique(positions):
            plane_mask = np.take(mask, position, axis)
            if min(plane_mask.shape) < 24 or not plane_mask.any():
                continue
            plane = np.take(image, position, axis).astype(np.float32)
            scaled = np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255
            yield scaled.astype(np.uint8), plane_mask.astype(np.int64)


def _read(path: Path) -> npt.NDArray[Any]:
    if path.name.endswith((".nii", ".nii.gz")):
        import nibabel

        return np.asanyarray(nibabel.load(path).dataobj)
    return imread(path)


def _to_uint8(image: npt.NDArray[Any]) -> UInt8Array:
    if image.ndim == 3:
        image = image[..., :3]
    if image.dtype == np.uint8:
        return image
    low, high = np.percentile(image, [0.5, 99.5])
    scaled = np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255
    return scaled.astype(np.uint8)
