"""Names as embeddings, the open vocabulary that masks are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .network import Seem
from .templates import TEMPLATES
from .text_encoder import unit
from .tokenizer import Tokenizer

BACKGROUND = "background"
SUFFIXES = ("-other", "-merged", "-stuff")


class Vocabulary:
    """Embeddings of names, each computed once.

    Parameters
    ----------
    network : Seem
    tokenizer : Tokenizer
    templates : sequence of str
        Sentences with a place for the name; their embeddings are averaged. By default CLIP's for
        ImageNet, as in the published figures.
    """

    def __init__(
        self, network: Seem, tokenizer: Tokenizer, templates: Sequence[str] = TEMPLATES
    ) -> None:
        self.network, self.tokenizer, self.templates = network, tokenizer, tuple(templates)
        self._known: dict[str, Tensor] = {}

    def __call__(self, names: Sequence[str]) -> Tensor:
        """Return the unit embeddings (K + 1, C) of K names and, last, of the background."""
        return torch.stack([self._embedding(plain(name)) for name in (*names, BACKGROUND)])

    def _embedding(self, name: str) -> Tensor:
        if name not in self._known:
            ids = self.tokenizer([template.format(name) for template in self.templates])
            device = self.network.decoder.class_embed.device
            sentences = self.network.read(ids.to(device))
            each = unit(torch.stack([sentence.embedding for sentence in sentences]))
            self._known[name] = unit(each.mean(dim=0))
        return self._known[name]


def plain(name: str) -> str:
    """Return a class name as it is said: 'wall-other-merged' is a 'wall'."""
    for suffix in SUFFIXES:
        name = name.replace(suffix, "")
    return name.strip()
