"""Random square crops of pictures, at a scale that gives objects a chosen apparent size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch.utils.data import IterableDataset

from training.corpus import DOMAIN_SHARE, SMALLEST_OBJECT, Picture, UInt8Array

CROP = 256
APPARENT_SIDE = (12.0, 150.0)
PROCEDURAL_SHARE = 0.4


@dataclass
class Crop:
    """One training crop.

    Attributes
    ----------
    image : float32 (3, CROP, CROP), normalised by the whole picture's mean and deviation
    instances : int64 (CROP, CROP); 1..n, 0 = background, -1 = outside the picture
    classes : int64 (n + 1,); vocabulary index per instance, -1 = nameless; [0] unused
    areas : float32 (n + 1,); whole area in crop pixels, also of what the crop cuts off
    annotated : int64 (K,); the words that are labelled wherever they occur in this group
    partial : bool
    """

    image: torch.Tensor
    instances: torch.Tensor
    classes: torch.Tensor
    areas: torch.Tensor
    annotated: torch.Tensor
    partial: bool

    def to(self, device: torch.device) -> Crop:
        """The same crop with its tensors on a device."""
        tensors = {k: v for k, v in vars(self).items() if isinstance(v, torch.Tensor)}
        moved = {name: tensor.to(device) for name, tensor in tensors.items()}
        return replace(self, **moved)


class Crops(IterableDataset):
    """Endless pairs of crops: both of a pair come from one group, so one can refer to the other."""

    def __init__(self, pictures: list[Picture], words: tuple[str, ...], seed: int) -> None:
        self.pictures = pictures
        self.word_index = {word: index for index, word in enumerate(words)}
        self.seed = seed
        self.groups: dict[str, list[int]] = {}
        self.annotated: dict[str, set[int]] = {}
        self.areas = [np.bincount(p.instances.ravel()) for p in pictures]
        self.mips = [_mips(p.image) for p in pictures]
        self.moments = [_moments(p.image) for p in pictures]
        for index, picture in enumerate(pictures):
            if (self.areas[index][1:] >= SMALLEST_OBJECT).any():
                self.groups.setdefault(picture.group, []).append(index)
                named = set(picture.names.values())
                words_here = {self.word_index[word] for word in named if word in self.word_index}
                self.annotated.setdefault(picture.group, set()).update(words_here)
        self.group_names = sorted(self.groups)
        self.group_weights = _group_weights(self.groups, self.group_names)

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            group = self.group_names[rng.choice(len(self.group_names), p=self.group_weights)]
            members = self.groups[group]
            first = members[rng.integers(len(members))]
            second = first if rng.random() < 0.15 else members[rng.integers(len(members))]
            yield self.crop(first, rng)
            yield self.crop(second, rng)

    def crop(self, index: int, rng: np.random.Generator) -> Crop:
        """Cut one augmented crop around a random object of picture `index`."""
        picture, areas = self.pictures[index], self.areas[index]
        ids = np.flatnonzero(areas[1:] >= SMALLEST_OBJECT) + 1
        weights = np.sqrt(areas[ids])
        chosen = ids[rng.choice(len(ids), p=weights / weights.sum())]
        height, width = picture.instances.shape
        side = np.exp(rng.uniform(*np.log(APPARENT_SIDE)))
        smallest = CROP / (1.05 * max(height, width))
        scale = float(np.clip(side / np.sqrt(areas[chosen]), smallest, max(3.0, smallest)))
        inside = np.flatnonzero(picture.instances.ravel() == chosen)
        y, x = divmod(int(inside[rng.integers(len(inside))]), width)
        start = _start(y, height, scale, rng), _start(x, width, scale, rng)
        rows, valid_rows = _indices(start[0], height, scale)
        cols, valid_cols = _indices(start[1], width, scale)
        instances = picture.instances[rows[:, None], cols[None, :]].astype(np.int64)
        outside = ~(valid_rows[:, None] & valid_cols[None, :])
        mean, deviation = self.moments[index]
        image = (_resample(self.mips[index], start, scale) - mean) / deviation
        image[:, torch.from_numpy(outside)] = 0
        instances[outside] = -1
        instances, image = _flip(instances, image, rng)
        return self._finish(picture, areas, scale, _photometric(image, rng), instances)

    def _finish(
        self, picture: Picture, areas: npt.NDArray[np.int64], scale: float, image: torch.Tensor,
        instances: npt.NDArray[np.int64],
    ) -> Crop:  # fmt: skip
        present = np.flatnonzero(np.bincount(np.maximum(instances, 0).ravel()))
        present = present[present > 0]
        renumber = np.zeros(len(areas), np.int64)
        renumber[present] = np.arange(1, len(present) + 1)
        numbered = np.where(instances > 0, renumber[np.maximum(instances, 0)], instances)
        classes = [self.word_index.get(picture.names.get(int(i), ""), -1) for i in present]
        return Crop(
            image.clamp(-5, 5),
            torch.from_numpy(numbered),
            torch.tensor([-1, *classes]),
            torch.tensor([0.0, *(areas[present] * scale**2)]),
            torch.tensor(sorted(self.annotated[picture.group]), dtype=torch.long),
            picture.partial,
        )


def _group_weights(groups: dict[str, list[int]], names: list[str]) -> npt.NDArray[np.float64]:
    """Share of each group: by domain, then by the square root of its number of pictures."""
    domains = [name.split("/")[0] for name in names]
    raw = np.array([np.sqrt(len(groups[name])) for name in names])
    weights = np.zeros(len(names))
    for domain in set(domains):
        here = np.array([d == domain for d in domains])
        share = DOMAIN_SHARE.get(domain, 0) * (1 - PROCEDURAL_SHARE)
        weights[here] = raw[here] / raw[here].sum() * (share or PROCEDURAL_SHARE)
    return weights / weights.sum()


def _moments(image: UInt8Array) -> tuple[float, float]:
    small = image[::2, ::2].astype(np.float32) / 255
    return float(small.mean()), float(small.std()) + 0.02


def _start(center: int, size: int, scale: float, rng: np.random.Generator) -> float:
    """Where the crop begins along one axis, in source pixels; mostly wholly on the picture."""
    span = CROP / scale
    if span >= size:
        return float(rng.uniform(size - span, 0))
    start = center - span * rng.uniform(0.25, 0.75)
    return float(np.clip(start, 0, size - span) if rng.random() < 0.9 else start)


def _indices(
    start: float, size: int, scale: float, factor: int = 1
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Source index of every crop cell (or 1 / factor of one), and whether it exists."""
    index = np.floor(start + (np.arange(CROP * factor) + 0.5) / (scale * factor)).astype(np.int64)
    return np.clip(index, 0, size - 1), (index >= 0) & (index < size)


