"""Labelled images in a few flat tensors, so that a crop of any of them is one gather.

Beside the ids of its labelled objects each picture has a second id map of superpixels (Felzenszwalb
and Huttenlocher 2004) at a random scale. They stand in for objects that nobody labelled: the
network is to learn to obey prompts on anything (Wong et al. 2024, ScribblePrompt).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from skimage.segmentation import felzenszwalb
from skimage.transform import downscale_local_mean
from torch import Tensor

from ..models.compact.pyramid import brightness

LEVELS = 4
"""Each picture is kept at its own size and three times halved."""
PIXELS_KEPT = 8
"""Random pixels kept of each object, to put a crop around one of them."""
SMALLEST_OBJECT = 24
"""Least number of pixels of an object."""
REGION_SCALE = (30.0, 600.0)
REGION_SIZE = (24, 160)
"""Felzenszwalb's scale and smallest size in pixels, drawn for each picture (log-uniformly)."""
REGION_SIDE = 384
"""Longest side of the pictures on which superpixels are computed."""
NO_WORD = -1

UInt8Array = npt.NDArray[np.uint8]
IdArray = npt.NDArray[np.int16]


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
        Pictures of one group, such as `<domain>/<set>`, can be references for each other.
    partial : bool
        Whether the background may hold unlabelled objects.
    """

    image: UInt8Array
    instances: npt.NDArray[np.uint16]
    names: dict[int, str]
    group: str
    partial: bool = False


@dataclass
class PictureBank:
    """Many pictures on one device.

    Two maps of ids lie over each picture: labelled objects (0) and superpixels (1). N pictures,
    G groups, V words, M objects of both kinds.

    Attributes
    ----------
    pixels : uint8 (P,)
        All levels of all pictures, each (H, W, C) with C of 1 or 3.
    starts : int64 (N, LEVELS)
        Where each level begins in `pixels`.
    shapes : int64 (N, LEVELS, 2)
        Height and width of each level in pixels.
    channels : int64 (N,)
    moments : float32 (N, 2)
        Mean and deviation of the picture in 0..1.
    ids : int16 (2, Q)
        Ids 0..n of the objects of either kind, each picture (H, W), numbered without gaps.
    id_starts : int64 (N,)
    first : int64 (2, N)
        Row, in the tables of objects, of the object with id 1.
    count : int64 (2, N)
        Objects of either kind.
    area : float32 (M,)
        Whole area in picture pixels.
    word : int64 (M,)
        Index of the word in the vocabulary, or `NO_WORD`.
    places : int16 (M, PIXELS_KEPT, 2)
        Rows and columns of pixels inside the object.
    cumulative : float64 (M,)
        Running sum of the square roots of the areas, over all rows.
    weights : float32 (N,)
        How often each picture is drawn, of 1.
    group : int64 (N,)
    group_first, group_count : int64 (G,)
        The pictures of each group, which lie side by side.
    annotated : bool (G, V)
        Words that are labelled wherever they occur in the pictures of the group.
    partial : bool (N,)
    """

    pixels: Tensor
    starts: Tensor
    shapes: Tensor
    channels: Tensor
    moments: Tensor
    ids: Tensor
    id_starts: Tensor
    first: Tensor
    count: Tensor
    area: Tensor
    word: Tensor
    places: Tensor
    cumulative: Tensor
    weights: Tensor
    group: Tensor
    group_first: Tensor
    group_count: Tensor
    annotated: Tensor
    partial: Tensor

    def __len__(self) -> int:
        return len(self.starts)

    def to(self, device: torch.device | str) -> PictureBank:
        """Copy the pictures to a device."""
        return PictureBank(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    @classmethod
    def build(
        cls, pictures: Iterable[Picture], words: Sequence[str], weights: dict[str, float],
        seed: int = 0, workers: int = 0,
    ) -> PictureBank:  # fmt: skip
        """Lay pictures (H, W) or (H, W, 3) out in tensors.

        Parameters
        ----------
        pictures : iterable of Picture
        words : sequence of str
            The vocabulary; names that are not in it are dropped.
        weights : dict of str to float
            Share of all crops that each group gets, divided evenly among its pictures. Groups that
            are not named get none.
        seed : int
        workers : int
            Processes that compute superpixels; 0 for none beside this one.

        Raises
        ------
        ValueError
            No picture has a weight.
        """
        kept = sorted((p for p in pictures if weights.get(p.group, 0) > 0), key=lambda p: p.group)
        if not kept:
            raise ValueError("there is no picture to learn from; give some, and weights above 0")
        seeds = np.random.SeedSequence(seed).generate_state(len(kept))
        lay = partial(_laid_out, index={word: i for i, word in enumerate(words)})
        if workers:
            with ProcessPoolExecutor(workers) as pool:
                rows = list(pool.map(lay, kept, seeds, chunksize=8))
        else:
            rows = list(map(lay, kept, seeds))
        return _joined(rows, kept, len(words), weights)


@dataclass
class _Row:
    """One picture, laid out."""

    levels: list[UInt8Array]
    moments: tuple[float, float]
    ids: list[IdArray]
    areas: list[npt.NDArray[np.float32]]
    words: list[npt.NDArray[np.int64]]
    places: list[npt.NDArray[np.int16]]


def _laid_out(picture: Picture, seed: int, index: dict[str, int]) -> _Row:
    """Lay one picture (H, W) or (H, W, 3) out."""
    rng = np.random.default_rng(seed)
    labelled, originals = _numbered(picture.instances)
    named = np.array([index.get(picture.names.get(int(i), ""), NO_WORD) for i in originals])
    regions, _ = _numbered(superpixels(picture.image, rng) + 1)
    maps = [labelled, regions]
    areas = [np.bincount(ids.ravel())[1:].astype(np.float32) for ids in maps]
    return _Row(
        levels=mips(picture.image),
        moments=brightness(picture.image),
        ids=maps,
        areas=areas,
        words=[named.astype(np.int64), np.full(len(areas[1]), NO_WORD, np.int64)],
        places=[_places(ids, len(area), rng) for ids, area in zip(maps, areas, strict=True)],
    )


def _numbered(ids: npt.NDArray[np.integer]) -> tuple[IdArray, npt.NDArray[np.int64]]:
    """Number the large enough objects of `ids` (H, W) from 1; also return their old ids (n,)."""
    areas = np.bincount(ids.ravel())
    areas[0] = 0
    kept = np.flatnonzero(areas >= SMALLEST_OBJECT)[: np.iinfo(np.int16).max]
    numbers = np.zeros(len(areas), np.int16)
    numbers[kept] = np.arange(1, len(kept) + 1)
    return numbers[ids], kept


def _places(ids: IdArray, count: int, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Draw random pixels of each object of `ids` (H, W): (count, PIXELS_KEPT, 2)."""
    order = np.argsort(ids, axis=None, kind="stable")
    begin = np.searchsorted(ids.ravel()[order], np.arange(1, count + 2))
    span = np.diff(begin)[:, None]
    picks = begin[:-1, None] + (rng.random((count, PIXELS_KEPT)) * span).astype(np.int64)
    rows, cols = np.divmod(order[picks], ids.shape[1])
    return np.stack([rows, cols], -1).astype(np.int16)


