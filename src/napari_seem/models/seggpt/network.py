"""SegGPT's network: a plain vision transformer that paints the lower half of a canvas.

The canvas holds an example image above the target image; beside it lies a second one with the
example's painted mask above an unknown half. Attribute names are the keys of the published
safetensors file.

Tokens of N examples are (N A + A, C): the A of each example, then those of the target. As the
target's are averaged over the examples in every layer, they are the same beside each, and are
computed once. The painted canvas does not see the target until both are merged, so that its tokens
hold for any target.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..running.patience import checkpoint
from .config import SegGptConfig

EPSILON = 1e-6
STRIP = 4
"""Rows of patches painted at a time: few enough to stay in a processor's cache."""
CACHED = 128
"""Tokens that a perceptron activates at a time, in the memory they are in."""
TOGETHER = 2
"""Heads that attend at a time."""


class Embeddings(nn.Module):
    """Patches of both canvases as tokens."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.grid = config.grid
        width = config.hidden
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.segment_token_input = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.segment_token_prompt = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.type_token_semantic = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.type_token_instance = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.patch_embeddings = _Patches(config)
        positions = (config.pretrained_side // config.patch) ** 2 + 1
        self.position_embeddings = nn.Parameter(torch.zeros(1, positions, width))

    def positions(self) -> Tensor:
        """Resize the position table to the canvas: (1, rows, columns, C)."""
        table = self.position_embeddings[:, 1:]  # without that of the class token
        side = round(table.shape[1] ** 0.5)
        square = table.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        if (side, side) != self.grid:
            square = F.interpolate(square, self.grid, mode="bicubic", align_corners=False)
        return square.permute(0, 2, 3, 1)

    def pictures(self, images: Tensor, target: Tensor, kind: str) -> Tensor:
        """Embed the examples' images (N, 3, S, S) above the target (1, 3, S, S)."""
        patches = self.patch_embeddings(torch.cat([images, target]))
        return self._placed(patches + self.segment_token_input, kind)

    def paintings(self, paintings: Tensor, kind: str) -> Tensor:
        """Embed the examples' painted masks (N, 3, S, S) above the unknown."""
        known = self.patch_embeddings(paintings)
        unknown = self.mask_token.expand_as(known[:1])
        return self._placed(torch.cat([known, unknown]) + self.segment_token_prompt, kind)

    def _placed(self, halves: Tensor, kind: str) -> Tensor:
        """Add place and kind to the halves (N + 1, rows / 2, columns, C): (N A + A, C)."""
        above, below = (
            self.positions()
            + (self.type_token_semantic if kind == "semantic" else self.type_token_instance)
        ).chunk(2, dim=1)
        return torch.cat([halves[:-1] + above, halves[-1:] + below]).flatten(0, 2)


class _Patches(nn.Module):
    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.projection = nn.Conv2d(3, config.hidden, config.patch, config.patch)

    def forward(self, images: Tensor) -> Tensor:
        """Embed patches: (N, 3, H, W) -> (N, H / patch, W / patch, C)."""
        patches: Tensor = self.projection(images)
        return patches.permute(0, 2, 3, 1)


