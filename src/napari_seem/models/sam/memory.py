"""The memory of SAM 2.1: objects of labelled planes are found again on others.

After Ravi et al., SAM 2: Segment Anything in Images and Videos, ICLR 2025. Planes may be tracked in
any order, as nothing is kept but what the caller hands back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ..base import BoolArray, Embedding, check_embedding
from ..memory import NEIGHBOURS, POINTERS, ObjectMemory, Recalled, Tracked
from ..running.patience import checkpoint
from . import sizes
from .square import Square

if TYPE_CHECKING:
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoModel

    from .network import SamNetwork

GONE = -1024.0
"""Logit of all pixels of an object that is not on a plane."""
LONGEST_WAVE = 10_000.0
"""Of the sines and cosines that stand for a distance in planes."""
IMAGES_ONLY = (
    ": its weights were saved for single images, without the memory; load the whole state dict"
)


class Remembering:
    """Carries objects by the memory of SAM 2.1; see `MemoryModel`."""

    network: SamNetwork
    identity: str
    device: str
    keeps_aspect: bool

    @property
    def has_memory(self) -> bool:
        """Whether the weights hold a memory: those of SAM and of images only do not."""
        return hasattr(self.network, "memory_attention")

    @property
    def why_no_memory(self) -> str:
        """What a message adds about weights that lack the memory that their family has."""
        return "" if self.has_memory or self.keeps_aspect else IMAGES_ONLY

    @torch.inference_mode()
    def remember(self, embedding: Embedding, mask: BoolArray) -> ObjectMemory:
        """Remember an object by its mask (H, W), which is the answer of its plane.

        Raises
        ------
        InvalidPrompt
            The embedding is of another model.
        """
        plane = _Plane(self._network, check_embedding(self.identity, embedding))
        cells = torch.tensor(mask, dtype=torch.float32, device=self.device)[None, None]
        cells = F.interpolate(cells, (sizes.SIDE, sizes.SIDE), mode="bilinear", antialias=True)
        # at least a cell of what is smaller than one
        inside = (cells >= cells.amax().clamp(1e-6, 0.5)).float()
        decoded = plane.decode(plane.features, self._network.mask_downsample(inside))
        pointer = plane.pointer(decoded[2][0], bool(decoded[3]))
        return ObjectMemory(plane.encode(inside, there=True), pointer)

    @torch.inference_mode()
    def track(self, embedding: Embedding, recalled: Sequence[Recalled], planes: int) -> Tracked:
        """Look for an object on a plane of a stack of as many planes; see `MemoryModel`.

        Raises
        ------
        InvalidPrompt
            The embedding is of another model.
        """
        checkpoint()
        plane = _Plane(self._network, check_embedding(self.identity, embedding))
        features = plane.conditioned(recalled, planes)
        masks, scores, tokens, presence = plane.decode(features, None)
        best, there = int(scores.argmax()), bool(presence > 0)
        logits = masks[best] if there else torch.full_like(masks[best], GONE)
        wide = F.interpolate(logits[None, None], (sizes.SIDE, sizes.SIDE), mode="bilinear")
        memory = ObjectMemory(
            plane.encode(wide.sigmoid(), there), plane.pointer(tokens[best], there)
        )
        score = float(scores[best].clamp(0, 1) * presence.sigmoid()) if there else 0.0
        square = Square(embedding.shape, keeps_aspect=False)
        return Tracked(square.logits(logits[None])[0], score, memory)

    @property
    def _network(self) -> Sam2VideoModel:
        return cast("Sam2VideoModel", self.network)


class _Plane:
    """An encoded plane before the network.

    Parameters
    ----------
    network : transformers.Sam2VideoModel
    embedding : Embedding

    Attributes
    ----------
    features : float32 tensor (1, 256, h, w)
        Of the coarsest level, without what stands for no memory.
    """

    def __init__(self, network: Sam2VideoModel, embedding: Embedding) -> None:
        self._network = network
        absent = network.no_memory_embedding
        maps = [embedding.tensors[key].to(absent.device) for key in sorted(embedding.tensors)]
        *self._finer, coarse = [m.float() for m in maps]
        self.features = coarse - absent.view(1, -1, 1, 1)

    def decode(self, features: Tensor, prompt: Tensor | None) -> tuple[Tensor, ...]:
        """Decode masks from features (1, 256, h, w), and from a mask (1, 1, grid, grid) if any.

        Returns
        -------
        masks : float32 (M, grid, grid)
            Logits: of three answers, or of one to a mask.
        scores, tokens : float32 (M,), (M, 256)
        presence : float32 ()
            Logit of the object being there at all.
        """
        network = self._network
        sparse, dense = network.prompt_encoder(
            input_points=features.new_zeros(1, 1, 1, 2),
            input_labels=torch.full((1, 1, 1), -1, device=features.device),
            input_boxes=None, input_masks=prompt,
        )  # fmt: skip
        masks, scores, tokens, presence = network.mask_decoder(
            image_embeddings=features,
            image_positional_embeddings=network.get_image_wide_positional_embeddings(),
            sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
            multimask_output=prompt is None, high_resolution_features=self._finer,
        )  # fmt: skip
        return masks[0, 0], scores[0, 0], tokens[0, 0], presence[0, 0, 0]

    def pointer(self, token: Tensor, there: bool) -> Tensor:
        """Return the pointer (1, 256) of an object, given the token (256,) of its mask."""
        network = self._network
        found = network.object_pointer_proj(token[None]) if there else network.no_object_pointer
        return found.cpu()

    def encode(self, mask: Tensor, there: bool) -> Tensor:
        """Remember the plane with a mask (1, 1, side, side) of shares 0..1: bfloat16 (S, 1, C)."""
        network = self._network
        settings = network.config
        scaled = mask * settings.sigmoid_scale_for_mem_enc + settings.sigmoid_bias_for_mem_enc
        maps, _ = network.memory_encoder(self.features, scaled)
        if not there:
            absent = network.occlusion_spatial_embedding_parameter
            assert absent is not None  # every SAM 2.1 with a memory has it
            maps = maps + absent[..., None, None]
        return _in_a_row(maps).to(torch.bfloat16).cpu()

    def conditioned(self, recalled: Sequence[Recalled], planes: int) -> Tensor:
        """Return the plane's features (1, 256, h, w) in the light of memories."""
        network, features = self._network, self.features
        memories, places = self._maps(recalled)
        last = min(planes, POINTERS) - 1
        pointers = [one for one in recalled if one.behind > 0 and (one.given or one.behind <= last)]
        if pointers:
            tokens, times = self._pointers(pointers, max(last, 1))
            memories.append(tokens)
            places.append(times)
        own = network.vision_encoder.neck.position_encoding(
            features.shape, features.device, features.dtype
        )
        found = network.memory_attention(
            _in_a_row(features), torch.cat(memories), _in_a_row(own), torch.cat(places),
            len(memories[-1]) if pointers else 0,
        )  # fmt: skip
        return found.reshape(1, *features.shape[2:], -1).permute(0, 3, 1, 2)

    def _maps(self, recalled: Sequence[Recalled]) -> tuple[list[Tensor], list[Tensor]]:
        """Return remembered maps (S, 1, C), and where and when they are, (S, 1, C) each."""
        network, features = self._network, self.features
        rows, columns = features.shape[2:]
        where = _in_a_row(
            network.memory_encoder.position_encoding(
                torch.Size((1, network.mem_dim, rows, columns)), features.device, features.dtype
            )
        )
        memories, places = [], []
        for one in recalled:
            # the last of the encodings stands for what a person labelled, however far away
            when = -1 if one.given else one.behind - 1
            if one.memory.maps is not None and when < NEIGHBOURS:
                memories.append(one.memory.maps.to(features.device).float())
                places.append(where + network.memory_temporal_positional_encoding[when])
        return memories, places

    def _pointers(self, recalled: Sequence[Recalled], last: int) -> tuple[Tensor, Tensor]:
        """Return pointers as tokens of the memory's width, and what stands for their times.

        Both are (P, 1, C); a pointer of 256 channels is split into several tokens.
        """
        network, device = self._network, self.features.device
        pointers = torch.cat([one.memory.pointer for one in recalled]).to(device)  # (N, 256)
        behind = torch.tensor([one.behind / last for one in recalled], device=device)
        width = pointers.shape[1]
        channels = torch.arange(width // 2, device=device)
        waves = LONGEST_WAVE ** (2 * (channels // 2) / (width // 2))
        angles = behind[:, None] / waves
        times = network.temporal_positional_encoding_projection_layer(
            torch.cat([angles.sin(), angles.cos()], -1)
        )
        parts = width // times.shape[1]
        return pointers.reshape(-1, 1, times.shape[1]), times.repeat_interleave(parts, 0)[:, None]


def _in_a_row(maps: Tensor) -> Tensor:
    """Return maps (1, C, H, W) as (H * W, 1, C)."""
    return maps.flatten(2).permute(2, 0, 1)
