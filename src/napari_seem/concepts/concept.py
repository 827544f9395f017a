"""One taught word: what it means to a model, and where that comes from."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from ..embeddings import EmbeddingCache, content_key, encoded
from ..errors import ConceptTrouble, InvalidLabels
from ..images import to_rgb
from ..models.base import Embedding, PartEncoder
from ..models.teachable import Marked, TeachableModel, Word, check_teachable, plain

LONGEST_NAME = 100
LARGEST_CROP = 1024
"""Longest side in pixels of what is kept of an example."""
AROUND = 64
"""Pixels kept around the marked objects, so that they have surroundings."""
SAMPLED = 64
"""So many pixels along each side tell a crop's model how bright the whole image was."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Shown:
    """An image on which objects of one kind are marked, to teach a word from.

    Attributes
    ----------
    image : (H, W) or (H, W, C) array of any real dtype
        As it is shown to the model.
    labels : integer array (H, W)
        One id for each object of the kind. 0 says nothing: objects there may be unmarked.
    others : bool array (H, W), optional
        What is surely something else.
    source : str
        Where it comes from, for people: a file's or a layer's name.
    look : mapping
        How its intensities were shown; see `napari_seem.look.Look.told`.
    sample : uint8 array (h, w, 3), optional
        Where the image is a part of a larger one: pixels of the whole, for its brightness.
    """

    image: npt.NDArray[Any] = field(repr=False)
    labels: npt.NDArray[np.integer[Any]] = field(repr=False)
    others: BoolArray | None = field(default=None, repr=False)
    source: str = ""
    look: Mapping[str, Any] = field(default_factory=dict)
    sample: npt.NDArray[np.uint8] | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Crop:
    """What is kept of an example: enough to teach the word to another model.

    Attributes
    ----------
    fingerprint : str
        Of the whole image's pixels.
    source : str
    look : mapping
    objects : int
        How many were marked.
    image, labels, others : arrays (h, w, 3) uint8, (h, w) integer, (h, w) bool; or None
        The part with the marked objects; None where it was too large to be kept.
    sample : uint8 array (h, w, 3) or None
        Pixels of the whole image.
    """

    fingerprint: str
    source: str
    look: Mapping[str, Any]
    objects: int
    image: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    labels: npt.NDArray[np.integer[Any]] | None = field(default=None, repr=False)
    others: BoolArray | None = field(default=None, repr=False)
    sample: npt.NDArray[np.uint8] | None = field(default=None, repr=False)

    def shown(self) -> Shown | None:
        """The kept part as an example to teach from; None where none is kept."""
        if self.image is None or self.labels is None:
            return None
        return Shown(self.image, self.labels, self.others, self.source, self.look, self.sample)


@dataclass(frozen=True, eq=False)
class Concept:
    """A taught word.

    Attributes
    ----------
    name : str
    synonyms : tuple of str
        Further words that mean the same.
    model : str
        Identity of the model that was taught: its name and weights.
    made : str
        When, ISO 8601, UTC.
    arrays, values : mappings
        The meaning, as the model wrote it.
    examples : tuple of Crop
        What it was taught from.
    """

    name: str
    model: str
    made: str
    arrays: Mapping[str, npt.NDArray[Any]] = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    examples: tuple[Crop, ...] = field(repr=False)
    synonyms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))
        object.__setattr__(self, "synonyms", tuple(map(checked_name, self.synonyms)))

    @property
    def names(self) -> frozenset[str]:
        """Name and synonyms as they are compared."""
        return frozenset(plain(name) for name in (self.name, *self.synonyms))

    @property
    def objects(self) -> int:
        """How many marked objects it was taught from."""
        return sum(crop.objects for crop in self.examples)

    @property
    def at_hand(self) -> bool:
        """Whether all examples are kept, so that it can be taught to another model."""
        return bool(self.examples) and all(crop.image is not None for crop in self.examples)

    def renamed(self, name: str) -> Concept:
        """The same under another name."""
        return replace(self, name=name)

    def word_for(self, model: TeachableModel) -> Word:
        """The word in a model's own terms.

        Where another model was taught, this one is taught anew from the kept examples.

        Raises
        ------
        ConceptTrouble
            Another model was taught and the examples are not kept; or the file is damaged.
        UnsupportedPrompt
            The model can't be taught words.
        """
        check_teachable(model)
        own = self if self.model == model.identity else self.taught_to(model)
        try:
            return Word(own.name, model.read(own.arrays, own.values), own.synonyms)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConceptTrouble(
                f"'{self.name}' is damaged ({error}); teach the word again"
            ) from error

    def taught_to(self, model: TeachableModel, more: Sequence[Crop] = ()) -> Concept:
        """The same word, taught to a model from the kept examples and from further ones.

        Raises
        ------
        ConceptTrouble
            An example is not kept.
        """
        crops = (*self.examples, *more)
        shown = [crop.shown() for crop in crops]
        kept = [one for one in shown if one is not None]
        if not kept or len(kept) < len(shown):
            raise ConceptTrouble(
                f"'{self.name}' was taught to '{self.model}', not to '{model.identity}', and its "
                "examples are not kept; mark some objects and teach it again"
            )
        arrays, values = _learned(model, kept, None)
        return replace(
            self, model=model.identity, made=now(), arrays=arrays, values=values, examples=crops
        )


