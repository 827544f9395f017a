"""In-context labelling by the compact model: a small classifier on its cached features.

Every pixel of the example images is described by the encoder's features at two scales and by its
surroundings. A ridge regression on these and on random Fourier features of them (Rahimi and Recht
2007) is fitted in closed form, which takes a moment and is deterministic. For objects of one kind,
rims and middles are classes of their own, so that touching objects come apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ... import ridge
from ...base import Embedding
from ...in_context import (
    BoolArray,
    Box2D,
    Example,
    FloatArray,
    Kind,
    Labelled,
    by_largest_share,
    check_examples,
    lesson_line,
    scores_by_id,
)
from ...running.mps import wide
from .. import pyramid
from ..network import CompactConfig

LONGEST = 768
"""The finest level of at most this longest side is described, at half its resolution."""
CELLS = 20_000
"""If there are more places than this, only every second one in each direction is described."""
HALVES = (1, 4, 10)
"""Half sides of the squares around a place that are described, in places."""
MARGIN = max(HALVES)
"""Places around a part of the image that are needed to describe its surroundings."""
SHARPNESS = 6.0
"""Factor of the softmax that turns the regression's answers into shares."""
SAMPLES = 24_000
"""Number of pixels to learn from, over all examples."""
FOURIER, BANDWIDTH = 512, 0.35
RIM, MIDDLE = 2, 1
"""Classes of an object's outer pixels and of the rest, for the kind 'instance'."""
UNKNOWN = -1


@dataclass(frozen=True, eq=False, repr=False)
class FittedLesson:
    """The fitted classifier.

    Attributes
    ----------
    ids : tuple of int
        Label of each class but the first, which is background.
    centre, spread : float32 (D,)
        Mean and deviation of the features, over the samples.
    projection : float32 (D, FOURIER)
    phase : float32 (FOURIER,)
    weights : float32 (D + FOURIER + 1, K)
    bias : float32 (K,)
        Added to the classes' answers, so that the examples come out with their true sizes.
    kind : str
    smallest : float
        Area in pixels of the smallest object of the examples (instance).
    scale : float
        Level pixels per image pixel of the level learned from.
    model : str
        Identity of the model.
    """

    ids: tuple[int, ...]
    centre: Tensor
    spread: Tensor
    projection: Tensor
    phase: Tensor
    weights: Tensor
    bias: Tensor
    kind: Kind
    smallest: float
    scale: float
    model: str = field(default="", kw_only=True)

    __repr__ = lesson_line


def learn(examples: Sequence[Example], config: CompactConfig, kind: Kind) -> FittedLesson:
    """Fit the classifier to labelled examples.

    Raises
    ------
    InvalidLabels
        No example has a label, or labels have another shape than their image.
    """
    ids = check_examples(examples)
    scale = usual_scale(examples[0].embedding)
    chosen = samples(examples, config, kind, ids, scale)
    lesson = fitted(chosen, kind, ids, smallest_area(examples), scale)
    return replace(lesson, model=examples[0].embedding.model)


def fitted(
    chosen: tuple[Tensor, Tensor, Tensor], kind: Kind, ids: tuple[int, ...], smallest: float,
    scale: float,
) -> FittedLesson:  # fmt: skip
    """Fit a lesson to samples.

    Parameters
    ----------
    chosen : (features, classes, importance)
        float32 (N, D), int64 (N,) and float32 (N,); see `samples`.
    kind, ids, smallest, scale
        See `FittedLesson`.
    """
    classes = (MIDDLE, RIM) if kind == "instance" else ids
    x, y, importance = chosen
    centre = x.mean(0)
    x = (x - centre).contiguous()
    spread = x.norm(dim=0) / max(len(x) - 1, 1) ** 0.5 + 1e-3  # std is several times slower
    generator = torch.Generator().manual_seed(0)
    projection = torch.randn(x.shape[1], FOURIER, generator=generator)
    projection *= BANDWIDTH / x.shape[1] ** 0.5
    phase = torch.rand(FOURIER, generator=generator) * 2 * torch.pi
    basis = [ridge.basis_of(one, projection, phase) for one in (x / spread).split(ridge.PIECE)]
    target = F.one_hot(y, len(classes) + 1).float()
    weights = ridge.solve(basis, target, importance)
    bias = ridge.balance(torch.cat([piece @ weights for piece in basis]), y, importance)
    label_ids = (1,) if kind == "instance" else ids
    return FittedLesson(
        label_ids, centre, spread, projection, phase, weights, bias, kind, smallest, scale
    )