class RelativeAttention(nn.Module):
    """Global attention with relative positions along rows and columns (Li et al. 2022, MViTv2)."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.heads, self.grid = config.heads, config.grid
        width = config.hidden // config.heads
        rows, columns = config.grid
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden)
        self.proj = nn.Linear(config.hidden, config.hidden)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * rows - 1, width))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * columns - 1, width))

    def forward(self, x: Tensor, wanted: int) -> Tensor:
        """Attend from the last `wanted` tokens of each example, and from the target, to all.

        Maps (N A + A, C) to (N wanted + A, C).
        """
        half = self.grid[0] * self.grid[1] // 2
        query, key, value = self._project(x, wanted, half)
        tables = _relative(self.rel_pos_h, self.grid[0]), _relative(self.rel_pos_w, self.grid[1])
        tables = tables[0][-(wanted + half) // self.grid[1] :], tables[1]
        examples, targets = [], []
        for number in range(len(x) // half - 1):
            seen = self._attend(
                _beside_target(query, number, wanted, half),
                _beside_target(key, number, half, half),
                _beside_target(value, number, half, half),
                tables,
            )
            example, target = seen.split((wanted, half), dim=1)
            examples.append(example)
            targets.append(target)
        below = targets[0] if len(targets) == 1 else torch.stack(targets).mean(0)
        out: Tensor = self.proj(torch.cat([*examples, below], 1).transpose(0, 1).flatten(1))
        return out

    def _project(self, x: Tensor, wanted: int, half: int) -> tuple[Tensor, Tensor, Tensor]:
        """Project tokens to queries, keys and values: (heads, tokens, width) each."""
        if wanted == half:
            parts: tuple[Tensor, ...] = self.qkv(x).chunk(3, -1)
        else:
            sizes = (self.proj.in_features, 2 * self.proj.in_features)
            (query, others), biases = self.qkv.weight.split(sizes), self.qkv.bias.split(sizes)
            both = F.linear(x, others, biases[1])
            parts = F.linear(last_tokens(x, wanted, half), query, biases[0]), *both.chunk(2, -1)
        query, key, value = (p.unflatten(1, (self.heads, -1)).transpose(0, 1) for p in parts)
        return query, key, value

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, tables: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Attend from (heads, Q, width) to (heads, rows * columns, width): (heads, Q, width).

        Two heads at a time, in memory that is used again: the bias of all takes 157 MB.
        """
        vertical, horizontal = tables
        grid = query.unflatten(1, (-1, self.grid[1]))
        down = torch.einsum("hrcd,rkd->hrck", grid, vertical).contiguous()[..., None]
        across = torch.einsum("hrcd,ckd->hrck", grid, horizontal).contiguous()[..., None, :]
        shape = (TOGETHER, *grid.shape[1:3], *self.grid)
        memory = None if torch.is_grad_enabled() else query.new_empty(shape)
        out = []
        for first in range(0, self.heads, TOGETHER):
            some = slice(first, first + TOGETHER)
            bias = torch.add(down[some], across[some], out=memory).flatten(3).flatten(1, 2)
            q, k, v = query[None, some], key[None, some], value[None, some]
            out.append(F.scaled_dot_product_attention(q, k, v, bias[None])[0])
        return torch.cat(out)


def _beside_target(x: Tensor, number: int, wanted: int, half: int) -> Tensor:
    """Select (heads, wanted + half, width): one example's tokens and the target's."""
    if x.shape[1] == wanted + half:
        return x
    return torch.cat([x[:, number * wanted : (number + 1) * wanted], x[:, -half:]], 1)


def last_tokens(x: Tensor, wanted: int, half: int) -> Tensor:
    """Select the last `wanted` tokens of each example and those of the target.

    Maps (N half + half, C) to (N wanted + half, C).
    """
    if wanted == half:
        return x
    halves = x.unflatten(0, (-1, half))
    return torch.cat([halves[:-1, half - wanted :].flatten(0, 1), halves[-1]])


def _relative(table: Tensor, size: int) -> Tensor:
    """Look up the table for every pair of positions: (2 size - 1, D) -> (size, size, D)."""
    at = torch.arange(size, device=table.device)
    return table[at[:, None] - at[None, :] + size - 1]


