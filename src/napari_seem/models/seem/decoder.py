"""SEEM's decoder: groups of rows that attend to the image and to each other, in nine layers.

All tensors are of one image and have no batch axis: N rows (queries, memories, tokens) are (N, C),
the P positions of a map (P, C). Each group names the groups that it attends to (`turns.py` holds
SEEM's rule sets), so that groups that nothing attends to can be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Attention, drawn, sine_positions, table
from .config import SeemConfig
from .strokes import Strokes, sample
from .text_encoder import TextEncoder, unit

Size = tuple[int, int]
PerScale = tuple[Tensor, ...]
SCALES = 3


@dataclass(frozen=True, eq=False)
class Features:
    """All features that depend only on the image.

    Attributes
    ----------
    mask_features : Tensor (P, C)
        At stride 4.
    sources : three Tensors (P_s, C)
        Values of cross-attention at strides 32, 16 and 8.
    places : three Tensors (P_s, C)
        Keys of cross-attention: the values with positions added.
    coarse : three Tensors (P_s, C)
        The mask features resized; their products with mask embeddings are the resized masks.
    sizes : four (int, int)
        Height and width of the three scales and of the mask features.
    """

    mask_features: Tensor
    sources: PerScale
    places: PerScale
    coarse: PerScale
    sizes: tuple[Size, ...]


@dataclass(frozen=True, eq=False)
class Rows:
    """A group of rows that is carried from layer to layer.

    Attributes
    ----------
    x, position : Tensor (N, C)
        Contents at the start, and what is added to them as queries and keys.
    attends_to : tuple of str
        Names of the groups it attends to in self-attention.
    sees_image : bool
        Whether it attends to the image.
    inside : three bool Tensors (P_s,), or None
        Where it attends to the image, at each scale; by default inside its own current masks.
    """

    x: Tensor
    position: Tensor
    attends_to: tuple[str, ...]
    sees_image: bool = True
    inside: PerScale | None = None


class QueryDecoder(nn.Module):
    """Queries, prompts and memories to masks and classes. Attribute names are checkpoint keys."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        hidden, layers = config.hidden, range(config.decoder_layers)
        self.transformer_cross_attention_layers = nn.ModuleList(
            AttentionLayer(config, "multihead_attn") for _ in layers
        )
        self.transformer_self_attention_layers = nn.ModuleList(
            AttentionLayer(config, "self_attn") for _ in layers
        )
        self.transformer_ffn_layers = nn.ModuleList(FeedForward(config) for _ in layers)
        self.decoder_norm = nn.LayerNorm(hidden)
        self.class_embed = drawn(hidden, hidden, deviation=0.02)
        self.mask_embed = Perceptron(hidden)
        self.query_feat = table(config.queries, hidden)
        self.query_embed = table(config.queries, hidden)
        self.level_embed = table(SCALES, hidden)
        self.mask_sptial_embed = nn.ParameterList(
            drawn(hidden, hidden, deviation=0.02) for _ in range(SCALES)
        )
        self.pn_indicator = table(2, hidden)
        self.spatial_featured = table(config.memories, hidden)
        self.spatial_embed = table(config.memories, hidden)
        self.lang_encoder = TextEncoder(config)

    def features(self, scales: list[Tensor], mask_features: Tensor) -> Features:
        """Lay out the pixel decoder's maps, (1, C, H, W) each, for the decoder."""
        sources, places, coarse = [], [], []
        for level, scale in enumerate(scales):
            height, width = scale.shape[2:]
            source = _rows(scale) + self.level_embed.weight[level]
            position = sine_positions(height, width, source.shape[1], source.device)
            resized = F.interpolate(mask_features, size=(height, width), mode="bilinear")
            sources.append(source)
            places.append(source + position.flatten(0, 1))
            coarse.append(_rows(resized))
        return Features(
            _rows(mask_features),
            tuple(sources),
            tuple(places),
            tuple(coarse),
            tuple((x.shape[2], x.shape[3]) for x in (*scales, mask_features)),
        )

    def run(
        self, features: Features, rows: Mapping[str, Rows], tokens: Mapping[str, PerScale]
    ) -> dict[str, Tensor]:
        """Carry the groups through all layers.

        Parameters
        ----------
        features : Features
        rows : mapping of str to Rows
        tokens : mapping of str to three Tensors (N, C)
            Groups that are attended to only, and set anew from the layer's scale in every layer: a
            layer's output for them is never used, so that it is not computed.

        Returns
        -------
        dict of str to Tensor (N, C)
            The rows after the last layer.
        """
        x = {name: group.x for name, group in rows.items()}
        for index, feed_forward in enumerate(self.transformer_ffn_layers):
            scale = index % SCALES
            cross_attention = self.transformer_cross_attention_layers[index]
            for name, group in rows.items():
                if group.sees_image:
                    x[name] = self._cross_attend(cross_attention, x[name], group, features, scale)
            values = x | {name: per_scale[scale] for name, per_scale in tokens.items()}
            keys = {name: x[name] + group.position for name, group in rows.items()}
            keys |= {name: 2 * values[name] for name in tokens}  # their position is a copy
            attend = self.transformer_self_attention_layers[index]
            x = {
                name: feed_forward(
                    attend(x[name], keys[name], *_pool(keys, values, group.attends_to))
                )
                for name, group in rows.items()
            }
        return x

    def _cross_attend(
        self, layer: nn.Module, x: Tensor, group: Rows, features: Features, scale: int
    ) -> Tensor:
        """Attend from rows `x` (N, C) to one scale of the image, inside their masks: (N, C)."""
        keys, values = features.places[scale], features.sources[scale]
        if group.inside is not None:
            inside = group.inside[scale].nonzero().squeeze(1)
            if 0 < len(inside) < len(keys):
                keys, values = keys[inside], values[inside]
            return layer(x, x + group.position, keys, values)
        mask = self.mask_embedding(x) @ features.coarse[scale].mT >= 0  # (N, P_s)
        mask |= ~mask.any(dim=1, keepdim=True)
        return layer(x, x + group.position, keys, values, mask)

    def class_embedding(self, x: Tensor) -> Tensor:
        """Project rows (N, C) to embeddings (N, C) that are compared with those of names."""
        return self.decoder_norm(x) @ self.class_embed

    def mask_embedding(self, x: Tensor) -> Tensor:
        """Project rows (N, C) to (N, C); products with mask features are mask logits."""
        return self.mask_embed(self.decoder_norm(x))

    def class_logits(self, x: Tensor, vocabulary: Tensor) -> Tensor:
        """Compare rows (N, C) with the unit embeddings (K, C) of names: (N, K)."""
        return self.lang_encoder.logit_scale.exp() * unit(self.class_embedding(x)) @ vocabulary.mT

    def strokes(
        self, features: Features, positive: Tensor | None, negative: Tensor | None
    ) -> Strokes:
        """Sample features under visual prompts; see `Strokes`.

        `positive` and `negative` are points (N, 2), as fractions of height and width, or None.
        """
        given = [points for points in (positive, negative) if points is not None]
        signs = [i for i, points in enumerate((positive, negative)) if points is not None]
        tokens = []
        for scale in range(SCALES):
            source, size = features.sources[scale], features.sizes[scale]
            parts = [
                sample(source, size, points) @ self.mask_sptial_embed[scale]
                + self.pn_indicator.weight[sign]
                for sign, points in zip(signs, given, strict=True)
            ]
            tokens.append(torch.cat(parts))
        embedding = None
        if positive is not None:
            embedding = sample(features.mask_features, features.sizes[SCALES], positive).mean(0)
        return Strokes(embedding, tuple(tokens))


