"""A search in a thread: what was looked at is remembered and not looked at again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from qtpy.QtCore import QObject, Signal

from ...commands.models import ModelCache
from ...errors import InvalidPrompt, UnknownWord
from ...query import PlaneFindings, PlaneRef, PlaneSource, Unreadable, plane_ref, search
from .._shared.background.steps import Steps


class Finder(QObject):
    """Look for a word in plane after plane, while nobody waits for an answer.

    Parameters
    ----------
    model_cache : ModelCache
        Gives model and encoded planes, and the gate before which the search stands.
    parent : QObject

    Attributes
    ----------
    seen : Signal(object)
        A `PlaneFindings`.
    refused : Signal(object)
        The error that tells why the word can't be looked for.
    ended : Signal(str)
        As of `Steps`.
    """

    seen = Signal(object)
    refused = Signal(object)
    ended = Signal(str)

    def __init__(self, model_cache: ModelCache, parent: QObject) -> None:
        super().__init__(parent)
        self._model_cache = model_cache
        self._query: tuple[object, ...] = ()
        self._done: set[PlaneRef] = set()
        self.steps = Steps(self)
        self.steps.stepped.connect(self._deliver)
        self.steps.ended.connect(self.ended)

    @property
    def done(self) -> int:
        """How many planes were looked at for the present word."""
        return len(self._done)

    def is_new(self, query: tuple[object, ...]) -> bool:
        """Whether something else is asked for than the last time."""
        return query != self._query

    def start(
        self,
        model: str,
        word: str,
        sources: Iterable[PlaneSource | Unreadable],
        total: int,
        query: tuple[object, ...],
    ) -> None:
        """Look at the planes that were not looked at for the same query.

        Parameters
        ----------
        model : str
        word : str
        sources : iterable of PlaneSource
            Iterated in the thread.
        total : int
            About how many they are.
        query : tuple
            What is asked for; with another one everything is looked at.
        """
        if self.is_new(query):
            self._query, self._done = query, set()
        run = partial(self._run, model, word, sources, frozenset(self._done))
        self.steps.start(f"Looking for {word}", total, run)

    def forget(self) -> None:
        """Look at everything again next time."""
        self._query, self._done = (), set()

    def close(self) -> None:
        """Stop; nothing is delivered any more."""
        self.steps.close()

    def _run(
        self, name: str, word: str, sources: Iterable[PlaneSource | Unreadable],
        done: frozenset[PlaneRef],
    ) -> Iterator[PlaneFindings | UnknownWord | InvalidPrompt]:  # fmt: skip
        """In the thread: look at the planes that are not done."""
        left = (one for one in sources if _ref(one) not in done)
        model, cache = self._model_cache.model(name), self._model_cache.cache
        try:
            may_go_on = partial(self.steps.may_go_on, self._model_cache.gate)
            yield from search(model, left, word, cache=cache, may_go_on=may_go_on)
        except (UnknownWord, InvalidPrompt) as error:
            yield error

    def _deliver(self, step: object) -> None:
        if not isinstance(step, PlaneFindings):
            self.refused.emit(step)
            return
        if not step.problem:
            self._done.add(step.place)
        self.seen.emit(step)


def _ref(source: PlaneSource | Unreadable) -> PlaneRef:
    return source.ref if isinstance(source, Unreadable) else plane_ref(source)
