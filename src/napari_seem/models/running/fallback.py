"""A model on graphics that fail goes on on the processor, as a whole, and says so once.

Graphics of Macs lack operators and types, and graphics of any kind run out of memory. The call
that failed is done again on the processor, and so are calls that were under way meanwhile; encoded
images are taken along when they are next used. Name and identity of the model stay, and with them
what was encoded and logged.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial, wraps
from itertools import islice
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast

from ...errors import DeviceWarning, NapariSeemError
from ..answers import PICTURE, Embedding, Prediction, once
from ..base import Model
from . import mps

LOG = logging.getLogger(__name__)
PROCESSOR = "cpu"
CUDA = "cuda"
LONGEST = 160
"""Letters of an error of torch that a person is shown."""
P = ParamSpec("P")
T = TypeVar("T")
Report = Callable[[str], object]
ERRORS = (RuntimeError, TypeError)
"""What torch raises for what a device can't do."""


def warn(text: str) -> None:
    """Tell a script what became of its device."""
    warnings.warn(text, DeviceWarning, stacklevel=2)


def refused(device: str, error: Exception) -> bool:
    """Whether an error is the device's, rather than one of the input."""
    import torch

    kind = device.partition(":")[0]
    if kind == CUDA:
        return isinstance(error, torch.cuda.OutOfMemoryError)
    if kind != mps.KIND or isinstance(error, NapariSeemError):
        return False
    return isinstance(error, RuntimeError) or "MPS" in str(error)  # a TypeError names float64


def said_of(name: str, device: str, error: Exception) -> str:
    """Say why a model runs on the processor from now on."""
    why = next(iter(str(error).splitlines()), "") or type(error).__name__
    why = f"{why[:LONGEST]}..." if len(why) > LONGEST else why.rstrip(".")
    return (
        f"'{name}' failed on the graphics ('{device}') and goes on on the processor, more slowly, "
        f"until it is loaded again ({why}); choose the device 'cpu' to begin there"
    )


class Place:
    """Where a model and its copies compute: on graphics, until these fail.

    Parameters
    ----------
    device : str
        Of the graphics.
    report : callable
        Told once what failed, in the thread of the call.

    Attributes
    ----------
    failed : bool
        Whether the processor computes now.
    """

    def __init__(self, device: str, report: Report = warn) -> None:
        self.device, self.failed = device, False
        self._report = report
        self._leaving = threading.RLock()

    def entered(self) -> AbstractContextManager[None]:
        """Return what to hold while something is done there."""
        return mps.entered(self.device)

    def bring(self, model: Any, given: object) -> None:
        """Take a model, or a copy of it, and the embeddings in its arguments to the processor."""
        import torch

        with self._leaving, torch.inference_mode(False):  # weights may be trained later
            if model.device != PROCESSOR:
                model.use_device(PROCESSOR)
            for embedding in _embeddings(given):
                _bring_embedding(embedding)

    def leave(self, model: Any, error: Exception) -> None:
        """Compute on the processor from now on, because of an error."""
        with self._leaving:
            first, self.failed = not self.failed, True
            if first:
                LOG.warning("%s left %s", model.name, self.device, exc_info=error)
                self._report(said_of(model.name, self.device, error))


def build_on(device: str, name: str, build: Callable[[str], Model], report: Report = warn) -> Model:
    """Build a model on a device, or on the processor where the device refuses.

    Parameters
    ----------
    device, name : str
        As of `load_model`.
    build : callable
        Builds it on the device that is given.
    report : callable
        Given a sentence for people, once, if the model leaves the device, now or later.
    """
    try:
        with mps.entered(device):
            return on_device(build(device), device, report)
    except ERRORS as error:
        if not refused(device, error):
            raise
        why = said_of(name, device, error)
    model = build(PROCESSOR)
    report(why)
    return model


def on_device(model: Model, device: str, report: Report = warn) -> Model:
    """Let a model leave its graphics where they fail, and Macs' be used by a thread at a time.

    The model has `device` and `use_device`. Nothing is changed on a processor.
    """
    kind = device.partition(":")[0]
    if kind in (mps.KIND, CUDA):
        mps.prepare(kind)
        model.__class__ = _guarded(type(model), Place(device, report))  # so for copies, too
    return model


