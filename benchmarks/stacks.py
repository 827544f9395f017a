"""Volumes and sequences with known labels, for the propagation bench; and made-up ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_seem.errors import InvalidImage
from napari_seem.models.in_context import Kind

from .datasets import read_image

MOST_PLANES = 60
"""Longer stacks of many objects are cut to so many planes around their middle."""
FEWEST_PLANES = 7
"""Objects in fewer planes are left out."""
LEAST_AREA = 25
"""Pixels an object must have in its middle plane."""
AROUND = 3
"""Planes beyond an object's ends in which it must not be found."""


@dataclass(frozen=True, eq=False)
class StackCase:
    """What is to be carried through a stack in one go.

    Attributes
    ----------
    name : str
        `<set>/<stack>/<objects>`.
    volume : (N, H, W) or (N, H, W, 3) array
    labels : int32 (N, H, W)
        Only the objects of this case.
    kind : str
        'semantic': one object; 'instance': many of one kind.
    key : str
        Cases of the same stack have the same: their embeddings can be shared.
    """

    name: str
    volume: npt.NDArray[Any] = field(repr=False)
    labels: npt.NDArray[np.int32] = field(repr=False)
    kind: Kind
    key: str

    def seeds(self, count: int) -> list[int]:
        """Planes that a person would label: evenly over the planes that hold something."""
        there = np.flatnonzero(self.labels.any((1, 2)))
        places = (np.arange(count) + 0.5) / count if self.kind == "instance" else _spread(count)
        return sorted({int(there[round(p * (len(there) - 1))]) for p in places})


def find_stacks(root: Path, per_set: int, objects: int, seed: int) -> Iterator[StackCase]:
    """Cases from all volumes and sequences below a folder laid out like `shared/data`.

    Raises
    ------
    InvalidImage
        Where there is none.
    """
    found = False
    for path in sorted(root.resolve().glob("**/set.json")):
        info = json.loads(path.read_text(encoding="utf-8"))
        if info["kind"].endswith("volume"):
            stacks = _volumes(path.parent, info, per_set, seed)
        elif path.parent.parent.name == "video":
            stacks = _sequences(path.parent, info, per_set, seed)
        else:
            continue
        for name, volume, labels in stacks:
            found = True
            yield from _cases(name, volume, labels, info["kind"].startswith("instance"), objects)
    if not found:
        raise InvalidImage(f"there is no volume and no sequence below '{root}'")


def phantoms(seed: int = 0, sides: Sequence[int] = (160, 208, 256)) -> Iterator[StackCase]:
    """Organ-like bodies over 40 planes: bent, noisy, in a bias field, beside another."""
    for number, side in enumerate(sides):
        rng = np.random.default_rng([seed, number])
        volume, labels = _phantom(rng, 40, side)
        yield from _cases(f"phantom/{number}", volume, labels, False, 2)


def _spread(count: int) -> npt.NDArray[np.float64]:
    return np.array([0.5]) if count == 1 else np.linspace(0.08, 0.92, count)


def _cases(
    name: str, volume: npt.NDArray[Any], labels: npt.NDArray[np.int32], many: bool, objects: int
) -> Iterator[StackCase]:
    if many:
        middle = volume.shape[0] // 2
        part = slice(max(0, middle - MOST_PLANES // 2), middle + MOST_PLANES // 2)
        yield StackCase(f"{name}/all", volume[part], labels[part], "instance", name)
        return
    usable = []
    for number in np.unique(labels)[1:]:
        areas = (labels == number).sum((1, 2))
        there = np.flatnonzero(areas)
        if len(there) >= FEWEST_PLANES and areas[there[len(there) // 2]] >= LEAST_AREA:
            usable.append((int(areas.sum()), int(number), there))
    for _, number, there in sorted(usable, reverse=True)[:objects]:
        part = slice(max(0, there[0] - AROUND), there[-1] + AROUND + 1)
        one = (labels[part] == number).astype(np.int32)
        yield StackCase(f"{name}/{number}", volume[part], one, "semantic", name)


def _volumes(
    folder: Path, info: dict[str, Any], per_set: int, seed: int
) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[np.int32]]]:
    for stem in _drawn(sorted(info["items"]), per_set, seed):
        item = info["items"][stem]
        volume, labels = read_image(folder / item["image"]), read_image(folder / item["mask"])
        if item["axes"] == "XYZ":
            volume, labels = volume.transpose(2, 1, 0), labels.transpose(2, 1, 0)
        yield f"{folder.name}/{stem}", volume, labels.astype(np.int32)


def _sequences(
    folder: Path, info: dict[str, Any], per_set: int, seed: int
) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[np.int32]]]:
    groups: dict[str, list[str]] = {}
    for stem, item in sorted(info["items"].items()):
        groups.setdefault(str(item.get("group", "")), []).append(stem)
    for group in _drawn(
        sorted(g for g in groups if len(groups[g]) >= FEWEST_PLANES), per_set, seed
    ):
        items = [info["items"][stem] for stem in groups[group]]
        frames = [read_image(folder / item["image"]) for item in items]
        masks = [read_image(folder / item["mask"]) for item in items]
        if len({frame.shape for frame in frames}) == 1:
            yield f"{folder.name}/{group}", np.stack(frames), np.stack(masks).astype(np.int32)


def _drawn(names: list[str], most: int, seed: int) -> list[str]:
    order = np.random.default_rng(seed).permutation(len(names))[:most]
    return sorted(names[i] for i in order)


def _phantom(
    rng: np.random.Generator, count: int, size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Two bodies of different grey in tissue, (N, H, W) image and labels."""
    z = np.linspace(-1, 1, count)[:, None, None]
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    labels = np.zeros((count, size, size), np.int32)
    for number, (cy, cx, radius) in enumerate(((0.38, 0.42, 0.2), (0.62, 0.62, 0.17)), 1):
        bend = rng.normal(0, 0.08, 4)
        at_y, at_x = cy + bend[0] * z + bend[1] * z**2, cx + bend[2] * z + bend[3] * z**2
        angle = np.arctan2(y - at_y, x - at_x)
        waves = sum(
            rng.normal(0, 0.08) * np.cos(k * angle + rng.uniform(0, 6) + 2 * z) for k in (2, 3, 4)
        )
        extent = radius * (1 + waves) * np.sqrt(np.clip(1 - (z / 0.9) ** 2, 0, None))
        labels[(np.hypot(y - at_y, x - at_x) < extent) & (labels == 0)] = number
    grey = np.array([0.42, *rng.permutation([0.56, 0.3])])[labels]
    bias = 1 + 0.3 * (y - 0.5) * rng.normal() + 0.3 * (x - 0.5) * rng.normal()
    tissue = ndimage.gaussian_filter(rng.normal(0, 1, labels.shape), (1, 4, 4))
    image = ndimage.gaussian_filter(grey, (0, 1, 1)) * bias + 0.05 * tissue / tissue.std()
    image += rng.normal(0, 0.05, image.shape)
    return np.clip(image * 255, 0, 255).astype(np.uint8), labels
