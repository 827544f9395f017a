"""What a model promises that can be adapted to objects of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

from ..progress import Progress
from .base import BoolArray, Embedding, Model


@runtime_checkable
class AdaptableModel(Model, Protocol):
    """A model that first clicks can be fitted for, by objects that were accepted."""

    is_adapted: bool

    @property
    def fewest_objects(self) -> int:
        """Least number of objects that the model can be fitted to."""

    def adapted(
        self, embedding: Embedding, masks: Sequence[BoolArray], *,
        progress: bool | Progress | None = None,
    ) -> Self:  # fmt: skip
        """The same model, fitted to objects: bool masks (H, W) of the encoded image."""

    def plain(self) -> Self:
        """The model as it was shipped."""
