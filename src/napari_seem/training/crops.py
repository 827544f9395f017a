"""Random crops of pictures, cut and augmented as one batch.

A crop is defined by the position of each of its pixels on the picture. The image is read there
bilinearly, at the level of the picture's pyramid that fits the scale; ids are read by nearest
neighbour at the picture's own size. Pixel (i, j) of any array covers [i, i + 1) x [j, j + 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.compact.prompt_maps.appearance import blur
from .pictures import LEVELS, PIXELS_KEPT, PictureBank

SMALLEST_SIDE = 8.0
"""Least apparent side, in crop pixels, of the object that a crop is put around."""
LARGEST_SHARE = 0.7
"""Its largest apparent side, as a share of the crop's."""
LARGEST_SCALE = 3.0
SAME_PICTURE, WHOLE_PICTURE = 0.15, 0.2
"""Chances that both crops of a pair are of one picture, and that a crop shows all of its picture.
"""
FREE_TURN, ELASTIC = 0.25, 0.25
"""Chances of a turn by any angle (else by a multiple of 90 degrees) and of a bent crop."""
OUTSIDE = -1


@dataclass
class Crops:
    """A batch of crops; 2 i and 2 i + 1 come from one group, so that one can refer to the other.

    Attributes
    ----------
    image : float32 (B, 3, S, S)
        Normalised by the picture's own mean and deviation; 0 outside of the picture.
    ids : int64 (B, 2, S, S)
        Ids of labelled objects and of superpixels; 0 = background, `OUTSIDE` outside.
    picture : int64 (B,)
    scale : float32 (B,)
        Crop pixels per picture pixel.
    """

    image: Tensor
    ids: Tensor
    picture: Tensor
    scale: Tensor

    def rows(self, bank: PictureBank, kind: int, ids: Tensor) -> Tensor:
        """Return the bank's rows of objects `ids` (B, ...) of one kind; any row for ids < 1."""
        first = bank.first[kind, self.picture]
        shape = (-1,) + (1,) * (ids.ndim - 1)
        return (first.view(shape) + ids - 1).clamp(0, len(bank.area) - 1)


def draw_crops(bank: PictureBank, batch: int, side: int, regions: float = 0.3) -> Crops:
    """Draw a batch of crops at random.

    Parameters
    ----------
    bank : PictureBank
    batch : int
        Number of crops, even.
    side : int
        Side of each in pixels.
    regions : float
        Share of the crops that are put around a superpixel although there are labelled objects.
    """
    device = bank.pixels.device
    picture = _draw_pictures(bank, batch)
    labelled = (torch.rand(batch, device=device) >= regions) & (bank.count[0, picture] > 0)
    row = _draw_objects(bank, picture, (~labelled).long())
    turn, scale = _draw_turns(bank, picture, row, side)
    center = _draw_centers(bank, picture, row, turn, side)
    grid = _bent_grid(batch, side, device)  # (B, S, S, 2) crop pixels from the middle
    where = center[:, None, None] + torch.einsum("bij,bhwj->bhwi", turn, grid)
    ids = gather_ids(bank, picture, where)
    image = gather_image(bank, picture, where, scale)
    image = alter(image) * (ids[:, :1] != OUTSIDE)
    return Crops(image, ids, picture, scale)


