"""What a model learns from accepted planes of a stack."""

from __future__ import annotations

from collections.abc import Mapping

from ...embeddings import EmbeddingCache
from ...images import AnyArray, Window, to_rgb
from ...in_context import frames
from ...models.in_context import Example, InContextModel, Kind, Lesson
from .. import shapes
from ..results import PlaneResult
from ..shapes import FloatArray, IntArray
from ..stack import Stack


class Lessons:
    """Lessons of a model for planes of a stack, each learned once.

    Parameters
    ----------
    model : InContextModel
    stack : Stack
    kind : str
        'semantic' or 'instance'.
    window : Window or None
        Intensities that all planes are shown with.
    whole : bool
        Learn from whole planes, not from the surroundings of their objects.
    cache : EmbeddingCache, optional
    """

    def __init__(
        self, model: InContextModel, stack: Stack, kind: Kind, window: Window | None, whole: bool,
        cache: EmbeddingCache | None,
    ) -> None:  # fmt: skip
        self.kind = kind
        self._model, self._stack, self._window = model, stack, window
        self._whole, self._cache = whole, cache
        self._known: dict[tuple[int, ...], Lesson] = {}
        self._recent: dict[int, frames.Shown] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_cache": None, "_recent": {}}  # encoded images are encoded again

    def learn(self, index: int, seeds: Mapping[int, PlaneResult]) -> Lesson:
        """Learn for a plane from the nearest seeds on both sides, and others with further ids."""
        ordered = sorted(seeds, key=lambda k: (abs(k - index), k))
        full = [k for k in ordered if not seeds[k].erased] or ordered
        sides = [[k for k in full if k <= index][:1], [k for k in full if k > index][:1]]
        chosen = {k for side in sides for k in side if seeds[k].scores}
        missing = {i for seed in seeds.values() for i in seed.scores}
        missing -= {i for k in chosen for i in seeds[k].scores}
        for k in ordered:
            if missing & seeds[k].scores.keys():
                chosen.add(k)
                missing -= seeds[k].scores.keys()
        key = tuple(sorted(chosen))
        if key not in self._known:
            examples = [one for k in key for one in self._examples(k, seeds[k].labels)]
            self._known[key] = self._model.learn(examples, self.kind)
        return self._known[key]

    def shares(
        self, lesson: Lesson, index: int, box: shapes.Box2D, where: shapes.BoolArray | None = None
    ) -> FloatArray:
        """Return the model's shares of classes in a part of a plane.

        float32 (K + 1, y1 - y0, x1 - x0), of any values outside of `where`, which is bool and of
        the part's shape. The two planes that were asked for last stay encoded.
        """
        shown = self._recent.pop(index, None) or self._shown(self._stack.read(index))
        self._recent = dict([*self._recent.items(), (index, shown)][-2:])
        return frames.shares(self._model, lesson, shown, box, self._cache, where)

    def encode(self, image: AnyArray) -> None:
        """Encode a plane (H, W) or (H, W, C) into the cache."""
        frames.encode_all(self._model, self._shown(image), self._cache)

    def forget(self, index: int | None = None) -> None:
        """Learn anew what was learned from a plane, or from any."""
        kept = {} if index is None else {k: v for k, v in self._known.items() if index not in k}
        self._known = kept

    def _examples(self, index: int, labels: IntArray) -> list[Example]:
        """Return what an accepted plane with labels (H, W) teaches."""
        part = None if self._whole else shapes.surroundings(labels)
        shown = self._shown(self._stack.read(index))
        return frames.examples_of(self._model, shown, labels, self._cache, part)

    def _shown(self, image: AnyArray) -> frames.Shown:
        """Return a plane (H, W) or (H, W, C) as the model gets it, by the stack's window."""
        shown = image if self._window is None else to_rgb(image, self._window)
        return frames.prepared(self._model, shown, self._cache)
