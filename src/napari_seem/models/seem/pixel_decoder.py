"""Pixel decoder "transformer_encoder_fpn": features of four strides to three scales and a map.

A DETR encoder attends over the coarsest features; a feature pyramid carries its output down to
stride 4. Shapes are (B, C, H, W).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..running.patience import checkpoint
from .attention import Attention, sine_positions
from .config import SeemConfig
from .convolution import Conv3x3, SpareMemory, conv1x1, normalise_

GROUPS = 32


class PixelDecoder(nn.Module):
    """res2..res5 to scales at strides 32, 16 and 8 and mask features at stride 4, all C wide."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.input_proj = nn.Conv2d(config.widths[3], hidden, 1)
        self.transformer = nn.ModuleDict({"encoder": PixelEncoder(config)})
        self.layer_4 = Smooth(hidden)
        for level in (3, 2, 1):
            self.add_module(f"adapter_{level}", Adapter(config.widths[level - 1], hidden))
            self.add_module(f"layer_{level}", Smooth(hidden))
        self.mask_features = Conv3x3(hidden, hidden)

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return three scales, coarsest first, and the mask features, all (B, C, H, W).

        `features` are res2..res5, each (B, C_i, H_i, W_i).
        """
        x = self.layer_4(self.transformer["encoder"](conv1x1(features[3], self.input_proj)))
        scales, scratch = [x], SpareMemory()
        for level in (3, 2, 1):
            checkpoint()
            lateral = self.get_submodule(f"adapter_{level}")(features[level - 1])
            x = self.get_submodule(f"layer_{level}")(_add_coarser(lateral, x), scratch)
            scales.append(x)
        return scales[:3], self.mask_features(scales[3], scratch)


def _add_coarser(x: Tensor, coarser: Tensor) -> Tensor:
    """Add a map (B, C, H / 2, W / 2) to (B, C, H, W), each of its pixels to four; in place."""
    cells = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # (B, C, H / 2, 2, W / 2, 2)
    cells += coarser[:, :, :, None, :, None]
    return x


class Adapter(nn.Conv2d):
    """A 1x1 convolution and GroupNorm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)
        self.norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H, W)."""
        return normalise_(conv1x1(x, self), self.norm)


class Smooth(Conv3x3):
    """A 3x3 convolution, GroupNorm and a ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, bias=False)
        self.norm = nn.GroupNorm(GROUPS, width)

    def forward(self, x: Tensor, scratch: SpareMemory | None = None) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return normalise_(super().forward(x, scratch), self.norm, relu=True)


class PixelEncoder(nn.Module):
    """A few post-norm transformer layers over all positions of a map."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        channels, height, width = x.shape[1:]
        position = sine_positions(height, width, channels, x.device).flatten(0, 1)  # (H*W, C)
        tokens = x.flatten(2).transpose(1, 2)  # (B, H*W, C)
        for layer in self.layers:
            checkpoint()
            tokens = layer(tokens, position)
        return tokens.transpose(1, 2).unflatten(2, (height, width))  # (B, C, H, W)


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each normalised after it is added."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config.hidden, config.heads)
        self.linear1 = nn.Linear(config.hidden, config.feedforward)
        self.linear2 = nn.Linear(config.feedforward, config.hidden)
        self.norm1, self.norm2 = nn.LayerNorm(config.hidden), nn.LayerNorm(config.hidden)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        """Map (B, N, C) with positions (N, C) to (B, N, C)."""
        placed = x + position
        x = self.norm1(x + self.self_attn(placed, placed, x))
        return self.norm2(x + self.linear2(F.relu(self.linear1(x))))
