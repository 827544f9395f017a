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
    were made, for each time; `go` holds back whoever makes them; `offers` tells how many answers
    there are, `reach` by how many pixels their borders differ.
    """

    offers, reach = 3, 4

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
            inside, outside = (
                ndimage.distance_transform_edt(one) for one in (best.mask, ~best.mask)
            )
            ways = {"core": inside > self.reach, "wide": outside <= self.reach}
            for name, mask in list(ways.items())[: self.offers - 1]:
                logits = np.where(mask, np.float32(4), np.float32(-4))
                yield replace(best, logits=logits, memory=(*best.memory, name), others=None)

        return replace(best, others=others)


def sizes(model, embedding, prompts):
    """Pixels of each answer to prompts that are given in one turn."""
    return [one.area for one in model.predict(embedding, prompts).alternatives]