class AttentionLayer(nn.Module):
    """Attention, added and then normalised; `name` is its key in checkpoints."""

    def __init__(self, config: SeemConfig, name: str) -> None:
        super().__init__()
        self.name = name
        self.add_module(name, Attention(config.hidden, config.heads))
        self.norm = nn.LayerNorm(config.hidden)

    def forward(
        self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Update (N, C) by attending to (K, C) where `mask` (N, K) is True: (N, C)."""
        return self.norm(x + self.get_submodule(self.name)(query, key, value, mask))


class FeedForward(nn.Module):
    """Two linear layers, added and then normalised."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        self.linear1 = nn.Linear(config.hidden, config.feedforward)
        self.linear2 = nn.Linear(config.feedforward, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C) to (N, C)."""
        return self.norm(x + self.linear2(F.relu(self.linear1(x))))


class Perceptron(nn.Module):
    """Three linear layers with ReLU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C) to (N, C)."""
        first, second, third = self.layers
        return third(F.relu(second(F.relu(first(x)))))


def _rows(x: Tensor) -> Tensor:
    """Flatten a map (1, C, H, W) to positions (H * W, C)."""
    return x[0].permute(1, 2, 0).flatten(0, 1).contiguous()  # (1, C, H, W) -> (H*W, C)


def _pool(
    keys: Mapping[str, Tensor], values: Mapping[str, Tensor], names: tuple[str, ...]
) -> tuple[Tensor, Tensor]:
    """Concatenate keys and values, (N, C) each, of the named groups: (K, C) each."""
    return torch.cat([keys[name] for name in names]), torch.cat([values[name] for name in names])