def _draw_pictures(bank: PictureBank, batch: int) -> Tensor:
    """Draw pairs of pictures of one group: (B,)."""
    device = bank.weights.device
    first = torch.multinomial(bank.weights, batch // 2, replacement=True)
    group = bank.group[first]
    among = (torch.rand(batch // 2, device=device) * bank.group_count[group]).long()
    same = torch.rand(batch // 2, device=device) < SAME_PICTURE
    second = torch.where(same, first, bank.group_first[group] + among)
    return torch.stack([first, second], 1).flatten()


def _draw_objects(bank: PictureBank, picture: Tensor, kind: Tensor) -> Tensor:
    """Draw an object's row for each picture, by the square root of its area: (B,)."""
    first, count = bank.first[kind, picture], bank.count[kind, picture]
    last = (first + count - 1).clamp(0, len(bank.area) - 1)
    before = torch.where(first > 0, bank.cumulative[(first - 1).clamp(min=0)], 0.0)
    share = torch.rand(len(picture), device=picture.device, dtype=torch.float64)
    wanted = before + share * (bank.cumulative[last] - before)
    row = torch.searchsorted(bank.cumulative, wanted, right=True)
    return torch.minimum(torch.maximum(row, first), last)


def _draw_turns(
    bank: PictureBank, picture: Tensor, row: Tensor, side: int
) -> tuple[Tensor, Tensor]:
    """Draw matrices (B, 2, 2) from crop to picture pixels, and crop pixels a picture pixel (B,)."""
    device, batch = picture.device, len(picture)
    low, high = math.log(SMALLEST_SIDE), math.log(LARGEST_SHARE * side)
    apparent = torch.exp(low + (high - low) * torch.rand(batch, device=device))
    longest = bank.shapes[picture, 0].amax(1)
    smallest = side / (1.05 * longest)
    largest = smallest.clamp(min=LARGEST_SCALE)
    scale = torch.minimum(torch.maximum(apparent / bank.area[row].sqrt(), smallest), largest)
    scale = torch.where(torch.rand(batch, device=device) < WHOLE_PICTURE, smallest, scale)
    angle = torch.randint(0, 4, (batch,), device=device) * (math.pi / 2)
    free = torch.rand(batch, device=device) < FREE_TURN
    angle = torch.where(free, 2 * math.pi * torch.rand(batch, device=device), angle)
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    bulge = 0.1 * torch.randn(batch, 1, device=device) * free[:, None]
    stretch = torch.exp(torch.cat([bulge, -bulge], 1))  # areas stay as `scale` says
    flip = torch.randint(0, 2, (batch,), device=device) * 2 - 1
    stretch = stretch * torch.stack([torch.ones_like(flip), flip], 1)
    return turn * stretch[:, None] / scale[:, None, None], scale


def _draw_centers(
    bank: PictureBank, picture: Tensor, row: Tensor, turn: Tensor, side: int
) -> Tensor:
    """Draw the picture position of each crop's middle, mostly with little outside: (B, 2)."""
    batch, device = len(picture), picture.device
    pick = torch.randint(0, PIXELS_KEPT, (batch,), device=device)
    pixel = bank.places[row, pick].float() + torch.rand(batch, 2, device=device)
    offset = (torch.rand(batch, 2, device=device) - 0.5) * side / 2
    center = pixel - torch.einsum("bij,bj->bi", turn, offset)
    size = bank.shapes[picture, 0].float()
    half = turn.abs().sum(2) * side / 2
    low, high = torch.minimum(half, size - half), torch.maximum(half, size - half)
    inside = torch.minimum(torch.maximum(center, low), high)
    loose = torch.rand(batch, 1, device=device) < 0.1
    return torch.where(loose, center, inside)


def _bent_grid(batch: int, side: int, device: torch.device) -> Tensor:
    """Return pixel centres of crops, from the middle: (B, S, S, 2); some bent by smooth noise."""
    along = torch.arange(side, device=device) + 0.5 - side / 2
    grid = torch.stack(torch.meshgrid(along, along, indexing="ij"), -1)
    bend = torch.rand(batch, 1, 1, 1, device=device) < ELASTIC
    noise = torch.randn(batch, 2, 5, 5, device=device) * bend * side * 0.02
    smooth = F.interpolate(noise, (side, side), mode="bicubic", align_corners=False)
    return grid + smooth.permute(0, 2, 3, 1)


def gather_ids(bank: PictureBank, picture: Tensor, where: Tensor) -> Tensor:
    """Read ids at points of pictures.

    Parameters
    ----------
    bank : PictureBank
    picture : int64 (B,)
    where : float32 (B, S, S, 2)
        Rows and columns on the picture; pixel i covers [i, i + 1).

    Returns
    -------
    int64 (B, 2, S, S)
        `OUTSIDE` beyond the picture.
    """
    height, width = (bank.shapes[picture, 0, axis][:, None, None] for axis in (0, 1))
    row, col = where.floor().long().unbind(-1)
    inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
    row, col = torch.minimum(row.clamp(min=0), height - 1), torch.minimum(
        col.clamp(min=0), width - 1
    )  # fmt: skip
    flat = bank.id_starts[picture][:, None, None] + row * width + col
    ids = torch.stack([bank.ids[0][flat], bank.ids[1][flat]], 1).long()
    return torch.where(inside[:, None], ids, OUTSIDE)


def gather_image(bank: PictureBank, picture: Tensor, where: Tensor, scale: Tensor) -> Tensor:
    """Read normalised pixels at points of pictures, bilinearly: float32 (B, 3, S, S).

    Parameters
    ----------
    bank, picture, where
        As for `gather_ids`; the picture's edge is repeated beyond it.
    scale : float32 (B,)
        Crop pixels per picture pixel; selects the level of the pyramid.
    """
    level = (-torch.log2(scale)).round().long().clamp(0, LEVELS - 1)
    shrunk = (2.0**level)[:, None, None]
    height, width = (bank.shapes[picture, level, axis][:, None, None] for axis in (0, 1))
    channels = bank.channels[picture][:, None, None]
    begin = bank.starts[picture, level][:, None, None]
    (row, down), (col, right) = (
        _between(where[..., axis] / shrunk - 0.5, size) for axis, size in ((0, height), (1, width))
    )
    rows = [(begin + r * (width * channels)) for r in row]
    cols = [c * channels for c in col]
    colours = torch.arange(3, device=where.device)[:, None, None] * (channels > 1)[:, None]
    corner = [[bank.pixels[(r + c)[:, None] + colours].float() for c in cols] for r in rows]
    down, right = down[:, None], right[:, None]
    top, bottom = (torch.lerp(left, other, right) for left, other in corner)
    mean, deviation = (bank.moments[picture, i][:, None, None, None] for i in (0, 1))
    return (torch.lerp(top, bottom, down) / 255 - mean) / deviation


def _between(position: Tensor, size: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return the two pixels around positions (B, S, S), and the share of the way between them.

    Positions count pixel centres as integers; `size` (B, 1, 1) is the picture's.
    """
    low = position.floor()
    share = position - low
    low = low.long()
    before = torch.minimum(low.clamp(min=0), size - 1)
    after = torch.minimum((low + 1).clamp(min=0), size - 1)
    return (before, after), share


def alter(image: Tensor) -> Tensor:
    """Change colours, contrast, sharpness and noise of a batch at random: (B, 3, S, S)."""
    batch, device = len(image), image.device

    def chance(share: float) -> Tensor:
        return torch.rand(batch, 1, 1, 1, device=device) < share

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(batch, channels, 1, 1, device=device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, device=device)

    image = torch.where(chance(0.12), -image, image)
    image = torch.where(chance(0.15), image.mean(1, keepdim=True), image)
    order = torch.rand(batch, 3, device=device).argsort(1)[:, :, None, None]
    image = torch.where(chance(0.15), image.gather(1, order.expand_as(image)), image)
    image = image * torch.where(chance(0.3), uniform(0.7, 1.3, 3), 1.0)
    low = image.amin((1, 2, 3), keepdim=True)
    span = (image.amax((1, 2, 3), keepdim=True) - low).clamp(min=1e-3)
    power = torch.exp(0.35 * normal(1, 1, 1))
    image = torch.where(chance(0.3), ((image - low) / span) ** power * span + low, image)
    image = torch.where(chance(0.2), blur(image, 3), image)
    image = torch.where(chance(0.05), blur(image, 5), image)
    size = image.shape[-2:]
    field = F.interpolate(normal(1, 3, 3), size, mode="bicubic", align_corners=False)
    image = image + field * torch.where(chance(0.12), uniform(0.1, 0.5), 0.0)
    stripes = normal(1, size[0], 1) * torch.where(chance(0.04), uniform(0.03, 0.2), 0.0)
    grain = torch.where(chance(0.3), uniform(0.03, 0.3), 0.0)
    image = image + stripes + torch.randn_like(image) * grain
    return (image * uniform(0.65, 1.45) + uniform(-0.35, 0.35)).clamp(-5, 5)
