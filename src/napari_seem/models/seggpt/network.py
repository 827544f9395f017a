"""SegGPT's network: a plain vision transformer that paints the lower half of a canvas.

The canvas holds an example image above the target image; beside it lies a second one with the
example's painted mask above an unknown half. Attribute names are the keys of the published
safetensors file. Token maps are (examples, rows, columns, channels).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..patience import checkpoint
from .config import SegGptConfig

EPSILON = 1e-6


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

    def forward(self, pictures: Tensor, paintings: Tensor, kind: str) -> Tensor:
        """Return tokens of the pictures and, after them, of the paintings.

        Parameters
        ----------
        pictures : (N, 3, 2 S, S)
            Example above target.
        paintings : (N, 3, S, S)
            The examples' painted masks; the half below is unknown.
        kind : str
            'instance' or 'semantic'.

        Returns
        -------
        (2 N, rows, columns, C)
        """
        shared = self.positions() + (
            self.type_token_semantic if kind == "semantic" else self.type_token_instance
        )
        seen = self.patch_embeddings(pictures) + self.segment_token_input
        known = self.patch_embeddings(paintings)
        unknown = self.mask_token.expand_as(known)
        painted = torch.cat([known, unknown], 1) + self.segment_token_prompt
        return torch.cat([seen + shared, painted + shared])


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
        self.heads = config.heads
        width = config.hidden // config.heads
        rows, columns = config.grid
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden)
        self.proj = nn.Linear(config.hidden, config.hidden)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * rows - 1, width))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * columns - 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, rows, columns, C) to (N, rows, columns, C)."""
        count, rows, columns, channels = x.shape
        qkv = self.qkv(x).view(count, rows * columns, 3, self.heads, -1).permute(0, 2, 3, 1, 4)
        tables = _relative(self.rel_pos_h, rows), _relative(self.rel_pos_w, columns)
        # one by one: the bias of a single example of the published size takes 157 MB
        seen = torch.stack([self._attend(each, tables) for each in qkv])
        out: Tensor = self.proj(seen.transpose(1, 2).reshape(count, rows, columns, channels))
        return out

    def _attend(self, qkv: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
        """Attend: (3, heads, rows * columns, width) -> (heads, rows * columns, width)."""
        query, key, value = qkv.unbind(0)
        vertical, horizontal = tables
        grid = query.unflatten(1, (len(vertical), len(horizontal)))
        along_rows = torch.einsum("hrcd,rkd->hrck", grid, vertical)
        along_columns = torch.einsum("hrcd,ckd->hrck", grid, horizontal)
        bias = along_rows[..., :, None] + along_columns[..., None, :]
        bias = bias.reshape(self.heads, query.shape[1], query.shape[1])
        return F.scaled_dot_product_attention(query[None], key[None], value[None], bias[None])[0]


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
        out: Tensor = self.lin2(F.gelu(self.lin1(x)))
        return out


class Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.attention = RelativeAttention(config)
        self.mlp = _Mlp(config)
        self.layernorm_before = nn.LayerNorm(config.hidden, eps=EPSILON)
        self.layernorm_after = nn.LayerNorm(config.hidden, eps=EPSILON)

    def forward(self, x: Tensor, sets: int) -> Tensor:
        """Map (sets * N, rows, columns, C) to itself; `sets` is 2 before the merger, 1 after."""
        x = x + share_target(self.attention(self.layernorm_before(x)), sets)
        out: Tensor = x + self.mlp(self.layernorm_after(x))
        return out


def share_target(x: Tensor, sets: int) -> Tensor:
    """Average the target half of (sets * N, rows, columns, C) over the N examples.

    This is the feature ensemble of the paper, section 3.3. Image and mask tokens are averaged apart
    for as long as they are apart, also in the layer before their merger (the `transformers` library
    mixes them there).
    """
    examples = x.shape[0] // sets
    if examples == 1:
        return x
    above, below = x.unflatten(0, (sets, examples)).chunk(2, dim=2)
    below = below.mean(1, keepdim=True).expand_as(below)
    return torch.cat([above, below], 2).flatten(0, 1)


class TokenEncoder(nn.Module):
    """The transformer."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.layernorm = nn.LayerNorm(config.hidden, eps=EPSILON)

    def forward(self, tokens: Tensor) -> Tensor:
        """Run tokens (2 * N, rows, columns, C) through all layers.

        Returns
        -------
        (N, rows, columns, taps * C)
            The tapped layers side by side.
        """
        tapped = []
        for number, layer in enumerate(self.layers):
            checkpoint()
            tokens = layer(tokens, 2 if number <= self.config.merged_after else 1)
            if number == self.config.merged_after:
                pictures, paintings = tokens.chunk(2)
                tokens = (pictures + paintings) / 2
            if number in self.config.taps:
                tapped.append(self.layernorm(tokens))
        return torch.cat(tapped, -1)


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
        """Paint pixels: (N, rows, columns, taps C) -> (N, 3, H, W)."""
        count, rows, columns, _ = features.shape
        expanded = self.decoder_embed(features)
        cells = expanded.view(count, rows, columns, self.patch, self.patch, self.width)
        pixels = cells.permute(0, 5, 1, 3, 2, 4)
        out: Tensor = self.decoder_pred(
            pixels.reshape(count, self.width, rows * self.patch, columns * self.patch)
        )
        return out


class _Head(nn.Module):
    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.conv = nn.Conv2d(config.decoder_width, config.decoder_width, 3, padding=1)
        self.layernorm = nn.LayerNorm(config.decoder_width, eps=EPSILON)
        self.head = nn.Conv2d(config.decoder_width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width, H, W) to colours (N, 3, H, W)."""
        normal = self.layernorm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        out: Tensor = self.head(F.gelu(normal))
        return out


class SegGpt(nn.Module):
    """SegGPT of given sizes."""

    def __init__(self, config: SegGptConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)
        self.decoder = PaintDecoder(config)

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
            The painted target, normalised. After averaging it is the same for all examples; the
            first row is returned, as in the authors' code.
        """
        pictures = torch.cat([images, target.expand_as(images)], 2)
        tokens = self.model.embeddings(pictures, paintings, kind)
        features = self.model.encoder(tokens)[:1]
        # the head looks one pixel beyond: one row of patches above the target will do
        rows = self.config.grid[0] // 2
        painted: Tensor = self.decoder(features[:, rows - 1 :])
        return painted[0, :, self.config.patch :]
