"""One taught word: its meaning for a model, and the examples that it comes from."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..checks import as_names, check_flag
from ..edits import now
from ..embeddings import EmbeddingCache, encoded
from ..errors import ConceptTrouble
from ..images import AnyArray, to_rgb
from ..models.base import Embedding, Model, PartEncoder
from ..models.teachable import Marked, TeachableModel, Word, check_teachable, plain
from ..progress import Progress, tracked
from ..values import ArrayValue, listed
from .examples import Crop, Shown, as_shown, at_full_resolution, crops_of

Marks = Shown | tuple[AnyArray, AnyArray]
"""An image (H, W) or (H, W, C), and the objects marked in it, integers (H, W)."""
LONGEST_NAME = 100


@dataclass(frozen=True, eq=False, repr=False)
class Concept(ArrayValue):
    """A taught word.

    Attributes
    ----------
    name : str
    synonyms : tuple of str
        Further words that mean the same.
    model : str
        Identity of the model that was taught: its name and weights.
    made : str
        Time, ISO 8601, UTC.
    arrays, values : mappings
        The meaning, as the model wrote it.
    examples : tuple of Crop
        The examples that it was taught from.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> image = np.full((48, 48), 60, np.uint8)
    >>> image[10:30, 10:30] = 200
    >>> concept = ns.teach_word(ns.load_model("compact"), "square", ns.Shown(image, image > 100))
    >>> concept.name, concept.model.partition("@")[0]
    ('square', 'compact')
    """

    name: str
    model: str
    made: str
    arrays: Mapping[str, AnyArray] = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    examples: tuple[Crop, ...] = field(repr=False)
    synonyms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))
        synonyms = as_names(self.synonyms, "synonyms")
        object.__setattr__(self, "synonyms", tuple(map(checked_name, synonyms)))

    def __repr__(self) -> str:
        more = f", synonyms={listed(self.synonyms)}" if self.synonyms else ""
        return f"Concept('{self.name}', objects={self.objects}, model='{self.model}'{more})"

    @property
    def names(self) -> frozenset[str]:
        """Name and synonyms in the form in which they are compared."""
        return frozenset(plain(name) for name in (self.name, *self.synonyms))

    @property
    def objects(self) -> int:
        """Number of marked objects that it was taught from."""
        return sum(crop.objects for crop in self.examples)

    @property
    def at_hand(self) -> bool:
        """Whether all examples are kept, so that it can be taught to another model."""
        return bool(self.examples) and all(crop.image is not None for crop in self.examples)

    def renamed(self, name: str) -> Concept:
        """Return the same under another name."""
        return replace(self, name=name)

    def word_for(self, model: TeachableModel) -> Word:
        """Return the word in a model's own terms.

        If another model was taught, this one is taught anew from the kept examples.

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
        """Return the same word, taught to a model from the kept examples and from further ones.

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
    model: Model | TeachableModel, name: str, examples: Marks | Sequence[Marks],
    synonyms: str | Sequence[str] = (), cache: EmbeddingCache | None = None,
    keep_examples: bool = True, *, progress: bool | Progress | None = None,
) -> Concept:  # fmt: skip
    """Teach a model a word by marked objects.

    Parameters
    ----------
    model : Model
        'compact', from `load_model`.
    name : str
    examples : Shown or (image, labels), or a sequence of them
        One object is enough; several of different images are better.
    synonyms : str or sequence of str
        Further words that mean the same.
    cache : EmbeddingCache, optional
        Keeps encoded images.
    keep_examples : bool
        Keep the parts of each image with the marked objects (8 bits, at most 1024 pixels a side),
        so that the word can be taught to other models and more examples can be added.
    progress : bool or callable, optional
        True for a bar; a callable gets (done, total, what) after every encoded example, and
        cancels by an exception.

    Returns
    -------
    Concept
        Add it to a `ConceptLibrary`, and give that to `model.with_words`.

    Raises
    ------
    ConceptTrouble
        The name is empty or too long.
    InvalidLabels
        No example, nothing marked, or labels of another shape than their image.
    InvalidImage
        An image that is no picture.
    UnsupportedPrompt
        The model can't be taught words.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> image = np.random.default_rng(0).normal(50, 3, (96, 96))
    >>> image[30:50, 30:50] += 100
    >>> word = ns.teach_word(ns.load_model("compact"), "bright square", (image, image > 100))
    >>> word.name, word.objects
    ('bright square', 1)
    """
    able = check_teachable(model)
    name = checked_name(name)
    keep = check_flag(keep_examples, "keep_examples")
    more = tuple(map(checked_name, as_names(synonyms, "synonyms")))
    shown = [part for one in as_shown(examples) for part in at_full_resolution(one)]
    arrays, values = _learned(able, shown, cache, progress)
    crops = tuple(crop for one in shown for crop in crops_of(one, keep))
    return Concept(name, able.identity, now(), arrays, values, crops, more)


def checked_name(name: str) -> str:
    """Return a name without needless spaces.

    Raises
    ------
    ConceptTrouble
        It is no text, empty, longer than `LONGEST_NAME`, or holds a control character.
    """
    if not isinstance(name, str):
        raise ConceptTrouble(
            f"the name of a word can't be a {type(name).__name__}; give text such as "
            "'bright vesicle'"
        )
    tidy = " ".join(name.split())
    if not tidy:
        raise ConceptTrouble("a taught word needs a name; type one such as 'bright vesicle'")
    if len(tidy) > LONGEST_NAME:
        raise ConceptTrouble(
            f"the name '{tidy[:30]}...' has {len(tidy)} letters; give one of at most {LONGEST_NAME}"
        )
    if any(unicodedata.category(letter).startswith("C") for letter in tidy):
        raise ConceptTrouble(f"the name {tidy[:30]!r} holds a sign that can't be shown; retype it")
    return tidy


def _learned(
    model: TeachableModel, examples: Sequence[Shown], cache: EmbeddingCache | None,
    progress: bool | Progress | None = None,
) -> tuple[Mapping[str, AnyArray], Mapping[str, object]]:  # fmt: skip
    marked = [
        Marked(_encoded(model, one, cache), np.asarray(one.labels, np.int32), one.others)
        for one in tracked(examples, progress, "teach")
    ]
    return model.written(model.teach(marked))


def _encoded(model: TeachableModel, shown: Shown, cache: EmbeddingCache | None) -> Embedding:
    if shown.sample is not None and isinstance(model, PartEncoder):
        return model.encode_part(to_rgb(shown.image), shown.sample)
    return encoded(model, np.asarray(shown.image), cache)
