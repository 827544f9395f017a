"""Teach a word by marked objects, take it back, and adapt a model to objects of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ..concepts import Concept, ConceptLibrary, Shown, teach_word
from ..concepts.examples import numbered, parts
from ..errors import InvalidImage, InvalidLabels, UnsupportedPrompt
from ..models.adaptable import AdaptableModel
from ..models.teachable import check_teachable
from ..progress import Progress
from ..sources import SIDE, WHOLE
from ..sources.frames import Area, Frame
from ..sources.source import OpenPlane, PlaneSource
from .base import Command, ModelRef
from .models import ModelCache

SMALLEST = 16
"""Objects of fewer pixels teach a model nothing."""


class Teach(Command):
    """A word is taught.

    Attributes
    ----------
    name : str
    synonyms : list of str
    model : ModelRef
        By which the examples are seen.
    same_name : str
        What to do where the library has a word of that name: "replace", "rename", "join", or
        "ask", which refuses.
    keep_examples : bool
        Keep the marked parts of the images in the library.
    """

    event: Literal["teach"] = "teach"
    name: str
    synonyms: list[str] = Field(default_factory=list)
    model: ModelRef
    same_name: Literal["ask", "replace", "rename", "join"] = "ask"
    keep_examples: bool = True

    def run(self, models: ModelCache, examples: Sequence[Shown]) -> Concept:
        """Learn the word, keep it in the library and let the models know it; in any thread.

        Parameters
        ----------
        models : ModelCache
        examples : sequence of Shown

        Returns
        -------
        Concept
            As it stands in the library, perhaps under another name.

        Raises
        ------
        ConceptTrouble
            The name is taken, or the examples show nothing; nothing is changed then.
        """
        model: Any = models.model(self.model.name)
        check_teachable(model)
        concept = teach_word(
            model, self.name, examples, self.synonyms, models.cache,
            keep_examples=self.keep_examples,
        )  # fmt: skip

        def add(library: ConceptLibrary) -> ConceptLibrary:
            return library.added(concept, self.same_name, model)

        models.change_words(add)
        return models.words.library[models.words.library.names[-1]]


class ForgetWord(Command):
    """A taught word is taken back."""

    event: Literal["forget_word"] = "forget_word"
    name: str

    def run(self, models: ModelCache) -> None:
        """Remove the word from the library; the models know it no longer."""
        models.change_words(lambda library: library.removed(self.name))


class Adapt(Command):
    """A model is adapted to objects of a plane.

    Attributes
    ----------
    model : ModelRef
    """

    event: Literal["adapt"] = "adapt"
    model: ModelRef

    def run(
        self, plane: OpenPlane, labels: npt.NDArray[np.int32],
        progress: bool | Progress | None = None,
    ) -> tuple[object, int]:  # fmt: skip
        """The adapted model, and how many objects it is adapted to; in any thread.

        Parameters
        ----------
        plane : OpenPlane
        labels : int32 array (H, W)
            Of the plane.
        progress : bool or callable, optional
            As of `napari_seem.segment_objects`; an exception that it raises ends the work.

        Raises
        ------
        InvalidImage
            The plane is too big.
        UnsupportedPrompt
            The model can't be adapted.
        """
        check_adaptable_plane(plane.source)
        if not isinstance(plane.model, AdaptableModel):
            raise UnsupportedPrompt(
                f"'{plane.model.name}' can't be fitted to objects; choose the compact model"
            )
        masks = [labels == i for i in _telling(labels)]
        return plane.model.adapted(plane.embedding, masks, progress=progress), len(masks)


def check_enough(model: object, labels: npt.NDArray[np.int32]) -> None:
    """Raise `InvalidLabels` where fitting a model to labels (H, W) would change nothing."""
    count = len(_telling(labels))
    if isinstance(model, AdaptableModel) and count < model.fewest_objects:
        raise InvalidLabels(
            f"{count} objects of {SMALLEST} pixels or more lie on this plane, and the model learns "
            f"from {model.fewest_objects} or more; commit further ones first"
        )


def _telling(labels: npt.NDArray[np.int32]) -> list[int]:
    """Return the ids of labels (H, W) that are large enough to learn from."""
    sizes = np.bincount(labels.ravel())
    return [int(i) for i in np.flatnonzero(sizes >= SMALLEST) if i]


def check_adaptable_plane(source: PlaneSource) -> None:
    """Raise `InvalidImage` where a plane is too big to adapt a model on."""
    if source.is_big:
        raise InvalidImage(
            f"the model learns on images of up to {WHOLE} pixels; crop the image around some "
            "objects first"
        )


def marked_examples(
    source: PlaneSource, labels: npt.NDArray[np.integer], others: npt.NDArray[np.bool_] | None,
    area: Area, window: Mapping[str, object],
) -> list[Shown]:  # fmt: skip
    """Marked objects of a plane as examples of a word; of a big plane their parts are read.

    Parameters
    ----------
    source : PlaneSource
        Titled as its origin is to be called.
    labels : integer array (h, w)
        One id for each marked object of `area`.
    others : bool array (h, w) or None
        What is surely something else.
    area : half-open (y0, x0, y1, x1)
        The marked part of the plane; all of it where the plane is not big.
    window : mapping
        The intensity window, for the library.
    """
    if not source.is_big:
        return [Shown(source.read(), labels, others, source.title, window)]
    pixels = source.pixels()
    marked = numbered(Shown(np.zeros(labels.shape, np.uint8), labels, others))
    found = []
    for rows, cols in parts(marked, SIDE):
        top, left = area[0] + rows.start, area[1] + cols.start
        frame = Frame(1, top, left, area[0] + rows.stop, area[1] + cols.stop)
        shown = pixels.appearance.show(pixels.read(frame))
        rest = None if others is None else others[rows, cols]
        sample = pixels.appearance.sample
        found.append(Shown(shown, labels[rows, cols], rest, source.title, window, sample))
    return found


def marks(
    values: npt.NDArray[np.integer], ids: Sequence[int] | None,
    other_ids: Sequence[int] | None = (),
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_] | None]:  # fmt: skip
    """Labels of the objects to learn from, and a mask of what is something else.

    Parameters
    ----------
    values : integer array (h, w)
    ids : sequence of int or None
        Of the objects to learn from; None for all that are not something else.
    other_ids : sequence of int or None
        Of objects that are something else; None for all that are not learned from.

    Raises
    ------
    InvalidLabels
        There is no such object.
    """
    absent = [i for i in (*(ids or ()), *(other_ids or ())) if not (values == i).any()]
    if absent:
        raise InvalidLabels(f"there is no object {absent[0]} in the labels")
    others = np.isin(values, list(other_ids)) if other_ids else None
    marked = values if ids is None else np.where(np.isin(values, list(ids)), values, 0)
    if ids is None and others is not None:
        marked = np.where(others, 0, values)
    if other_ids is None:
        others = (values > 0) & (marked == 0)
    return marked.astype(np.int64), others
