"""How an image lies in the square that SAM and SAM 2.1 see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from . import sizes

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's colours, for values 0..1."""
CELL = 4
"""Pixels along a cell of the mask logits of a turn."""


@dataclass(frozen=True)
class Square:
    """An image in the square of `sizes.SIDE` pixels.

    Attributes
    ----------
    shape : (H, W)
        Of the image.
    keeps_aspect : bool
        SAM resizes the longer side to that of the square and pads below and on the right; SAM 2.1
        stretches both sides to it.
    """

    shape: tuple[int, int]
    keeps_aspect: bool

    @property
    def side(self) -> int:
        """Pixels along the square."""
        return sizes.SIDE

    @property
    def grid(self) -> int:
        """Cells along the mask logits of a turn."""
        return self.side // CELL

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width of the image in the square."""
        if not self.keeps_aspect:
            return self.side, self.side
        scale = self.side / max(self.shape)
        height, width = (max(1, int(length * scale + 0.5)) for length in self.shape)
        return height, width

    @property
    def covered(self) -> tuple[float, float]:
        """Shares of the square's height and width that the image takes."""
        height, width = self.resized
        return height / self.side, width / self.side

    @property
    def in_cells(self) -> tuple[int, int]:
        """Rows and columns of mask logits that the image takes."""
        height, width = (round(part * self.grid) or 1 for part in self.covered)
        return height, width

    def pixels(self, rgb: npt.NDArray[np.uint8]) -> Tensor:
        """Return the network's input (1, 3, side, side) for an image (H, W, 3)."""
        height, width = self.resized
        if self.keeps_aspect:  # as the authors do: Pillow, in whole values
            small = Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR)
            x = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255
        else:
            x = torch.tensor(rgb).permute(2, 0, 1)[None].float() / 255
            x = F.interpolate(x, (height, width), mode="bilinear", antialias=True)
        mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
        return F.pad((x - mean) / deviation, (0, self.side - width, 0, self.side - height))

    def places(self, places: npt.ArrayLike) -> Tensor:
        """Return places (..., 2) of the image as (x, y) in the square.

        Rows before columns there, x first here; pixel centres lie at integers in both.
        """
        scale = np.array(self.resized) / np.array(self.shape)
        scaled = (np.asarray(places, float) + 0.5) * scale - 0.5
        return torch.from_numpy(scaled[..., ::-1].astype(np.float32))

    def cells(self, mask: npt.NDArray[np.bool_]) -> Tensor:
        """Return the share of each cell (grid, grid) of the square that a mask (H, W) covers."""
        height, width = self.in_cells
        x = torch.tensor(mask, dtype=torch.float32)[None, None]
        x = F.interpolate(x, (height, width), mode="bilinear", antialias=True)
        return F.pad(x, (0, self.grid - width, 0, self.grid - height))[0, 0]

    def logits(self, cells: Tensor) -> npt.NDArray[np.float32]:
        """Return logits (N, H, W) in image pixels, of those (N, grid, grid) of a turn."""
        x = cells.float()[:, None]
        if self.keeps_aspect:
            height, width = self.resized
            x = F.interpolate(x, (self.side, self.side), mode="bilinear")[..., :height, :width]
        return F.interpolate(x, self.shape, mode="bilinear")[:, 0].cpu().numpy()


def overlap(one: Tensor, other: Tensor) -> float:
    """Return the intersection over union of two bool masks (H, W)."""
    shared = int((one & other).sum())
    return shared / max(1, int(one.sum()) + int(other.sum()) - shared)
