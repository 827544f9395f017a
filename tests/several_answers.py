"""A small real model that offers several answers to every turn."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from discs import DiscModel
from scipy import ndimage


class SeveralAnswers(DiscModel):
    """Finds a disc, what is left of it without its rim, and the disc with a margin.

    `memory` of the others ends with "core" and "wide". `decoded` holds the thread in which they
    were made, for each time; `go` holds back whoever makes them; `offers` tells how many there are.
    """

    offers = 3

    def __init__(self) -> None:
        super().__init__()
        self.answered, self.decoded = 0, []
        self.go = threading.Event()
        self.go.set()

    def predict(self, embedding, prompts, memory=None):
        self.answered += 1
        best = super().predict(embedding, prompts, memory)

        def others():
            assert self.go.wait(20)
            self.decoded.append(threading.current_thread())
            ways = (("core", ndimage.binary_erosion), ("wide", ndimage.binary_dilation))
            for name, change in ways[: self.offers - 1]:
                mask = change(best.mask, iterations=4)
                logits = np.where(mask, np.float32(4), np.float32(-4))
                yield replace(best, logits=logits, memory=(*best.memory, name), others=None)

        return replace(best, others=others)


def sizes(model, embedding, prompts):
    """Pixels of each answer to prompts that are given in one turn."""
    return [one.area for one in model.predict(embedding, prompts).alternatives]
