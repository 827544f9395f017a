"""Sizes of SegGPT: the published ViT-L and a small one for tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SegGptConfig:
    """Sizes of one SegGPT network.

    Attributes
    ----------
    hidden, layers, heads, feedforward : int
        Width, depth, attention heads and hidden units of the vision transformer.
    side, patch : int
        Pixels along an image, and along a patch; the canvas is two images high.
    pretrained_side : int
        Pixels along the image that the position table was learned for.
    decoder_width : int
        Channels of the painting head.
    merged_after : int
        Layer after which image and mask tokens become one set.
    taps : tuple of int
        Layers whose outputs the head sees.
    """

    hidden: int
    layers: int
    heads: int
    feedforward: int
    side: int
    decoder_width: int
    pretrained_side: int = 224
    patch: int = 16
    merged_after: int = 2
    taps: tuple[int, ...] = (5, 11, 17, 23)

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along the canvas: rows, columns."""
        return 2 * self.side // self.patch, self.side // self.patch


VIT_L = SegGptConfig(hidden=1024, layers=24, heads=16, feedforward=4096, side=448, decoder_width=64)
SMALL = SegGptConfig(
    hidden=64, layers=24, heads=4, feedforward=256, side=64, decoder_width=16, pretrained_side=64
)
