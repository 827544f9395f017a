"""The compact network: a residual U-Net that encodes once, and a small decoder per turn.

The encoder is trained densely (boundaries, instance embeddings, semantic embeddings, distance,
size); the decoder sees a square *window* of its features, resampled to a fixed grid, next to the
evidence that the prompts give (`prompt_maps`). Objects of every size therefore look alike to the
decoder. Shapes are (batch, channels, height, width).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..running.mps import layout
from ..running.patience import checkpoint

GRID = 64
"""Cells along a window in the decoder's core; its output has twice as many."""
FINE_GRID = 2 * GRID
COARSE_STRIDE = 4
FINE_STRIDE = 2


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of the compact network.

    The defaults are those of the first generation, whose weights files name no others.

    Attributes
    ----------
    widths, depths : tuple of int
        Channels at strides 2, 4, 8, 16, 32 and the residual blocks there on the way down; one
        block each on the way up.
    centre : int
        1 with a head for the nearness to the object's centre, else 0.
    context : int
        1 where accepted objects of the image are evidence (`evidence.ContextVectors`), else 0.
    geodesic_grid : int
        Cells along a window on which cheapest paths are worked out.
    """

    widths: tuple[int, ...] = (24, 48, 96, 160, 224)
    depths: tuple[int, ...] = (0, 1, 2, 3, 2)
    instance_dim: int = 16
    semantic_dim: int = 32
    decoder_widths: tuple[int, ...] = (40, 56, 72, 96)
    refine_width: int = 16
    evidence: int = 35
    vocabulary: int = 1
    centre: int = 0
    context: int = 0
    geodesic_grid: int = GRID

    @classmethod
    def second_generation(cls, vocabulary: int) -> CompactConfig:
        """Return the sizes of the network that `napari_seem.training` trains."""
        return cls(vocabulary=vocabulary, evidence=41, centre=1, context=1, geodesic_grid=GRID // 2)

    @property
    def coarse_slices(self) -> dict[str, slice]:
        """Where each map lies in the channels of the coarse (stride 4) features."""
        sizes = {
            "features": self.widths[1],
            "instance": self.instance_dim,
            "semantic": self.semantic_dim,
            "distance": 1,
            "foreground": 1,
            "size": 1,
            "centre": self.centre,
        }
        return _consecutive(sizes)

    @property
    def coarse_sizes(self) -> list[int]:
        """Channels of each map of the coarse features, in order."""
        return [where.stop - where.start for where in self.coarse_slices.values()]

    @property
    def fine_slices(self) -> dict[str, slice]:
        """Where each map lies in the channels of the fine (stride 2) features."""
        return _consecutive({"features": self.widths[0], "boundary": 1, "image": 3})

    @property
    def coarse_channels(self) -> int:
        """Channels of the coarse features."""
        return self.coarse_slices["centre"].stop

    @property
    def fine_channels(self) -> int:
        """Channels of the fine features."""
        return self.fine_slices["image"].stop


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm and, by default, a ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if relu else []))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, D, H / stride, W / stride)."""
        checkpoint()
        return super().forward(x)

    def fuse(self) -> None:
        """Fold the norm into the convolution; for inference only."""
        convolution, norm = self[0], self[1]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        convolution.weight, convolution.bias = nn.utils.fuse_conv_bn_weights(
            convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps,
            norm.weight, norm.bias,
        )  # fmt: skip
        self[1] = nn.Identity()