def samples(
    examples: Sequence[Example], config: CompactConfig, kind: Kind, ids: Sequence[int],
    scale: float, known: Sequence[npt.NDArray[np.bool_]] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Choose places of the examples to learn from.

    Parameters
    ----------
    examples, config, kind, ids, scale
        See `FittedLesson`.
    known : sequence of bool arrays (H, W), optional
        One for each example; pixels outside of it are not learned from.

    Returns
    -------
    features : float32 (N, D)
    classes : int64 (N,)
    importance : float32 (N,)
        How much each sample stands for.
    """
    described, truths = [], []
    for number, example in enumerate(examples):
        features, part = describe(example.embedding, config, scale, example.part)
        truth = classes_of(np.asarray(example.labels), ids, kind)
        if known is not None:
            truth = np.where(known[number], truth, UNKNOWN)
        there = torch.from_numpy(_at_places(truth, part, tuple(features.shape[1:])).ravel())
        places = (there != UNKNOWN).nonzero()[:, 0]
        described.append((features.flatten(1), places))
        truths.append(there[places])
    y = torch.cat(truths)
    picks, importance = _sample(y, 1 + (2 if kind == "instance" else len(ids)))
    first, chosen = 0, []
    for features, places in described:
        own = picks[(picks >= first) & (picks < first + len(places))] - first
        chosen.append(features[:, places[own]])
        first += len(places)
    return torch.cat(chosen, 1).T, y[picks], importance


@torch.inference_mode()
def shares(
    lesson: FittedLesson, embedding: Embedding, config: CompactConfig, within: Box2D | None = None,
    where: BoolArray | None = None,
) -> FloatArray:  # fmt: skip
    """Compute the shares of background and of each class, over a part of an image or all of it.

    Outside of `where`, bool (h, w), they may be any.

    Returns
    -------
    float32 array (K + 1, h, w)
        They sum to 1 at every pixel.
    """
    features, part = describe(embedding, config, lesson.scale, within, CELLS)
    y0, x0, y1, x1 = within or (0, 0, *embedding.shape)
    inner = slice(y0 - part[0], y1 - part[0]), slice(x0 - part[1], x1 - part[1])
    count, size = features[0].numel(), (part[2] - part[0], part[3] - part[1])
    chosen = torch.arange(count)
    if where is not None:
        pixels = torch.zeros(1, 1, *size)
        pixels[0, 0][inner] = torch.from_numpy(where).float()
        near = F.adaptive_max_pool2d(pixels, features.shape[1:])
        chosen = F.max_pool2d(near, 3, 1, 1).flatten().nonzero()[:, 0]
    answers = torch.zeros(count, len(lesson.bias))
    for places in chosen.split(ridge.PIECE):
        x = (features.flatten(1)[:, places].T - lesson.centre) / lesson.spread
        answers[places] = ridge.answers(x, lesson.projection, lesson.phase, lesson.weights)
    answers = (answers + lesson.bias).T.reshape(1, -1, *features.shape[1:])
    answers = F.interpolate(answers, size, mode="bilinear", align_corners=False)[0]
    return np.asarray(torch.softmax(answers[:, *inner] * SHARPNESS, 0).numpy(), np.float32)


def label(lesson: FittedLesson, embedding: Embedding, config: CompactConfig) -> Labelled:
    """Label an image: classes as labels (H, W), or objects where the lesson is of one kind."""
    found = shares(lesson, embedding, config)
    if lesson.kind == "instance":
        return _objects(found, lesson.smallest)
    return by_largest_share(found, lesson.ids)


def describe(
    embedding: Embedding, config: CompactConfig, scale: float, within: Box2D | None = None,
    most: int | None = None,
) -> tuple[Tensor, Box2D]:  # fmt: skip
    """Compute features of every second pixel of the level nearest to a scale.

    Where that makes more than `most` places, two by two of them are averaged.

    Returns
    -------
    features : float32 (D, h, w)
    part : (y0, x0, y1, x1)
        The image pixels that these places cover: `within`, made a little larger.
    """
    levels = pyramid.levels(embedding)
    number = int(np.argmin([abs(np.log(level.scale[0] / scale)) for level in levels]))
    near, far = levels[number], levels[min(number + 1, len(levels) - 1)]
    whole = -(-near.shape[0] // 2), -(-near.shape[1] // 2)
    per_pixel = whole[0] / embedding.shape[0], whole[1] / embedding.shape[1]
    inner = _places(within, per_pixel, whole) if within else (0, 0, *whole)
    outer = (
        max(inner[0] - MARGIN, 0), max(inner[1] - MARGIN, 0),
        min(inner[2] + MARGIN, whole[0]), min(inner[3] + MARGIN, whole[1]),
    )  # fmt: skip
    fine = near.fine[:, outer[0] : outer[2], outer[1] : outer[3]].float().cpu()
    close = [fine, *_around(fine[config.fine_slices["image"]])]
    y, x = (slice(inner[i] - outer[i], inner[i + 2] - outer[i]) for i in (0, 1))
    nearby = torch.cat([one[:, y, x] for one in close])
    if most and nearby[0].numel() > most:
        nearby = F.avg_pool2d(nearby[None], 2, ceil_mode=True, count_include_pad=False)[0]
    size = int(nearby.shape[1]), int(nearby.shape[2])
    features = torch.cat([nearby, *(_coarse(level, whole, inner, size) for level in (near, far))])
    covered = tuple(
        round(place / ratio) for place, ratio in zip(inner, (*per_pixel, *per_pixel), strict=True)
    )
    return features, (covered[0], covered[1], covered[2], covered[3])


def usual_scale(embedding: Embedding) -> float:
    """Return the scale of the finest level that is not too large to be described."""
    levels = pyramid.levels(embedding)
    fitting = [level for level in levels if max(level.shape) <= LONGEST]
    return (fitting[0] if fitting else levels[-1]).scale[0]


def _places(box: Box2D, per_pixel: tuple[float, float], whole: tuple[int, int]) -> Box2D:
    """Return the box of places that covers a box of image pixels."""
    y0, x0 = (int(v * r) for v, r in zip(box[:2], per_pixel, strict=True))
    y1, x1 = (int(-(-v * r // 1)) for v, r in zip(box[2:], per_pixel, strict=True))
    return y0, x0, min(max(y1, y0 + 1), whole[0]), min(max(x1, x0 + 1), whole[1])


def _around(image: Tensor) -> Iterator[Tensor]:
    """Yield mean and deviation of an image (C, h, w) in squares of several sizes around places."""
    values = wide(image)
    inside = F.pad(torch.cat([values, values**2, torch.ones_like(values[:1])]), (MARGIN,) * 4)
    sums = F.pad(inside.cumsum(1).cumsum(2), (1, 0, 1, 0))
    for half in HALVES:
        side, skipped = 2 * half + 1, MARGIN - half
        sums_of = sums[:, skipped : sums.shape[1] - skipped, skipped : sums.shape[2] - skipped]
        rows = sums_of[:, side:] - sums_of[:, :-side]
        total = rows[:, :, side:] - rows[:, :, :-side]
        mean, square = (total[:-1] / total[-1]).chunk(2)
        yield mean.float().to(image.device)
        yield (square - mean**2).clamp(min=0).float().sqrt().to(image.device)


def _coarse(
    level: pyramid.Level, whole: tuple[int, int], part: Box2D, size: tuple[int, int]
) -> Tensor:
    """Sample a level's coarse features (C, h', w') at `size` points of a part of `whole` places."""
    rows, columns = (-(-extent // 4) for extent in level.shape)
    ratio = rows / whole[0], columns / whole[1]
    # one more on each side than covered, so that interpolation sees what lies beyond
    y0, x0 = max(0, int(part[0] * ratio[0]) - 1), max(0, int(part[1] * ratio[1]) - 1)
    y1 = min(rows, int(-(-part[2] * ratio[0] // 1)) + 1)
    x1 = min(columns, int(-(-part[3] * ratio[1] // 1)) + 1)
    features = level.coarse[:, y0:y1, x0:x1].float().cpu()
    y, x = (
        ((torch.arange(count) + 0.5) * (stop - start) / count + start) * scale - first
        for count, start, stop, scale, first in zip(
            size, part[:2], part[2:], ratio, (y0, x0), strict=True
        )
    )
    grid = torch.stack(
        torch.broadcast_tensors(
            (2 * x / features.shape[2] - 1)[None, :], (2 * y / features.shape[1] - 1)[:, None]
        ),
        -1,
    )
    return F.grid_sample(
        features[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False
    )[0]


def _sample(y: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Draw samples of the classes `y` (N,), rare ones fully: indices (n,), importance (n,)."""
    counts = torch.bincount(y, minlength=classes).float()
    wanted = counts.clamp(max=SAMPLES / classes)
    share = wanted / counts.clamp(min=1)
    generator = torch.Generator().manual_seed(0)
    picks = (torch.rand(len(y), generator=generator) < share[y]).nonzero()[:, 0]
    # between what the picture holds and every class alike
    importance = (counts / counts.sum()).clamp(min=1e-4) ** 0.5 / wanted.clamp(min=1)
    return picks, importance[y[picks]]


def classes_of(
    labels: npt.NDArray[np.integer], ids: Sequence[int], kind: Kind
) -> npt.NDArray[np.int64]:
    """Turn label ids (H, W) into classes (H, W): the id's number, or an object's middle and rim."""
    if kind == "semantic":
        return _numbered(labels, ids)
    inside = labels > 0
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        change = np.diff(labels, axis=axis) != 0
        one, other = [slice(None)] * 2, [slice(None)] * 2
        one[axis], other[axis] = slice(None, -1), slice(1, None)
        edge[tuple(one)] |= change
        edge[tuple(other)] |= change
    sides = np.sqrt(np.unique(labels[inside], return_counts=True)[1])
    width = max(1, round(float(np.median(sides)) / 12)) if sides.size else 1
    near = ndimage.binary_dilation(edge, iterations=width) & inside
    return np.where(near, RIM, np.where(inside, MIDDLE, 0))


def _numbered(labels: npt.NDArray[np.integer], ids: Sequence[int]) -> npt.NDArray[np.int64]:
    """Replace ids (H, W) by their position in `ids`, counted from 1; other ids become 0."""
    out = np.zeros(labels.shape, np.int64)
    for number, value in enumerate(ids, 1):
        out[labels == value] = number
    return out


def _at_places(
    classes: npt.NDArray[np.int64], part: Box2D, size: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Read classes (H, W) in the middle of each of `size` (h, w) places of a part."""
    rows, columns = (
        np.minimum(start + ((np.arange(n) + 0.5) * (stop - start) / n).astype(int), full - 1)
        for n, start, stop, full in zip(size, part[:2], part[2:], classes.shape, strict=True)
    )
    return classes[rows[:, None], columns[None, :]]


def smallest_area(examples: Sequence[Example]) -> float:
    """Return the area in pixels of the smallest object of the examples."""
    labelled = [np.asarray(example.labels) for example in examples]
    areas = [np.unique(one[one > 0], return_counts=True)[1] for one in labelled]
    return float(np.concatenate(areas).min())


def _objects(share: FloatArray, smallest: float) -> Labelled:
    """Separate objects by a watershed on the shares (3, H, W) of background, middle and rim."""
    from skimage.segmentation import watershed

    inside = share[0] < 0.5
    middle = ndimage.gaussian_filter(share[MIDDLE], 0.5) - share[RIM]
    seeds, count = ndimage.label(inside & (middle > 0))
    sizes = np.bincount(seeds.ravel(), minlength=count + 1)
    seeds[(sizes < max(4.0, 0.1 * smallest))[seeds]] = 0
    labels = watershed(-middle, seeds, mask=inside).astype(np.int32)
    areas = np.bincount(labels.ravel())
    labels[(areas < 0.4 * smallest)[labels]] = 0
    kept = np.unique(labels)
    labels = np.searchsorted(kept, labels).astype(np.int32) if kept[0] == 0 else labels
    confidence = np.where(labels > 0, 1 - share[0], share[0]).astype(np.float32)
    return Labelled(labels, confidence, scores_by_id(labels, confidence))
