"""Whole-image answers: all of a concept in one mask, or every object apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage

from ...prompts import Prompt
from ..base import Embedding, Instance, Segmentation
from . import chosen, focus, pyramid, regions, windows
from .network import COARSE_STRIDE, FINE_GRID, FINE_STRIDE, GRID
from .prompt_maps import canvas
from .prompt_maps.canvas import View
from .pyramid import Level
from .regions import Region
from .words.concept import ConceptVectors, nothing
from .words.synonyms import STUFF

if TYPE_CHECKING:
    from .model import CompactModel, Decoded

BATCH = 16
OVERLAP = 16
"""Coarse cells that neighbouring windows of a sweep share."""
MOST_WINDOWS = 81
SWEET_SPOT = 40.0
"""Object side in level pixels at which a sweep works best."""
FITS_AT = 0.5
"""Least probability of a word that names a pixel."""
OBJECT_GRID = 40
"""Cells along a window that is decoded for one of all objects: on training images as good as `GRID`
in less than half of the time, unless the window shows more cells."""
BY_DECODER, BY_CERTAINTY, BY_FOREGROUND, BY_AGREEMENT, BY_RIM = 0.5, 1.0, 0.3, 0.3, 0.5
"""Exponents of what an object's score is made of; chosen on training images."""


