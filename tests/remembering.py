"""A model whose memory of an object is its mask: it follows bright discs from plane to plane."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakSet

import numpy as np
from scipy import ndimage

from napari_seem.images import to_rgb
from napari_seem.models.base import Capability, Embedding
from napari_seem.models.memory import ObjectMemory, Recalled, Tracked
from napari_seem.models.running.patience import checkpoint


class RememberingModel:
    """Finds the bright part that overlaps an object on the nearest plane that it remembers.

    Attributes
    ----------
    encoded : list of int
        The first pixel of every plane that was encoded: tests write its number there.
    recalled : dict of int to list of list of (bool, int)
        For each object that was looked for on a plane: of what was looked back on, whether it was
        given, and how many planes behind it lay.
    remembered : WeakSet of ObjectMemory
        Those with maps that somebody keeps.
    """

    name, identity = "remembering", "remembering-1"
    capabilities = frozenset({Capability.POINT, Capability.PROPAGATE})

    def __init__(self) -> None:
        self.encoded: list[int] = []
        self.recalled: dict[int, list[list[tuple[bool, int]]]] = {}
        self.remembered: WeakSet[ObjectMemory] = WeakSet()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return RememberingModel, ()

    def encode(self, image: np.ndarray, channels: int | None = None) -> Embedding:
        gray = to_rgb(image)[..., 0]
        self.encoded.append(int(gray[0, 0]))
        return Embedding(self.identity, gray.shape, {"gray": _Tensor(gray)})

    def predict(self, *_: object) -> None:
        raise NotImplementedError

    segment = vocabulary = predict

    def remember(self, embedding: Embedding, mask: np.ndarray) -> ObjectMemory:
        assert mask.any()
        return self._memory(mask)

    def track(self, embedding: Embedding, recalled: Sequence[Recalled], planes: int) -> Tracked:
        assert any(one.given for one in recalled)
        checkpoint()
        gray = embedding.tensors["gray"].values
        looked = sorted((one.given, one.behind) for one in recalled)
        self.recalled.setdefault(int(gray[0, 0]), []).append(looked)
        last = min(recalled, key=lambda one: (abs(one.behind), one.given)).memory
        parts, _ = ndimage.label(gray > 100)
        ids = np.unique(parts[(last.pointer > 0) & (parts > 0)])
        found = np.isin(parts, ids)
        logits = np.where(found, 5.0, -5.0).astype(np.float32)
        return Tracked(logits, 0.9 if found.any() else 0.0, self._memory(found))

    def _memory(self, mask: np.ndarray) -> ObjectMemory:
        memory = ObjectMemory(maps=mask, pointer=mask)
        self.remembered.add(memory)
        return memory


class _Tensor:
    """An array with the two methods that tell its bytes."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def numel(self) -> int:
        return self.values.size

    def element_size(self) -> int:
        return self.values.itemsize


def discs(count: int, size: tuple[int, int] = (48, 64)) -> tuple[np.ndarray, np.ndarray]:
    """Planes (T, H, W) with two bright discs that move slowly, and their labels 3 and 8.

    The number of a plane, up to 99, is its first pixel.
    """
    rows, columns = np.mgrid[: size[0], : size[1]]
    labels = np.zeros((count, *size), np.int32)
    for t in range(count):
        sway = 4 * np.sin(t / 5)
        labels[t][np.hypot(rows - 14 - sway, columns - 16) < 7] = 3
        labels[t][np.hypot(rows - 34, columns - 46 - sway) < 9] = 8
    volume = np.where(labels > 0, 200, 20).astype(np.uint8)
    volume[:, 0, 0] = np.arange(count) % 100
    return volume, labels
