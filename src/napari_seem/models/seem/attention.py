"""Multi-head attention and the position encoding that pixel decoder and decoder share."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TEMPERATURE = 10000.0


def drawn(*shape: int, deviation: float = 1.0) -> nn.Parameter:
    """Make a parameter of even random numbers.

    For normal ones on the meta device torch would load sympy, which takes a second.
    """
    reach = math.sqrt(3) * deviation
    return nn.Parameter(torch.empty(shape).uniform_(-reach, reach))


def table(count: int, width: int) -> nn.Embedding:
    """Make an embedding of so many rows, `drawn`."""
    return nn.Embedding.from_pretrained(drawn(count, width), freeze=False)


class Attention(nn.Module):
    """Multi-head attention with the parameters of `torch.nn.MultiheadAttention`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Attend from `query` (..., Q, C) to `key` and `value` (..., K, C): (..., Q, C).

        `mask` (Q, K) is True where a query may attend.
        """
        rows, width = query.shape[-2:]
        if query.ndim == 2 and rows * self.heads < width < key.shape[0]:
            return self._few_queries(query, key, value, mask)
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (
            self._split(F.linear(x, w, b))
            for x, w, b in zip((query, key, value), weights, biases, strict=True)
        )
        out = F.scaled_dot_product_attention(q, k, v, mask)  # (..., heads, Q, C / heads)
        return self.out_proj(out.transpose(-3, -2).flatten(-2))

    def _split(self, x: Tensor) -> Tensor:
        """Split (..., N, C) into heads: (..., heads, N, C / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)  # (..., heads, N, C / heads)

    def _few_queries(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Attend alike, without projecting keys and values: their projections go to the queries.

        (q Wq)(k Wk)^T = (q Wq Wk^T) k^T, and the key bias adds the same to all scores of a row, so
        that the softmax drops it. Rows of attention sum to one, so that the value bias is simply
        added. Shapes are (Q, C) and (K, C).
        """
        wq, wk, wv = self.in_proj_weight.chunk(3)
        bq, _, bv = self.in_proj_bias.chunk(3)
        q = F.linear(query, wq, bq).unflatten(-1, (self.heads, -1))  # (Q, heads, D)
        wk, wv = (w.unflatten(0, (self.heads, -1)) for w in (wk, wv))  # (heads, D, C)
        q = torch.einsum("qhd,hdc->hqc", q, wk) / math.sqrt(q.shape[-1])
        scores = (q.flatten(0, 1) @ key.mT).unflatten(0, (self.heads, -1))  # (heads, Q, K)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        gathered = scores.softmax(-1).flatten(0, 1) @ value  # (heads * Q, C)
        out = torch.einsum("hqc,hdc->qhd", gathered.unflatten(0, (self.heads, -1)), wv)
        return self.out_proj(out.flatten(1) + bv)


def sine_positions(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """Compute DETR's sine position encoding (height, width, channels), rows before columns."""
    half = channels // 2
    index = torch.arange(half, dtype=torch.float32, device=device)
    period = TEMPERATURE ** (2 * (index // 2) / half)
    encoded = []
    for size in (height, width):
        place = torch.arange(1, size + 1, dtype=torch.float32, device=device)
        angle = (place / (size + 1e-6) * 2 * math.pi)[:, None] / period  # (size, half)
        waves = torch.stack((angle[:, 0::2].sin(), angle[:, 1::2].cos()), dim=2)
        encoded.append(waves.flatten(1))  # (size, half)
    rows = encoded[0][:, None].expand(height, width, half)
    columns = encoded[1][None].expand(height, width, half)
    return torch.cat((rows, columns), dim=2)
