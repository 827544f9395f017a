"""Libraries of taught words: adding, merging, renaming, removing, saving."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike
from typing import Literal, cast, get_args

from ..checks import as_path, check_choice, check_type
from ..errors import ConceptTrouble, NapariSeemError, SameName
from ..models.teachable import TeachableModel, Word, check_teachable, plain
from ..values import listed
from . import files
from .concept import LONGEST_NAME, Concept

SameNameChoice = Literal["ask", "replace", "rename", "join"]
CHOICES = ("replace", "rename", "join")


@dataclass(frozen=True, repr=False)
class ConceptLibrary:
    """Taught words, no two of one name; an immutable value, whose methods return new ones.

    Parameters
    ----------
    concepts : Concept, or iterable of Concept

    Raises
    ------
    SameName
        Two of them share a name or a synonym.
    InvalidArgument
        Something else is among them.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> model = ns.load_model("compact")
    >>> image = np.random.default_rng(0).normal(50, 3, (96, 96))
    >>> image[30:50, 30:50] += 100
    >>> word = ns.teach_word(model, "square", (image, image > 100))
    >>> library = ns.ConceptLibrary((word,))
    >>> library
    ConceptLibrary(words=[square])
    >>> "square" in model.with_words(library).vocabulary()
    True
    """

    concepts: tuple[Concept, ...] = ()

    def __post_init__(self) -> None:
        given: object = self.concepts
        single = isinstance(given, str) or not isinstance(given, Iterable)
        concepts = (given,) if single else tuple(cast(Iterable[object], given))
        for one in concepts:
            check_type(one, Concept, "a word of the library", "what teach_word returns")
        object.__setattr__(self, "concepts", concepts)
        seen: dict[str, str] = {}
        for concept in self.concepts:
            for name in concept.names:
                if name in seen:
                    raise _same(concept.name, seen[name])
                seen[name] = concept.name

    def __repr__(self) -> str:
        return f"ConceptLibrary(words={listed(self.names)})"

    def __len__(self) -> int:
        return len(self.concepts)

    def __iter__(self) -> Iterator[Concept]:
        return iter(self.concepts)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __getitem__(self, name: str) -> Concept:
        check_type(name, str, "a word", "its name as text")
        found = self._find(name)
        if found is None:
            known = ", ".join(self.names[:8]) if self.concepts else "none; it is empty"
            raise ConceptTrouble(f"the library has no word '{name[:60]}'; words it has: {known}")
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The words, in the order in which they were added."""
        return tuple(concept.name for concept in self.concepts)

    def added(
        self, concept: Concept, same_name: SameNameChoice = "ask",
        model: TeachableModel | None = None,
    ) -> ConceptLibrary:  # fmt: skip
        """Return a library with one word more.

        Parameters
        ----------
        concept : Concept
        same_name : str
            What to do if its name, or a synonym, is taken: 'ask' raises `SameName`; 'replace' drops
            the earlier one; 'rename' gives the new one a number; 'join' teaches the word anew from
            the examples of both.
        model : TeachableModel, optional
            Needed to join.
        """
        check_type(concept, Concept, "the word", "what teach_word returns")
        check_choice(same_name, get_args(SameNameChoice), "same_name")
        there = [one for one in self.concepts if one.names & concept.names]
        if not there:
            return ConceptLibrary((*self.concepts, concept))
        rest = tuple(one for one in self.concepts if one not in there)
        if same_name == "replace":
            return ConceptLibrary((*rest, concept))
        if same_name == "rename":
            return ConceptLibrary((*self.concepts, self._other_name(concept)))
        if same_name == "join":
            for earlier in there:
                concept = _joined(earlier, concept, model)
            return ConceptLibrary((*rest, concept))
        raise _same(concept.name, there[0].name)

    def merged(
        self, other: ConceptLibrary, same_name: SameNameChoice = "ask",
        model: TeachableModel | None = None,
    ) -> ConceptLibrary:  # fmt: skip
        """Return a library with the words of both; see `added`.

        A word of both that was taught at the same time from the same examples counts as one.
        """
        check_type(other, ConceptLibrary, "the other library", "a ConceptLibrary")
        library = self
        for concept in other:
            if not any(_is_same(concept, one) for one in library.concepts):
                library = library.added(concept, same_name, model)
        return library

    def renamed(self, old: str, new: str) -> ConceptLibrary:
        """Return the same with one word renamed; `SameName` if the new name is taken."""
        found = self[old]
        changed = found.renamed(new)
        return ConceptLibrary(tuple(changed if one is found else one for one in self.concepts))

    def removed(self, name: str) -> ConceptLibrary:
        """Return the same without a word."""
        found = self[name]
        return ConceptLibrary(tuple(one for one in self.concepts if one is not found))

    def words_for(self, model: TeachableModel) -> tuple[Word, ...]:
        """Return the words in a model's own terms; see `Concept.word_for`."""
        check_teachable(model)
        return tuple(concept.word_for(model) for concept in self.concepts)

    def usable_by(self, model: TeachableModel) -> tuple[ConceptLibrary, tuple[str, ...]]:
        """Return the words that a model can use, and why it can't use the others.

        Words of another model are taught anew from their kept examples.
        """
        usable, reasons = [], []
        for concept in self.concepts:
            try:
                own = concept if concept.model == model.identity else concept.taught_to(model)
                own.word_for(model)
            except NapariSeemError as error:
                reasons.append(str(error))
            else:
                usable.append(own)
        return ConceptLibrary(tuple(usable)), tuple(reasons)

    def save(self, path: str | PathLike[str]) -> None:
        """Write one file; whole or not at all, `FileTrouble` if it can't be written."""
        files.write(as_path(path), self.concepts)

    @staticmethod
    def held(path: str | PathLike[str]) -> AbstractContextManager[None]:
        """Keep other programs from changing a library that is read, changed and saved.

        `FileTrouble` if they don't end, or if its folder can't be written.
        """
        return files.held(as_path(path))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> ConceptLibrary:
        """Read a library; `FileTrouble` for another file, or a damaged one."""
        return cls(files.read(as_path(path)))

    def _find(self, name: str) -> Concept | None:
        return next((one for one in self.concepts if plain(name) in one.names), None)

    def _other_name(self, concept: Concept) -> Concept:
        """Return the concept under a free name, without synonyms that are taken."""
        number = 2
        while f"{concept.name[: LONGEST_NAME - 6]} {number}" in self:
            number += 1
        free = tuple(one for one in concept.synonyms if one not in self)
        name = f"{concept.name[: LONGEST_NAME - 6]} {number}" if concept.name in self else ""
        return Concept(
            name or concept.name, concept.model, concept.made, concept.arrays, concept.values,
            concept.examples, free,
        )  # fmt: skip


def _is_same(one: Concept, other: Concept) -> bool:
    prints = [tuple(crop.fingerprint for crop in c.examples) for c in (one, other)]
    return (one.name, one.made, one.model) == (other.name, other.made, other.model) and (
        prints[0] == prints[1]
    )


def _joined(earlier: Concept, later: Concept, model: TeachableModel | None) -> Concept:
    if model is None:
        raise ConceptTrouble(
            f"joining '{earlier.name}' teaches it again from all examples; give the model to teach"
        )
    synonyms = dict.fromkeys((*earlier.synonyms, *later.synonyms, later.name))
    taken = [one for one in synonyms if plain(one) != plain(earlier.name)]
    joined = earlier.taught_to(model, later.examples)
    return Concept(
        joined.name, joined.model, joined.made, joined.arrays, joined.values, joined.examples,
        tuple(taken),
    )  # fmt: skip


def _same(name: str, there: str) -> SameName:
    return SameName(
        f"there is a taught word '{there}' already; say what becomes of '{name}': "
        f"{', '.join(CHOICES)}",
        name,
    )
