"""FocalNet backbone (Yang et al., NeurIPS 2022): four stages of focal modulation.

Tensors are channels last, (B, H, W, C), except inside convolutions. Attribute names are the
checkpoint's keys.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..running.mps import layout
from ..running.patience import checkpoint
from .config import SeemConfig
from .convolution import conv1x1

MLP_RATIO = 4
HIDDEN = 2**20
"""Hidden values of a perceptron at once: fresh memory for more costs as much as the sums."""


class FocalNet(nn.Module):
    """A normalised RGB image to features at strides 4, 8, 16 and 32."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        widths = config.widths
        self.patch_embed = Downsample(3, widths[0], 7, 4, config.stem_padding)
        self.layers = nn.ModuleList(
            Stage(config, index, widths[index + 1] if index < 3 else None) for index in range(4)
        )
        for index, width in enumerate(widths):
            self.add_module(f"norm{index}", nn.LayerNorm(width))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map (B, 3, H, W) to res2..res5, each (B, C_i, H / stride, W / stride)."""
        x = self.patch_embed(image.permute(0, 2, 3, 1))  # (B, H/4, W/4, C_0)
        outputs = []
        for index, stage in enumerate(self.layers):
            x, coarser = stage(x)  # (B, H_i, W_i, C_i), (B, H_i/2, W_i/2, 2 C_i)
            outputs.append(self.get_submodule(f"norm{index}")(x).permute(0, 3, 1, 2))
            x = coarser
        return outputs


class Stage(nn.Module):
    """The blocks of one stride, and the down-sampling to the next."""

    def __init__(self, config: SeemConfig, index: int, next_width: int | None) -> None:
        super().__init__()
        width = config.widths[index]
        block = DepthwiseFocalBlock if config.depthwise else FocalBlock
        self.blocks = nn.ModuleList(
            block(width, config.focal_levels) for _ in range(config.depths[index])
        )
        self.downsample = Downsample(width, next_width, 3, 2, 1) if next_width else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, H, W, C) to the same after the blocks, and that down-sampled."""
        for block in self.blocks:
            checkpoint()
            x = block(x)
        return x, self.downsample(x) if self.downsample is not None else x


class Downsample(nn.Module):
    """Overlapping patches: a strided convolution, then LayerNorm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, outputs, kernel, stride, padding)
        self.norm = nn.LayerNorm(outputs)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to (B, ceil(H / stride), ceil(W / stride), C_out)."""
        height, width = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, -width % self.stride, 0, -height % self.stride))
        x = self.proj(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (B, H/stride, W/stride, C_out)
        return self.norm(x)


class FocalBlock(nn.Module):
    """Variant "focal" (Focal-L): each branch is normalised before it is added."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.modulation = FocalModulation(width, levels)
        self.mlp = Mlp(width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.gamma_1 = nn.Parameter(torch.ones(width))
        self.gamma_2 = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to (B, H, W, C)."""
        x = torch.addcmul(x, self.gamma_1, self.norm1(self.modulation(x)))
        return torch.addcmul(x, self.gamma_2, self.norm2(self.mlp(x)))


class DepthwiseFocalBlock(FocalBlock):
    """Variant "focal_dw" (Focal-T): a depth-wise convolution before each branch, norms after."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__(width, levels)
        self.dw1 = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.dw2 = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to (B, H, W, C)."""
        x = channels_last(self.dw1, x).add_(x)
        x = self.norm1(torch.addcmul(x, self.gamma_1, self.modulation(x)))
        x = channels_last(self.dw2, x).add_(x)
        return self.norm2(torch.addcmul(x, self.gamma_2, self.mlp(x)))


class FocalModulation(nn.Module):
    """Gather context at growing reach, gate it per position, and modulate the query with it."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.width, self.levels = width, levels
        self.f = nn.Linear(width, 2 * width + levels + 1)
        self.h = nn.Conv2d(width, width, 1)
        self.proj = nn.Linear(width, width)
        self.focal_layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width, bias=False),
                nn.GELU(),
            )
            for kernel in range(3, 3 + 2 * levels, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to (B, H, W, C)."""
        query, context, gates = self.f(x).split((self.width, self.width, self.levels + 1), dim=-1)
        gates = gates.unsqueeze(-2) / (self.levels + 1)  # (B, H, W, 1, levels + 1)
        contexts = []
        for layer in self.focal_layers:
            context = channels_last(layer, context)
            contexts.append(context)
        everywhere = F.gelu(context.mean((1, 2), keepdim=True))  # (B, 1, 1, C)
        total = everywhere * gates[..., self.levels]
        for level, context in enumerate(contexts):
            total.addcmul_(context, gates[..., level])
        modulator = conv1x1(total.permute(0, 3, 1, 2), self.h).permute(0, 2, 3, 1)
        return self.proj(modulator.mul_(query))


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C)."""
        parts = x.flatten(0, -2).split(HIDDEN // self.fc1.out_features)
        return torch.cat([self.fc2(F.gelu(self.fc1(part))) for part in parts]).view_as(x)


def channels_last(layer: nn.Module, x: Tensor) -> Tensor:
    """Apply a convolution to (B, H, W, C)."""
    first = x.permute(0, 3, 1, 2).contiguous(memory_format=layout(x.device))
    return layer(first).permute(0, 2, 3, 1)
