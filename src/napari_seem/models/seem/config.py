"""Sizes of SEEM: the two published ones and a tiny one for tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeemConfig:
    """Sizes of one SEEM network.

    Attributes
    ----------
    embed_dim, depths : int and tuple of int
        Channels of the first FocalNet stage (doubled at each of the others) and blocks per stage.
    focal_levels : int
        Context levels of the focal modulation, with depth-wise kernels 3, 5, 7, ...
    depthwise : bool
        Block variant "focal_dw" (T): two more depth-wise convolutions, norms after the residual.
    stem_padding : int
        Padding of the 7 x 7 stem: 3 in Focal-T, 2 in Focal-L, which shifts its features by a pixel.
    hidden, heads, feedforward : int
        Width C of pixel decoder, decoder and text encoder; their heads and hidden units.
    queries, memories : int
        Learned object queries and memory tokens.
    text_vocabulary, text_length, text_layers : int
        Sizes of the CLIP text encoder.
    """

    embed_dim: int
    depths: tuple[int, int, int, int]
    focal_levels: int
    depthwise: bool
    stem_padding: int
    hidden: int = 512
    heads: int = 8
    feedforward: int = 2048
    encoder_layers: int = 6
    decoder_layers: int = 9
    queries: int = 101
    memories: int = 32
    text_vocabulary: int = 49408
    text_length: int = 77
    text_layers: int = 12

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the four stages, at strides 4, 8, 16 and 32."""
        return tuple(self.embed_dim * 2**stage for stage in range(4))


FOCAL_T = SeemConfig(
    embed_dim=96, depths=(2, 2, 6, 2), focal_levels=3, depthwise=True, stem_padding=3
)
FOCAL_L = SeemConfig(
    embed_dim=192, depths=(2, 2, 18, 2), focal_levels=4, depthwise=False, stem_padding=2
)
TINY = SeemConfig(
    embed_dim=16,
    depths=(1, 1, 1, 1),
    focal_levels=2,
    depthwise=True,
    stem_padding=3,
    hidden=64,
    heads=4,
    feedforward=128,
    encoder_layers=1,
    decoder_layers=3,
    queries=21,
    memories=8,
    text_vocabulary=600,
    text_length=77,
    text_layers=2,
)
