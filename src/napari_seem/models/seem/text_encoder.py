"""CLIP's causal text transformer, and the embeddings that SEEM makes of sentences and names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import Attention, drawn, table
from .config import SeemConfig

NORM_EPS = 1e-12


class TextEncoder(nn.Module):
    """Token ids to token and sentence embeddings in SEEM's common space."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        self.lang_encoder = TextTransformer(config)
        self.lang_proj = drawn(config.hidden, config.hidden, deviation=0.02)
        self.logit_scale = nn.Parameter(torch.tensor(2.659))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Embed sentences.

        Parameters
        ----------
        ids : int (B, N)
            Start token, words, end token; anything after the end is padding. Because every token
            sees only those before it, N may be shorter than the context of 77.

        Returns
        -------
        tokens : (B, N, C)
            Embedding of each token.
        sentences : (B, C)
            Embedding of each sentence: that of its first end token. Not normalised.
        """
        tokens = self.lang_encoder(ids) @ self.lang_proj
        rows = torch.arange(len(ids), device=ids.device)
        return tokens, tokens[rows, ids.argmax(dim=1)]


class TextTransformer(nn.Module):
    """The hidden states of CLIP's text transformer."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        self.token_embedding = table(config.text_vocabulary, config.hidden)
        self.positional_embedding = drawn(config.text_length, config.hidden, deviation=0.01)
        self.resblocks = nn.ModuleList(TextBlock(config) for _ in range(config.text_layers))
        self.ln_final = nn.LayerNorm(config.hidden, eps=NORM_EPS)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids (B, N) to hidden states (B, N, C)."""
        length = ids.shape[1]
        x = self.token_embedding(ids) + self.positional_embedding[:length]
        causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        for block in self.resblocks:
            x = block(x, causal)
        return self.ln_final(x)


class TextBlock(nn.Module):
    """Pre-norm attention and a feed-forward with QuickGELU."""

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        width = config.hidden
        self.attn = Attention(width, config.heads)
        self.ln_1, self.ln_2 = (nn.LayerNorm(width, eps=NORM_EPS) for _ in range(2))
        self.mlp = nn.ModuleDict(
            {
                "c_fc": nn.Linear(width, config.feedforward),
                "c_proj": nn.Linear(config.feedforward, width),
            }
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (B, N, C) to (B, N, C); `mask` (N, N) is True where a token may attend."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, mask)
        inner = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](inner * torch.sigmoid(1.702 * inner))


def unit(x: Tensor) -> Tensor:
    """Normalise vectors (..., C) to length one."""
    return torch.nn.functional.normalize(x, dim=-1)
