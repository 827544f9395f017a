"""SEEM as one network: image to features, ids to sentences, and the decoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import SeemConfig
from .decoder import Features, QueryDecoder
from .focalnet import FocalNet
from .pixel_decoder import PixelDecoder
from .turns import Sentence

PIXEL_MEAN = (123.675, 116.280, 103.530)
PIXEL_STD = (58.395, 57.120, 57.375)
STRIDE = 32


class Seem(nn.Module):
    """All of SEEM's parameters, by the keys of the published checkpoints."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        self.backbone = FocalNet(config)
        self.sem_seg_head = Head(config)

    @property
    def pixel_decoder(self) -> PixelDecoder:
        """The pixel decoder."""
        return self.sem_seg_head.pixel_decoder

    @property
    def decoder(self) -> QueryDecoder:
        """The decoder ("predictor" in checkpoints)."""
        return self.sem_seg_head.predictor

    def encode(self, image: Tensor) -> Features:
        """Encode RGB (3, H, W) of 0..255, any size, padded to a multiple of 32."""
        scales, mask_features = self.pixel_decoder(self.backbone(normalise(image)))
        return self.decoder.features(scales, mask_features)

    def read(self, ids: Tensor) -> list[Sentence]:
        """Encode token ids (B, N); see `TextEncoder`."""
        tokens, sentences = self.decoder.lang_encoder(ids)
        ends = ids.argmax(dim=1) + 1
        return [Sentence(tokens[i, : ends[i]], sentences[i]) for i in range(len(ids))]


class Head(nn.Module):
    """Pixel decoder and decoder."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        self.pixel_decoder = PixelDecoder(config)
        self.predictor = QueryDecoder(config)


def normalise(image: Tensor) -> Tensor:
    """Normalise RGB (3, H, W) of 0..255 and pad it to multiples of 32: (1, 3, H', W')."""
    mean = torch.tensor(PIXEL_MEAN, device=image.device)[:, None, None]
    std = torch.tensor(PIXEL_STD, device=image.device)[:, None, None]
    return pad((image - mean) / std)[None]


def pad(x: Tensor) -> Tensor:
    """Zero-pad (..., H, W) at bottom and right to multiples of 32."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE))