def teach_word(
    model: TeachableModel, name: str, examples: Sequence[Shown], synonyms: Sequence[str] = (),
    cache: EmbeddingCache | None = None, keep_examples: bool = True,
) -> Concept:  # fmt: skip
    """Teach a model a word by marked objects.

    Parameters
    ----------
    model : TeachableModel
        'compact'.
    name : str
    examples : sequence of Shown
        One object is enough; several of different images are better.
    synonyms : sequence of str
        Further words that mean the same.
    cache : EmbeddingCache, optional
        Where encoded images are kept.
    keep_examples : bool
        Keep the part of each image with the marked objects (8 bits, at most `LARGEST_CROP` pixels
        a side), so that the word can be taught to other models and more examples can be added.

    Returns
    -------
    Concept
        Add it to a `ConceptLibrary`, and give that to `model.knowing`.

    Raises
    ------
    ConceptTrouble
        The name is empty or too long.
    InvalidLabels
        No example, nothing marked, or labels of another shape than their image.
    UnsupportedPrompt
        The model can't be taught words.
    """
    check_teachable(model)
    name = checked_name(name)
    numbered = [_numbered(one) for one in examples]
    arrays, values = _learned(model, numbered, cache)
    crops = tuple(_crop(one, keep_examples) for one in numbered)
    return Concept(name, model.identity, now(), arrays, values, crops, tuple(synonyms))


def checked_name(name: str) -> str:
    """A name without needless spaces.

    Raises
    ------
    ConceptTrouble
        It is empty, longer than `LONGEST_NAME`, or holds what is no letter, digit or sign.
    """
    tidy = " ".join(str(name).split())
    if not tidy:
        raise ConceptTrouble("a taught word needs a name; type one such as 'bright vesicle'")
    if len(tidy) > LONGEST_NAME:
        raise ConceptTrouble(
            f"the name '{tidy[:30]}...' has {len(tidy)} letters; give one of at most {LONGEST_NAME}"
        )
    if any(unicodedata.category(letter).startswith("C") for letter in tidy):
        raise ConceptTrouble(f"the name {tidy[:30]!r} holds a sign that can't be shown; retype it")
    return tidy


def now() -> str:
    """The time, as concepts keep it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _learned(
    model: TeachableModel, examples: Sequence[Shown], cache: EmbeddingCache | None
) -> tuple[Mapping[str, npt.NDArray[Any]], Mapping[str, Any]]:
    marked = [Marked(_encoded(model, one, cache), one.labels, one.others) for one in examples]
    return model.written(model.teach(marked))


def _encoded(model: TeachableModel, shown: Shown, cache: EmbeddingCache | None) -> Embedding:
    if shown.sample is not None and isinstance(model, PartEncoder):
        return model.encode_part(to_rgb(shown.image), shown.sample)
    return encoded(model, np.asarray(shown.image), cache)


def _numbered(shown: Shown) -> Shown:
    """The same with ids 1, 2, 3, ..., so that large ids cost no memory."""
    labels = np.asarray(shown.labels)
    shape = np.asarray(shown.image).shape[:2]
    if labels.shape != shape:
        raise InvalidLabels(
            f"the labels have shape {labels.shape}, the image {shape}; mark objects on the "
            "image's own grid"
        )
    if labels.dtype != bool and not np.issubdtype(labels.dtype, np.integer):
        raise InvalidLabels(f"the labels are {labels.dtype}, not integers")
    if labels.min(initial=0) < 0:
        raise InvalidLabels("there are negative labels; use 0 where nothing is marked")
    ids, number = np.unique(labels, return_inverse=True)
    first = 0 if ids[0] == 0 else 1
    small = (number.reshape(labels.shape) + first).astype(np.int32)
    return replace(shown, labels=small)


def _crop(shown: Shown, keep: bool) -> Crop:
    image = np.asarray(shown.image)
    count = int(np.asarray(shown.labels).max(initial=0))
    about = Crop(content_key(image), shown.source, dict(shown.look), count)
    marked = np.asarray(shown.labels) > 0
    if shown.others is not None:
        marked = marked | shown.others
    rows, cols = (np.flatnonzero(marked.any(axis)) for axis in (1, 0))
    if not keep or not rows.size:
        return about
    part = tuple(
        slice(max(0, int(at[0]) - AROUND), int(at[-1]) + 1 + AROUND) for at in (rows, cols)
    )
    if max(s.stop - s.start for s in part) > LARGEST_CROP:
        return about
    rgb = to_rgb(image)
    steps = tuple(max(1, size // SAMPLED) for size in rgb.shape[:2])
    sample = rgb[:: steps[0], :: steps[1]] if shown.sample is None else shown.sample
    others = None if shown.others is None else shown.others[part].copy()
    labels = np.asarray(shown.labels)[part].astype(np.int32)
    return replace(
        about, image=rgb[part].copy(), labels=labels, others=others, sample=sample.copy()
    )
