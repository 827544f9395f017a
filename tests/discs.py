"""A small real model for tests of sessions and docks: no weights, no training, exact on discs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from napari_seem.errors import InvalidPrompt, UnknownWord
from napari_seem.images import to_rgb
from napari_seem.models.base import (
    Capability,
    Embedding,
    Instance,
    Prediction,
    Segmentation,
    check_capabilities,
)
from napari_seem.prompts import Box, Prompt, Reference, Text, check_prompts, rasterize

TOLERANCE = 0.2
"""Gray levels (of 0..1) that still belong to the same object."""


class DiscModel:
    """Takes the connected pixels that are as bright as what the prompts point at.

    Memory is the tuple of how many prompts each turn before had, so that tests can tell which
    turns an answer was built on.
    """

    name = "disc"
    identity = "disc"
    capabilities = frozenset(Capability) - {
        Capability.IN_CONTEXT, Capability.CONCEPTS, Capability.PROPAGATE
    }  # fmt: skip

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, image: np.ndarray, channels: int | None = None) -> Embedding:
        self.encoded += 1
        gray = to_rgb(image, channels=channels).mean(axis=2).astype(np.float32) / 255
        return Embedding(self.name, gray.shape, {"gray": torch.from_numpy(gray)})

    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: Any = None
    ) -> Prediction:
        check_prompts(prompts, embedding.shape)
        check_capabilities(self, prompts, lambda: {self.name: self.capabilities})
        gray = embedding.tensors["gray"].numpy()
        positive = [p for p in prompts if p.positive]
        if not positive:
            raise InvalidPrompt("every prompt is negative; add one on the object")
        mask = np.zeros(embedding.shape, bool)
        for prompt in positive:
            mask |= self._region(gray, prompt)
        mask &= ~self._denied(mask, prompts)
        logits = np.where(mask, np.float32(4), np.float32(-4))
        words = [p.text for p in positive if isinstance(p, Text)]
        turns = (*(memory or ()), len(prompts))
        return Prediction(logits, 0.9 if mask.any() else 0.0, words[0] if words else "disc", turns)

    def segment(self, embedding: Embedding, names: Sequence[str] | None = None) -> Segmentation:
        for name in names or ():
            self._check_word(name)
        bright = embedding.tensors["gray"].numpy() > 0.5
        numbered, _ = ndimage.label(bright)
        instances = []
        for index, (rows, cols) in enumerate(ndimage.find_objects(numbered), start=1):
            box = (rows.start, cols.start, rows.stop, cols.stop)
            instances.append(Instance(numbered[rows, cols] == index, box, 1 - index / 100, "disc"))
        return Segmentation(
            embedding.shape, tuple(instances), bright.astype(np.int32), self.vocabulary()
        )

    def vocabulary(self) -> tuple[str, ...]:
        return ("disc",)

    def _check_word(self, word: str) -> None:
        if word not in self.vocabulary():
            nearest = tuple(get_close_matches(word, self.vocabulary(), cutoff=0))
            raise UnknownWord(f"'{word}' is no word of model 'disc'; try {nearest[0]}", nearest)

    def _region(self, gray: np.ndarray, prompt: Prompt) -> np.ndarray:
        if isinstance(prompt, Text):
            self._check_word(prompt.text)
            return gray > 0.5
        if isinstance(prompt, Reference):
            level = float(prompt.embedding.tensors["gray"].numpy()[prompt.mask].mean())
            return np.abs(gray - level) < TOLERANCE
        seed = rasterize(prompt, gray.shape)
        level = float(gray[seed].max() if isinstance(prompt, Box) else np.median(gray[seed]))
        alike = np.abs(gray - level) < TOLERANCE
        if isinstance(prompt, Box):
            return alike & seed
        numbered, _ = ndimage.label(alike)
        touched = np.unique(numbered[seed & alike])
        return np.isin(numbered, touched[touched > 0])

    def _denied(self, mask: np.ndarray, prompts: Sequence[Prompt]) -> np.ndarray:
        """Pixels nearer to a negative prompt than to any positive one."""
        signs = {True: np.zeros(mask.shape, bool), False: np.zeros(mask.shape, bool)}
        for prompt in prompts:
            if not isinstance(prompt, (Text, Reference)):
                signs[prompt.positive] |= rasterize(prompt, mask.shape)
        if not signs[False].any():
            return signs[False]
        if not signs[True].any():
            return signs[False]
        far = {sign: ndimage.distance_transform_edt(~drawn) for sign, drawn in signs.items()}
        return far[False] < far[True]


def disc_image(shape: tuple[int, int] = (64, 80)) -> tuple[np.ndarray, np.ndarray]:
    """Two bright discs on dark ground: image (uint8) and labels (1 left, 2 right)."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    labels[(rows - 32) ** 2 + (cols - 20) ** 2 <= 12**2] = 1
    labels[(rows - 32) ** 2 + (cols - 58) ** 2 <= 12**2] = 2
    return np.where(labels > 0, 220, 20).astype(np.uint8), labels


def squares():
    """Ids 1 to 5, each a square of another size, in a 40 x 60 plane."""
    data = np.zeros((40, 60), np.uint16)
    for label_id in range(1, 6):
        data[4 : 6 + label_id, 10 * label_id : 10 * label_id + 2 + label_id] = label_id
    return data


class HeldModel(DiscModel):
    """Answers only once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.go.set()
        self.answered = 0

    def predict(self, embedding, prompts, memory=None):
        assert self.go.wait(20)
        self.answered += 1
        return super().predict(embedding, prompts, memory)
