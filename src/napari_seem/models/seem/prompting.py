"""The project's prompts as SEEM reads them: binary maps of the resized image, and sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import UnsupportedPrompt
from ...prompts import (
    BoolArray,
    Box,
    Mask,
    Point,
    Polygon,
    Prompt,
    Reference,
    Scribble,
    SpatialPrompt,
    Text,
    pixel_box,
    rasterize,
)
from .strokes import Strokes

Size = tuple[int, int]


def drawn(
    prompts: Sequence[Prompt], shape: Size, resized: Size, padded: Size, *, positive: bool
) -> Tensor | None:
    """Draw all visual prompts of one sign into a bool map of the padded input; None without any.

    `shape`, `resized` and `padded` are (height, width) of the original image, of the resized one,
    and of the padded one.
    """
    chosen = [p for p in prompts if not isinstance(p, (Text, Reference)) and p.positive is positive]
    if not chosen:
        return None
    out = torch.zeros(padded, dtype=torch.bool)
    for prompt in chosen:
        out[: resized[0], : resized[1]] |= torch.tensor(_resized(prompt, shape, resized))
    return out


def region(mask: BoolArray, resized: Size, padded: Size) -> Tensor:
    """Resize and pad an image's mask (H, W) to a bool map of the padded input."""
    out = torch.zeros(padded, dtype=torch.bool)
    out[: resized[0], : resized[1]] = torch.tensor(resize_mask(mask, resized))
    return out


def sentence_of(prompts: Sequence[Prompt]) -> str | None:
    """Join the words of all text prompts to one sentence; None without any."""
    words = [prompt.text.strip() for prompt in prompts if isinstance(prompt, Text)]
    return ", ".join(words) or None


def references_of(prompts: Sequence[Prompt]) -> list[Reference]:
    """Return the reference regions."""
    return [prompt for prompt in prompts if isinstance(prompt, Reference)]


def refuse_negative_meaning(prompts: Sequence[Prompt]) -> None:
    """Raise `UnsupportedPrompt` for a negative word or reference, which SEEM does not take."""
    for prompt in prompts:
        if isinstance(prompt, (Text, Reference)) and not prompt.positive:
            kind = "word" if isinstance(prompt, Text) else "reference region"
            raise UnsupportedPrompt(
                f"SEEM takes no negative {kind}; mark what is wrong with a negative point, "
                "scribble or box instead"
            )


def joined(strokes: Sequence[Strokes]) -> Strokes | None:
    """Join several reference regions to one; None without any."""
    if not strokes:
        return None
    embeddings = [each.embedding for each in strokes if each.embedding is not None]
    tokens = zip(*(each.tokens for each in strokes), strict=True)
    return Strokes(torch.stack(embeddings).mean(dim=0), tuple(map(torch.cat, tokens)))


def resize_mask(mask: BoolArray, size: Size) -> BoolArray:
    """Resize a mask (H, W): by nearest neighbour where it grows, by maxima where it shrinks."""
    if mask.shape == size:
        return mask
    x = torch.tensor(np.ascontiguousarray(mask)).float()[None, None]
    smaller = tuple(min(old, new) for old, new in zip(mask.shape, size, strict=True))
    x = F.adaptive_max_pool2d(x, smaller)
    return F.interpolate(x, size=size)[0, 0].bool().numpy()


def _resized(prompt: SpatialPrompt, shape: Size, size: Size) -> BoolArray:
    """Draw one visual prompt of an image of `shape` at another size; at least one pixel of it."""
    scale = np.array([size[0] / shape[0], size[1] / shape[1]])
    if isinstance(prompt, (Scribble, Mask)):
        return resize_mask(rasterize(prompt, shape), size)
    if isinstance(prompt, Point):
        y, x = _centre((prompt.y, prompt.x), scale)
        return rasterize(Point(y, x), size)
    if isinstance(prompt, Polygon):
        mask = rasterize(Polygon(_centre(prompt.vertices, scale)), size)
        return mask if mask.any() else resize_mask(rasterize(prompt, shape), size)
    y0, x0, y1, x1 = np.array(pixel_box(prompt, shape)) * np.tile(scale, 2)
    mask = rasterize(Box(y0, x0, y1, x1), size)
    return mask if mask.any() else resize_mask(rasterize(prompt, shape), size)


def _centre(place: object, scale: np.ndarray) -> np.ndarray:
    """Scale coordinates (..., 2) of pixel centres, which lie at integers."""
    return (np.asarray(place, dtype=float) + 0.5) * scale - 0.5