class Residual(nn.Module):
    """Two 3x3 convolutions around an identity (He et al. 2016, basic block)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = ConvNorm(width, width)
        self.second = ConvNorm(width, width, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return F.relu(x + self.second(self.first(x)))


class FeatureEncoder(nn.Module):
    """Image -> coarse (stride 4) and fine (stride 2) features with their dense heads."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        widths = config.widths
        self.config = config
        self.stem = nn.Sequential(ConvNorm(12, widths[0]), ConvNorm(widths[0], widths[0]))
        self.down = nn.ModuleList(
            nn.Sequential(ConvNorm(a, b, stride=2), *(Residual(b) for _ in range(depth)))
            for (a, b), depth in zip(pairwise(widths), config.depths[1:], strict=True)
        )
        self.lateral = nn.ModuleList(ConvNorm(b, a, kernel=1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(
            Residual(width) if index else ConvNorm(width, width)
            for index, width in enumerate(widths[:-1])
        )
        heads = config.coarse_channels - widths[1]
        self.coarse_head = nn.Conv2d(widths[1], heads, 1)
        self.fine_head = nn.Conv2d(widths[0], 1, 1)
        with torch.no_grad():  # begin with objects of some 32 pixels
            size = config.coarse_slices["size"].start - widths[1]
            self.coarse_head.get_parameter("bias")[size] = 5.0

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Encode normalised images.

        Parameters
        ----------
        image : (B, 3, H, W), H and W multiples of 32

        Returns
        -------
        coarse : (B, config.coarse_channels, H / 4, W / 4)
            Features, unit instance and semantic embeddings, distance and foreground logits,
            log2 of the object's side in pixels, and, in the second generation, the logit of the
            nearness to the object's centre.
        fine : (B, config.fine_channels, H / 2, W / 2)
            Features, boundary logit, and the image itself, halved.
        """
        x = self.stem(F.pixel_unshuffle(image, 2))  # (B, w0, H/2, W/2)
        skips = [x]
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        levels = {}
        for index in reversed(range(len(self.up))):
            lifted = F.interpolate(self.lateral[index](x), scale_factor=2, mode="nearest")
            x = self.up[index](skips[index] + lifted)
            levels[index] = x
        return self._coarse(levels[1]), self._fine(levels[0], image)

    def _coarse(self, features: Tensor) -> Tensor:
        """Append the dense heads to features (B, w1, h, w): (B, config.coarse_channels, h, w)."""
        config = self.config
        heads = self.coarse_head(features)
        instance, semantic, rest = heads.split(
            [config.instance_dim, config.semantic_dim, 3 + config.centre], 1
        )
        return torch.cat(
            [features, F.normalize(instance.float(), dim=1).to(features.dtype),
             F.normalize(semantic.float(), dim=1).to(features.dtype), rest], 1
        )  # fmt: skip

    def _fine(self, features: Tensor, image: Tensor) -> Tensor:
        """Append boundary logit and halved image to features (B, w0, H / 2, W / 2)."""
        halved = F.avg_pool2d(image, 2).to(features.dtype)
        return torch.cat([features, self.fine_head(features), halved], 1)


class Decoder(nn.Module):
    """Window features and evidence -> mask logits on the fine grid, and a quality score."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        widths = config.decoder_widths
        self.enter = ConvNorm(config.widths[1] + config.evidence, widths[0], kernel=1)
        self.first = Residual(widths[0])
        self.down = nn.ModuleList(
            nn.Sequential(ConvNorm(a, b, stride=2), Residual(b)) for a, b in pairwise(widths)
        )
        self.lateral = nn.ModuleList(ConvNorm(b, a, kernel=1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(Residual(width) for width in widths[:-1])
        self.core_logits = nn.Conv2d(widths[0], 1, 1)
        self.lift = ConvNorm(widths[0], config.refine_width, kernel=1)
        last = nn.Conv2d(config.refine_width, 1, 1)
        nn.init.zeros_(last.weight)  # so that refinement sets in without a jolt
        self.refine = nn.Sequential(
            ConvNorm(config.refine_width + config.fine_channels + 3, config.refine_width),
            ConvNorm(config.refine_width, config.refine_width),
            last,
        )
        self.quality = nn.Sequential(
            nn.Linear(widths[0] + widths[-1] + 4, 64), nn.ReLU(inplace=True), nn.Linear(64, 1)
        )

    def forward(
        self, features: Tensor, evidence: Tensor, fine: Tensor, strokes: Tensor,
        refined: bool = True,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """Decode a batch of windows.

        Parameters
        ----------
        features : (B, w4, GRID, GRID)
            Coarse encoder features of the window.
        evidence : (B, config.evidence, GRID, GRID)
            See `evidence.gather`.
        fine : (B, config.fine_channels, FINE_GRID, FINE_GRID)
        strokes : (B, 3, FINE_GRID, FINE_GRID)
            Positive strokes, negative strokes, the previous turn's squashed logits.
        refined : bool
            Whether the border is worked out on the fine grid; training begins without.

        Returns
        -------
        logits : (B, FINE_GRID, FINE_GRID)
        core : (B, GRID, GRID)
            The logits before refinement, for an auxiliary loss.
        quality : (B,)
            Logit of the estimated intersection over union.
        """
        x = torch.cat([channels_last(features), channels_last(evidence.to(features.dtype))], 1)
        x = self.first(self.enter(x))
        skips = [x]
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        bottom = x.mean((2, 3))
        for index in reversed(range(len(self.up))):
            lifted = F.interpolate(self.lateral[index](x), scale_factor=2, mode="nearest")
            x = self.up[index](skips[index] + lifted)
        core = self.core_logits(x)
        logits = _doubled(core)
        if refined:
            plain = [channels_last(part.to(x.dtype)) for part in (fine, strokes)]
            logits = logits + self.refine(torch.cat([_doubled(self.lift(x)), *plain], 1))
        return logits[:, 0], core[:, 0], self._score(x, bottom, logits)

    def _score(self, features: Tensor, bottom: Tensor, logits: Tensor) -> Tensor:
        """Estimate the logit of the mask's intersection over union: (B,).

        Parameters
        ----------
        features : (B, C, GRID, GRID)
        bottom : (B, D)
            Mean of the coarsest features.
        logits : (B, 1, FINE_GRID, FINE_GRID)
        """
        probability = torch.sigmoid(logits.detach().float())  # (B, 1, 2G, 2G)
        pooled = F.avg_pool2d(probability, 2)
        total = pooled.sum((2, 3)) + 1e-3
        weight = pooled.flatten(1).to(features.dtype)
        inside = torch.einsum("bcn,bn->bc", features.flatten(2), weight).float() / total
        rim = torch.cat(
            [probability[..., 0, :], probability[..., -1, :],
             probability[..., :, 0], probability[..., :, -1]], -1
        )  # fmt: skip
        certainty = (2 * probability - 1).abs()
        facts = torch.cat(
            [
                probability.mean((2, 3)),
                (probability * certainty).sum((2, 3)) / (probability.sum((2, 3)) + 1e-3),
                certainty.mean((2, 3)),
                rim.mean(-1),
            ],
            1,
        )
        summary = torch.cat([inside, bottom.float(), facts], 1)
        return self.quality(summary.to(bottom.dtype))[:, 0]


class CompactNetwork(nn.Module):
    """Encoder, decoder and the word vectors, which share the encoder's semantic space."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = FeatureEncoder(config)
        self.decoder = Decoder(config)
        self.words = nn.Parameter(torch.randn(config.vocabulary, config.semantic_dim) * 0.1)
        self.word_bias = nn.Parameter(torch.full((config.vocabulary,), -2.0))
        self.temperature = nn.Parameter(torch.tensor([2.0, 2.3]))  # logs: instance, semantic


def _doubled(x: Tensor) -> Tensor:
    """Enlarge (B, C, H, W) bilinearly to (B, C, 2 H, 2 W)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def channels_last(x: Tensor) -> Tensor:
    """Lay (B, C, H, W) out in memory with channels last, where that is faster; see `layout`."""
    if x.stride(1) == 1 or x.requires_grad or x.device.type != "cpu":
        return x.contiguous(memory_format=layout(x.device))
    out = torch.empty_like(x, memory_format=torch.channels_last)
    for rows, planes in zip(out, x.contiguous(), strict=True):
        # torch transposes arrays of two axes in blocks, and others several times as slowly
        rows.permute(1, 2, 0).flatten(0, 1).copy_(planes.flatten(1).T)
    return out


def _consecutive(sizes: dict[str, int]) -> dict[str, slice]:
    slices, start = {}, 0
    for name, size in sizes.items():
        slices[name] = slice(start, start + size)
        start += size
    return slices


def compute_type(device: str) -> torch.dtype:
    """Return bfloat16 where the processor multiplies it faster than float32, else float32.

    A torch that is held to AVX2 (`ATEN_CPU_CAPABILITY=avx2`) computes in float32.
    """
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device != "cpu" or not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return torch.float32
    fast = any(
        getattr(torch.cpu, probe, bool)()
        for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return torch.bfloat16 if fast else torch.float32
