"""Pixel decoder "transformer_encoder_fpn": features of four strides to three scales and a map.

A DETR encoder attends over the coarsest features; a feature pyramid carries its output down to
stride 4. Shapes are (B, C, H, W).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..patience import checkpoint
from .attention import Attention, sine_positions
from .config import SeemConfig
from .convolution import conv1x1, conv3x3

GROUPS = 32


class PixelDecoder(nn.Module):
    """res2..res5 to scales at strides 32, 16 and 8 and mask features at stride 4, all C wide."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self.input_proj = nn.Conv2d(config.widths[3], hidden, 1)
        self.transformer = nn.ModuleDict({"encoder": PixelEncoder(config)})
        self.layer_4 = NormedConv(hidden, hidden, 3, relu=True)
        for level in (3, 2, 1):
            adapter = NormedConv(config.widths[level - 1], hidden, 1, relu=False)
            self.add_module(f"adapter_{level}", adapter)
            self.add_module(f"layer_{level}", NormedConv(hidden, hidden, 3, relu=True))
        self.mask_features = nn.Conv2d(hidden, hidden, 3, padding=1)

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return three scales, coarsest first, and the mask features, all (B, C, H, W).

        `features` are res2..res5, each (B, C_i, H_i, W_i).
        """
        x = self.layer_4(self.transformer["encoder"](conv1x1(features[3], self.input_proj)))
        scales = [x]
        for level in (3, 2, 1):
            checkpoint()
            lateral = self.get_submodule(f"adapter_{level}")(features[level - 1])
            x = lateral + F.interpolate(x, size=lateral.shape[-2:], mode="nearest")
            x = self.get_submodule(f"layer_{level}")(x)
            scales.append(x)
        return scales[:3], conv3x3(scales[3], self.mask_features.weight, self.mask_features.bias)


class NormedConv(nn.Conv2d):
    """Convolution without bias, GroupNorm, and an optional ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, relu: bool) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.GroupNorm(GROUPS, outputs)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H, W)."""
        x = conv3x3(x, self.weight) if self.kernel_size == (3, 3) else conv1x1(x, self)
        x = self.norm(x)
        return F.relu_(x) if self.relu else x


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
