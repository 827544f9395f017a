"""Small labelled pictures and what the trainer makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from napari_seem.models.compact.network import COARSE_STRIDE, FINE_GRID, CompactConfig
from napari_seem.training import Phase, Picture, PictureBank, Recipe
from napari_seem.training.crops import Crops
from napari_seem.training.objects import ACCEPTED, KINDS, CropObjects
from napari_seem.training.pictures import NO_WORD
from napari_seem.training.prompts import VALID, Round
from napari_seem.training.views import ViewWindows

GROUP = "made/discs"
WORDS = ("disc", "stone")


def inside_disc(shape: tuple[int, int], row: float, col: float, radius: float) -> np.ndarray:
    """Pixels whose centres lie within a circle; pixel i covers [i, i + 1)."""
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    return (rows - row) ** 2 + (cols - col) ** 2 < radius**2


def discs(
    seed: int, side: int = 120, count: int = 6, group: str = GROUP, word: str = "disc"
) -> Picture:
    """Bright discs on dark noise, all of one word."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (side, side))
    instances = np.zeros((side, side), np.uint16)
    for number in range(1, count + 1):
        row, col = rng.uniform(14, side - 14, 2)
        inside = inside_disc((side, side), row, col, rng.uniform(8, 14))
        instances[inside] = number
        image[inside] = rng.integers(150, 250)
    return Picture(
        image.astype(np.uint8), instances, dict.fromkeys(range(1, count + 1), word), group
    )


def silhouette(instances: np.ndarray, group: str = GROUP) -> Picture:
    """A picture that is white on its objects and black elsewhere."""
    image = np.where(instances > 0, 255, 0).astype(np.uint8)
    return Picture(image, instances.astype(np.uint16), {}, group)


def bank_of(*pictures: Picture, words: Sequence[str] = WORDS) -> PictureBank:
    """A bank in which every group is drawn as often."""
    return PictureBank.build(pictures, words, dict.fromkeys({p.group for p in pictures}, 1.0))


def crops_of(ids: np.ndarray, picture: Sequence[int] | None = None, scale: float = 1.0) -> Crops:
    """Crops with given ids (B, 2, S, S) of blank images."""
    batch, _, side, _ = ids.shape
    return Crops(
        torch.zeros(batch, 3, side, side),
        torch.from_numpy(ids.astype(np.int64)),
        torch.tensor(picture or [0] * batch),
        torch.full((batch,), scale),
    )


def objects_of(masks: np.ndarray, *kinds: str, clicks: np.ndarray | None = None) -> CropObjects:
    """Objects with given masks (B, K, S, S), and kinds of prompts for all B * K of them."""
    mask = torch.from_numpy(masks).bool()
    batch, count, side, _ = masks.shape
    kind = torch.tensor([KINDS.index(name) for name in kinds]).view(batch, count)
    if clicks is None:
        middles = [np.argwhere(one).mean(0).round() + 0.5 for one in masks.reshape(-1, side, side)]
        clicks = np.stack(middles).reshape(batch, count, 2)
    small = side // COARSE_STRIDE
    return CropObjects(
        kind=kind,
        clicked=kind == KINDS.index("click"),
        mask=mask,
        counts=mask.flatten(2).any(2),
        word=torch.full((batch, count), NO_WORD),
        full=mask.sum((2, 3)).float(),
        click=torch.from_numpy(clicks).float(),
        example=torch.zeros(batch, count, small, small, dtype=torch.bool),
        accepted=torch.zeros(batch, count, ACCEPTED, small, small, dtype=torch.bool),
        accepted_side=torch.zeros(batch, count),
    )


def windows_at(corners: Sequence[tuple[int, int]], cells: Sequence[int], crops: int) -> ViewWindows:
    """Windows, evenly many on each of some crops and each on an object of its own."""
    count = len(cells)
    return ViewWindows(
        crop=torch.arange(crops).repeat_interleave(count // crops),
        item=torch.arange(count),
        corner=torch.tensor(corners).float(),
        cells=torch.tensor(cells).float(),
    )


def discs_on_grid(count: int = 24, grid: int = FINE_GRID) -> Tensor:
    """Masks (N, F, F) of every size, some of which run out of the window."""
    rng = np.random.default_rng(0)
    masks = [
        inside_disc(
            (grid, grid), *rng.uniform(0.1, 0.9, 2) * grid, rng.uniform(0.06, 0.4) * grid
        )
        for _ in range(count)
    ]  # fmt: skip
    return torch.from_numpy(np.stack(masks)).float()


def round_of(target: Tensor, valid: Tensor | None = None) -> Round:
    """Windows with a truth and without any prompt."""
    maps = target.new_zeros(len(target), VALID + 1, *target.shape[1:])
    maps[:, VALID] = 1 if valid is None else valid
    ones = torch.ones(len(target))
    return Round(target, maps[:, VALID], target.sum((1, 2)), ones, maps, torch.zeros_like(target))


def seeded(seed: int) -> None:
    """Let everything that is drawn next follow from `seed`."""
    torch.manual_seed(seed)


def little_network(vocabulary: int = len(WORDS)) -> CompactConfig:
    """A network of the second generation with few channels and levels."""
    return CompactConfig(
        widths=(8, 16, 24), depths=(0, 0, 1), decoder_widths=(16, 24), evidence=41,
        vocabulary=vocabulary, centre=1, context=1, geodesic_grid=32,
    )  # fmt: skip


def recipe(*phases: Phase, **changes: object) -> Recipe:
    """Small steps that begin at full speed."""
    return Recipe(phases, **({"warm_up": 1, "objects": 1} | changes))


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two sets of tensors are equal to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