def has_left(model: object) -> bool:
    """Whether a model was loaded on graphics, and has left them."""
    place = getattr(model, "place", None)
    return isinstance(place, Place) and place.failed


def _guarded(kind: type, place: Place) -> type:
    """Return the class with a guard around every public method but `use_device`."""
    names = {
        name
        for one in kind.__mro__
        for name, value in vars(one).items()
        if isinstance(value, FunctionType) and not name.startswith("_")
    }
    methods = {name: _guarding(getattr(kind, name), place) for name in names - {"use_device"}}
    return type(kind.__name__, (kind,), {**methods, "place": place, "__module__": kind.__module__})


def _guarding(method: Callable[P, T], place: Place) -> Callable[P, T]:
    """Return a method that is done again on the processor where the graphics fail."""

    @wraps(method)
    def call(*args: P.args, **options: P.kwargs) -> T:
        model, *given = args
        again = _Call(place, model, (given, *options.values()), lambda: method(*args, **options))
        with place.entered():
            return again.kept(again.done(again.anew))

    return call


@dataclass(eq=False)
class _Call(Generic[T]):
    """A call of a method, and what it still computes later."""

    place: Place
    model: object
    given: object
    anew: Callable[[], T]
    """Does the call, or what is left of it, from its beginning."""

    def __post_init__(self) -> None:
        self._there = not self.place.failed

    def done(self, work: Callable[[], T]) -> T:
        """Do `work`; where the graphics fail, or failed meanwhile, call `anew` on the processor."""
        if not self._there:
            self.place.bring(self.model, self.given)
        try:
            return work()
        except ERRORS as error:
            if not self._there or not (self.place.failed or refused(self.place.device, error)):
                raise
            self._there = False
            self.place.leave(self.model, error)
        self.place.bring(self.model, self.given)
        return self.anew()

    def kept(self, answer: T) -> T:
        """Guard what an answer computes later, too."""
        if isinstance(answer, Iterator):
            return cast("T", self._steps(answer))
        if isinstance(answer, Prediction) and answer.others is not None:
            object.__setattr__(answer, "others", once(self._others(answer.others)))
        return answer

    def _others(self, others: Callable[[], Any]) -> Callable[[], list[Prediction]]:
        def anew() -> list[Prediction]:
            answer: Any = self.anew()
            return list(answer.others() if answer.others else ())

        def guarded() -> list[Prediction]:
            with self.place.entered():
                return later.done(lambda: list(others()))

        later = self._with(anew)
        return guarded

    def _steps(self, found: Iterator[Any]) -> Iterator[Any]:
        """Go through an iterator; what was yielded before the graphics failed is skipped then."""
        taken, ended = 0, object()

        def skipped() -> Any:
            nonlocal found
            found = islice(cast("Iterator[Any]", self.anew()), taken, None)
            return next(found, ended)

        later = self._with(skipped)
        while True:
            with self.place.entered():
                value = later.done(lambda: next(found, ended))
            if value is ended:
                return
            yield self._with(partial(self._one, taken)).kept(value)
            taken += 1

    def _one(self, number: int) -> Any:
        return next(islice(cast("Iterator[Any]", self.anew()), number, None))

    def _with(self, anew: Callable[[], Any]) -> _Call[Any]:
        """Return what is left of the call."""
        later = _Call(self.place, self.model, self.given, anew)
        later._there = self._there
        return later


def _embeddings(given: object) -> Iterator[Embedding]:
    """Yield the embeddings among arguments, such as those of references and examples."""
    if isinstance(given, Embedding):
        yield given
    elif isinstance(given, (list, tuple)):
        for one in given:
            yield from _embeddings(one)
    else:
        yield from _embeddings(getattr(given, "embedding", ()))


def _bring_embedding(embedding: Embedding) -> None:
    if all(tensor.device.type == PROCESSOR for tensor in embedding.tensors.values()):
        return
    here = {name: tensor.to(PROCESSOR) for name, tensor in embedding.tensors.items()}
    object.__setattr__(embedding, "tensors", here)
    for name in set(embedding.scratch) - {PICTURE}:
        del embedding.scratch[name]
    for level in getattr(embedding, "levels", ()):
        level.use_device(PROCESSOR)