class _Mlp(nn.Module):
    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.lin1 = nn.Linear(config.hidden, config.feedforward)
        self.lin2 = nn.Linear(config.feedforward, config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C)."""
        hidden: Tensor = self.lin1(x)
        if torch.is_grad_enabled():
            hidden = F.gelu(hidden)
        else:
            for part in hidden.split(CACHED):
                part.copy_(F.gelu(part))
        out: Tensor = self.lin2(hidden)
        return out


class Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.attention = RelativeAttention(config)
        self.mlp = _Mlp(config)
        self.layernorm_before = nn.LayerNorm(config.hidden, eps=EPSILON)
        self.layernorm_after = nn.LayerNorm(config.hidden, eps=EPSILON)

    def forward(self, x: Tensor, wanted: int) -> Tensor:
        """Map tokens (T, C) to the last `wanted` of each example and the target's.

        See `last_tokens`.

        The target's are averaged over the examples between attention and the residual: the feature
        ensemble of the paper, section 3.3. Image and mask tokens are averaged apart for as long as
        they are apart, also in the layer before their merger (the `transformers` library mixes them
        there).
        """
        half = self.attention.grid[0] * self.attention.grid[1] // 2
        attended = self.attention(self.layernorm_before(x), wanted)
        x = last_tokens(x, wanted, half) + attended
        out: Tensor = x + self.mlp(self.layernorm_after(x))
        return out


class TokenEncoder(nn.Module):
    """The transformer."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.layernorm = nn.LayerNorm(config.hidden, eps=EPSILON)

    def apart(self, tokens: Tensor) -> Tensor:
        """Run the tokens (N A + A, C) of one kind of canvas to the merger: (N A + A, C)."""
        for layer in self.layers[: self.config.merged_after + 1]:
            checkpoint()
            tokens = layer(tokens, self.config.grid[0] * self.config.grid[1] // 2)
        return tokens

    def forward(self, tokens: Tensor) -> Tensor:
        """Run merged tokens (N A + A, C) through the other layers.

        Returns
        -------
        (rows / 2 + 1, columns, taps * C)
            The tapped layers side by side, of the target and the row of patches above it; the last
            layer computes no others.
        """
        rows, columns = self.config.grid
        half, last, tapped = rows * columns // 2, len(self.layers) - 1, []
        for number in range(self.config.merged_after + 1, last + 1):
            checkpoint()
            tokens = self.layers[number](tokens, columns if number == last else half)
            if number in self.config.taps:
                each = columns if number == last else half
                seen = torch.cat([tokens[each - columns : each], tokens[-half:]])
                tapped.append(self.layernorm(seen))
        return torch.cat(tapped, -1).unflatten(0, (-1, columns))


class Backbone(nn.Module):
    """Embeddings and transformer; one module only because the published keys say so."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = TokenEncoder(config)


class PaintDecoder(nn.Module):
    """Tokens -> painted pixels."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.patch, self.width = config.patch, config.decoder_width
        self.decoder_embed = nn.Linear(
            config.hidden * len(config.taps), config.patch**2 * config.decoder_width
        )
        self.decoder_pred = _Head(config)

    def forward(self, features: Tensor) -> Tensor:
        """Paint the pixels of all rows but the first: (rows + 1, columns, taps C) -> (3, H, W).

        The head looks one pixel beyond: of the first row of patches, the last pixels are computed.
        """
        rows, columns = features.shape[0] - 1, features.shape[1]
        height, width = rows * self.patch, columns * self.patch
        pixels = features.new_zeros(height + 2, width, self.width)
        cells = pixels[1:-1].view(rows, self.patch, columns, -1)  # rows of pixels of the patches
        parts = (
            self.decoder_embed.weight.chunk(self.patch),
            self.decoder_embed.bias.chunk(self.patch),
        )
        for row, (weight, bias) in enumerate(zip(*parts, strict=True)):
            cells[:, row] = F.linear(features[1:], weight, bias)
        weight, bias = parts[0][-1], parts[1][-1]  # of the last pixels of a patch
        pixels[0] = F.linear(features[0], weight, bias).view(width, self.width)
        strip = STRIP * self.patch
        heads = [
            self.decoder_pred(pixels[top : top + strip + 2]) for top in range(0, height, strip)
        ]
        return torch.cat(heads).permute(2, 0, 1)


class _Head(nn.Module):
    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.conv = nn.Conv2d(config.decoder_width, config.decoder_width, 3, padding=1)
        self.layernorm = nn.LayerNorm(config.decoder_width, eps=EPSILON)
        self.head = nn.Conv2d(config.decoder_width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (H + 2, W, width) to colours (H, W, 3)."""
        above = x.permute(2, 0, 1)[None]
        seen = F.conv2d(above, self.conv.weight, self.conv.bias, padding=(0, 1))
        normal = self.layernorm(seen[0].permute(1, 2, 0))
        return F.linear(F.gelu(normal), self.head.weight.flatten(1), self.head.bias)


class SegGpt(nn.Module):
    """SegGPT of given sizes."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)
        self.decoder = PaintDecoder(config)

    def look(self, images: Tensor, target: Tensor, kind: str) -> Tensor:
        """Encode the examples' images (N, 3, S, S) with the target (1, 3, S, S), to the merger."""
        return self.model.encoder.apart(self.model.embeddings.pictures(images, target, kind))

    def read(self, paintings: Tensor, kind: str) -> Tensor:
        """Encode the examples' painted masks (N, 3, S, S), to the merger; for any target."""
        return self.model.encoder.apart(self.model.embeddings.paintings(paintings, kind))

    def paint(self, pictures: Tensor, paintings: Tensor) -> Tensor:
        """Paint by what `look` and `read` have returned: (3, S, S)."""
        features = self.model.encoder((pictures + paintings) / 2)
        painted: Tensor = self.decoder(features)
        return painted

    def forward(self, images: Tensor, paintings: Tensor, target: Tensor, kind: str) -> Tensor:
        """Paint the target as the examples are painted.

        Parameters
        ----------
        images, paintings : (N, 3, S, S)
            Examples and their painted masks, both normalised.
        target : (1, 3, S, S)
        kind : str
            Type token: 'instance' or 'semantic'.

        Returns
        -------
        (3, S, S)
            The painted target, normalised. Its first pixels see the end of the first example, as in
            the authors' code, which returns the first of N canvases.
        """
        return self.paint(self.look(images, target, kind), self.read(paintings, kind))