def superpixels(image: UInt8Array, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Compute Felzenszwalb superpixels at a random scale: (H, W[, C]) -> ids (H, W) from 0."""
    step = max(1, -(-max(image.shape[:2]) // REGION_SIDE))
    small = image.astype(np.float32) / 255
    if step > 1:
        small = downscale_local_mean(small, (step, step, 1)[: image.ndim])
    scale, size = (float(np.exp(rng.uniform(*np.log(r)))) for r in (REGION_SCALE, REGION_SIZE))
    axis = -1 if image.ndim == 3 else None
    ids = felzenszwalb(small, scale, sigma=0.7, min_size=round(size / step**2), channel_axis=axis)
    height, width = image.shape[:2]
    return ids.repeat(step, 0).repeat(step, 1)[:height, :width].astype(np.int64)


def mips(image: UInt8Array) -> list[UInt8Array]:
    """Halve an image (H, W[, C]) repeatedly: LEVELS arrays (h, w, C) uint8, the full size first.

    A side of one pixel stays one.
    """
    levels = [image if image.ndim == 3 else image[..., None]]
    for _ in range(LEVELS - 1):
        last = levels[-1]
        factors = tuple(2 if size > 1 else 1 for size in last.shape[:2])
        height, width = (size // f for size, f in zip(last.shape, factors, strict=False))
        cut = last[: height * factors[0], : width * factors[1]]
        blocks = cut.reshape(height, factors[0], width, factors[1], -1)
        levels.append((blocks.mean((1, 3)) + 0.5).astype(np.uint8))
    return levels


def _joined(
    rows: list[_Row], kept: list[Picture], words: int, weights: dict[str, float]
) -> PictureBank:
    """Join pictures (H, W) or (H, W, 3) that were laid out to a bank."""
    groups = sorted({picture.group for picture in kept})
    group = np.array([groups.index(picture.group) for picture in kept])
    sizes = np.bincount(group)
    share = np.array([weights[picture.group] for picture in kept]) / sizes[group]
    level_sizes = np.array([[level.size for level in row.levels] for row in rows])
    counts = np.array([[len(areas) for areas in row.areas] for row in rows]).T  # (2, N)
    area = np.concatenate([row.areas[kind] for kind in (0, 1) for row in rows])
    word = np.concatenate([row.words[kind] for kind in (0, 1) for row in rows])
    annotated = np.zeros((len(groups), words), bool)
    for place, row in zip(group, rows, strict=True):
        annotated[place, row.words[0][row.words[0] != NO_WORD]] = True
    ids = [np.concatenate([row.ids[kind].ravel() for row in rows]) for kind in (0, 1)]
    return PictureBank(
        pixels=torch.from_numpy(np.concatenate([lv.ravel() for row in rows for lv in row.levels])),
        starts=_before(level_sizes),
        shapes=torch.tensor([[level.shape[:2] for level in row.levels] for row in rows]),
        channels=torch.tensor([row.levels[0].shape[2] for row in rows]),
        moments=torch.tensor([row.moments for row in rows]),
        ids=torch.from_numpy(np.stack(ids)),
        id_starts=_before(np.array([row.ids[0].size for row in rows])),
        first=_before(counts),
        count=torch.from_numpy(counts),
        area=torch.from_numpy(area),
        word=torch.from_numpy(word),
        places=torch.from_numpy(
            np.concatenate([row.places[kind] for kind in (0, 1) for row in rows])
        ),
        cumulative=torch.from_numpy(np.cumsum(np.sqrt(area.astype(np.float64)))),
        weights=torch.from_numpy((share / share.sum()).astype(np.float32)),
        group=torch.from_numpy(group),
        group_first=_before(sizes),
        group_count=torch.from_numpy(sizes),
        annotated=torch.from_numpy(annotated),
        partial=torch.tensor([picture.partial for picture in kept]),
    )


def _before(sizes: npt.NDArray[np.int64]) -> Tensor:
    """Sum the sizes before each entry, in the order of the flat array: int64 of the same shape."""
    flat = np.concatenate([[0], np.cumsum(sizes.ravel())[:-1]])
    return torch.from_numpy(flat.reshape(sizes.shape).astype(np.int64))