def _mips(image: UInt8Array) -> list[UInt8Array]:
    """The image (H, W, C) and its halves, so that strong shrinking stays cheap."""
    mips = [image if image.ndim == 3 else image[..., None]]
    while min(mips[-1].shape[:2]) >= CROP // 2:
        height, width = (size // 2 * 2 for size in mips[-1].shape[:2])
        blocks = mips[-1][:height, :width].reshape(height // 2, 2, width // 2, 2, -1)
        mips.append(blocks.mean((1, 3)).astype(np.uint8))
    return mips


def _resample(mips: list[UInt8Array], start: tuple[float, float], scale: float) -> torch.Tensor:
    """The crop as float32 (3, CROP, CROP) in 0..1: averaged where it shrinks, smooth where not."""
    level = int(np.clip(np.floor(-np.log2(scale) + 0.01), 0, len(mips) - 1))
    image, scale = mips[level], scale * 2**level
    factor = 2 if scale < 0.75 else 1
    rows, _ = _indices(start[0] / 2**level, image.shape[0], scale, factor)
    cols, _ = _indices(start[1] / 2**level, image.shape[1], scale, factor)
    patch = torch.from_numpy(image[rows[:, None], cols[None, :]]).permute(2, 0, 1).float() / 255
    if factor > 1:
        patch = F.avg_pool2d(patch[None], factor)[0]
    elif scale > 1.3:
        kernel = 3 if scale < 2.5 else 5
        patch = F.avg_pool2d(patch[None], kernel, 1, kernel // 2, count_include_pad=False)[0]
    return patch.expand(3, -1, -1)


def _flip(
    instances: npt.NDArray[np.int64], image: torch.Tensor, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], torch.Tensor]:
    turns = int(rng.integers(4))
    instances, image = np.rot90(instances, turns), torch.rot90(image, turns, (1, 2))
    if rng.random() < 0.5:
        instances, image = instances[:, ::-1], image.flip(2)
    return np.ascontiguousarray(instances), image


def _photometric(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    if rng.random() < 0.12:
        image = -image
    if rng.random() < 0.15:
        image = image.mean(0, keepdim=True).expand(3, -1, -1)
    elif rng.random() < 0.2:
        image = image[torch.randperm(3, generator=generator)]
    if rng.random() < 0.3:
        image = image * torch.empty(3, 1, 1).uniform_(0.7, 1.3, generator=generator)
    if rng.random() < 0.3:
        power = float(np.exp(rng.normal(0, 0.35)))
        low = image.min()
        span = (image.max() - low).clamp(min=1e-3)
        image = ((image - low) / span) ** power * span + low
    if rng.random() < 0.2:
        kernel = int(rng.choice([3, 3, 5]))
        image = F.avg_pool2d(image[None], kernel, 1, kernel // 2)[0]
    if rng.random() < 0.35:
        noise = torch.randn(image.shape, generator=generator)
        image = image + noise * float(rng.uniform(0.03, 0.3))
    return image * float(rng.uniform(0.65, 1.45)) + float(rng.uniform(-0.35, 0.35))