def sweep(
    model: CompactModel, levels: list[Level], prompts: Sequence[Prompt], concept: ConceptVectors,
    shape: tuple[int, int],
) -> tuple[npt.NDArray[np.float32], float]:  # fmt: skip
    """Find all pixels of a concept.

    Parameters
    ----------
    model : CompactModel
    levels : list of Level
        The image's pyramid.
    prompts : sequence of Prompt
        All prompts; spatial ones, if any, are negative.
    concept : ConceptVectors
        The word or reference.
    shape : (int, int)
        Height and width of the image.

    Returns
    -------
    logits : float32 (H, W)
    score : float
    """
    level = _level_for(model, levels, concept)
    views = [View(level, window) for window in _cover(level)]
    height, width = (-(-size // FINE_STRIDE) for size in level.shape)
    total = np.zeros((height + FINE_GRID, width + FINE_GRID), np.float32)
    weight = np.full_like(total, 1e-6)
    feather = _feather()
    scores = []
    for start in range(0, len(views), BATCH):
        batch = views[start : start + BATCH]
        maps = np.stack([canvas.draw(prompts, view, None) for view in batch])
        for decoded in model.decode(batch, maps, concept):
            _accumulate(total, weight, decoded, feather)
            scores.append((decoded.score, float((decoded.logits > 0).mean()) + 1e-3))
    merged = torch.from_numpy((total / weight)[:height, :width])[None, None]
    logits = F.interpolate(merged, shape, mode="bilinear", align_corners=False)[0, 0].numpy()
    share = np.array([s[1] for s in scores])
    return logits, float(np.average([s[0] for s in scores], weights=share))


def find_objects(
    model: CompactModel, embedding: Embedding, words: Sequence[int] | None, named: bool = True
) -> Segmentation:
    """Find every object of an image, or every object that one of `words` names.

    Parameters
    ----------
    model : CompactModel
    embedding : Embedding
    words : sequence of int, optional
        Indices into the vocabulary.
    named : bool
        Whether objects get names where no words are given.
    """
    levels = pyramid.levels(embedding)
    guesses = regions.find_regions(model, levels, embedding.shape, words)
    found = list(_decode_regions(model, guesses, embedding))
    kept = chosen.likeliest(found, embedding.shape)
    names = tuple(model.vocabulary()[index] for index in words or ())
    if words is None and named:
        kept = [_named(model, embedding, instance) for instance in kept]
    names = names or model.vocabulary()
    kept = [replace(one, thing=one.label not in STUFF) for one in kept]
    semantic = _semantic(model, levels, embedding.shape, words)
    stuff = tuple(name for name in names if name in STUFF)
    return Segmentation(embedding.shape, tuple(kept), semantic, names, stuff)


def _level_for(model: CompactModel, levels: list[Level], concept: ConceptVectors) -> Level:
    """Return the level on which the concept's objects have a size that the decoder knows well."""
    fitness = []
    at = model.network.config.coarse_slices
    for level in levels:
        if concept.side is not None:
            fitness.append(-abs(np.log2(concept.side * max(level.scale) / SWEET_SPOT)))
            continue
        semantic = level.coarse[at["semantic"]].float().cpu()
        near = torch.einsum("shw,s->hw", semantic, concept.word)
        top = near >= torch.quantile(near.flatten()[:: max(1, near.numel() // 4096)], 0.98)
        side = float(level.coarse[at["size"]][0].float().cpu()[top].median())
        off = abs(side - np.log2(SWEET_SPOT))
        fitness.append(float(near[top].mean()) - 0.1 * off)
    for index in np.argsort(fitness)[::-1]:
        if len(_cover(levels[index])) <= MOST_WINDOWS:
            return levels[index]
    return levels[-1]


def _cover(level: Level) -> list[windows.Window]:
    """Return windows at the encoder's own resolution that cover a level, overlapping a little."""
    starts = []
    for size in level.shape:
        cells = -(-size // COARSE_STRIDE)
        last = max(0, cells - GRID)
        count = 1 + -(-last // (GRID - OVERLAP))
        starts.append(np.unique(np.linspace(0, last, count).round().astype(int)))
    return [windows.Window(int(r), int(c), GRID) for r in starts[0] for c in starts[1]]


def _feather() -> npt.NDArray[np.float32]:
    """Return weights (FINE_GRID, FINE_GRID) that fall towards a window's border."""
    ramp = np.minimum(np.arange(FINE_GRID) + 1, FINE_GRID - np.arange(FINE_GRID))
    ramp = np.minimum(ramp / (2 * OVERLAP), 1).astype(np.float32)
    return ramp[:, None] * ramp[None, :]


def _accumulate(
    total: npt.NDArray[np.float32], weight: npt.NDArray[np.float32], decoded: Decoded,
    feather: npt.NDArray[np.float32],
) -> None:  # fmt: skip
    """Add a window's logits to `total`, and `feather` to `weight`: (h, w) fine cells each."""
    y, x = (cell * COARSE_STRIDE // FINE_STRIDE
            for cell in (decoded.view.window.row, decoded.view.window.col))  # fmt: skip
    area = np.s_[y : y + FINE_GRID, x : x + FINE_GRID]
    total[area] += decoded.logits * feather
    weight[area] += feather


def _decode_regions(
    model: CompactModel, guesses: Sequence[Region], embedding: Embedding
) -> Iterator[Instance]:
    """Decode a click in the middle of each region, in batches; those of large regions last.

    The word that chose the regions is not given to the decoder: with it, neighbours of a kind run
    together.
    """
    blank = nothing(model.network.config)
    for grid, large in ((OBJECT_GRID, False), (GRID, True)):
        some = [guess for guess in guesses if (guess.view.window.cells > OBJECT_GRID) is large]
        for start in range(0, len(some), BATCH):
            batch = some[start : start + BATCH]
            views = [guess.view for guess in batch]
            maps = _drawn(batch, views, grid)
            for guess, decoded in zip(batch, model.decode(views, maps, blank), strict=True):
                instance = _instance(model, guess, decoded, embedding)
                if instance is not None:
                    yield instance


def _drawn(
    guesses: Sequence[Region], views: Sequence[View], grid: int
) -> npt.NDArray[np.float32]:  # fmt: skip
    """Draw each region's click into its window, (B, M, 2 * grid, 2 * grid) for M = len(MAPS)."""
    drawn = zip(guesses, views, strict=True)
    maps = np.stack([canvas.draw([guess.point], view, None) for guess, view in drawn])
    if grid == GRID:
        return maps
    strokes, others = torch.from_numpy(maps).split([canvas.BOX, maps.shape[1] - canvas.BOX], 1)
    size = 2 * grid, 2 * grid
    coarser = [F.adaptive_max_pool2d(strokes, size), F.interpolate(others, size, mode="bilinear")]
    return torch.cat(coarser, 1).numpy()


def _instance(
    model: CompactModel, guess: Region, decoded: Decoded, embedding: Embedding
) -> Instance | None:
    """Return the part of a decoded window that holds the click, in image pixels.

    Its score is high where the decoder is sure, where encoder and decoder agree on the object, and
    where it does not run out of the window. The weights were chosen on training images.
    """
    values, (y0, x0, _, _) = decoded.view.paste(decoded.logits, embedding.shape)
    parts, _ = ndimage.label(values.numpy() > 0)
    row, col = (
        int(np.clip(round(p), o, o + s - 1)) - o
        for p, o, s in zip((guess.point.y, guess.point.x), (y0, x0), parts.shape, strict=True)
    )
    wanted = parts[row, col]
    if not wanted:
        return None
    rows, cols = ndimage.find_objects(parts, wanted)[wanted - 1]
    mask = chosen.without_holes(parts[rows, cols] == wanted)
    sure = float(torch.sigmoid(values[rows, cols][torch.tensor(mask)]).mean())
    box = (y0 + rows.start, x0 + cols.start, y0 + rows.stop, x0 + cols.stop)
    agreement = regions.overlap(mask, box, guess.mask, guess.bbox)
    rim = focus.rim_share(decoded.view, decoded.logits > 0)
    score = decoded.score**BY_DECODER * sure**BY_CERTAINTY * (1 - rim) ** BY_RIM
    score *= guess.foreground**BY_FOREGROUND * agreement**BY_AGREEMENT
    label = None if guess.word is None else model.vocabulary()[guess.word]
    return Instance(mask, box, score, label)


def _named(model: CompactModel, embedding: Embedding, instance: Instance) -> Instance:
    name = model.name_of(embedding, instance.mask, instance.bbox[:2])
    return Instance(instance.mask, instance.bbox, instance.score, name)


def _semantic(
    model: CompactModel, levels: list[Level], shape: tuple[int, int], words: Sequence[int] | None
) -> npt.NDArray[np.int32]:
    """Return each pixel's best fitting word, its index plus one or 0: int32 (H, W)."""
    level = next((lv for lv in levels if max(lv.shape) <= 512), levels[-1])
    semantic = level.coarse[model.network.config.coarse_slices["semantic"]].float().cpu()
    known = model.word_probabilities(semantic.permute(1, 2, 0))
    if words is not None:
        known = known[..., list(words)]
    height, width = (-(-size // COARSE_STRIDE) for size in level.shape)
    known = known[:height, :width]
    best, index = known.max(-1)
    out, fit = torch.zeros(shape, dtype=torch.int32), torch.full(shape, FITS_AT)
    for word in index[best >= FITS_AT].unique().tolist():
        fine = F.interpolate(known[None, None, ..., word], shape, mode="bilinear")[0, 0]
        out[fine >= fit] = word + 1
        fit = torch.maximum(fit, fine)
    return out.numpy()
