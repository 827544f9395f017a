"""What graphics of Macs (torch's device "mps") need: one call at a time, plain layout, no float64.

Two threads that compute there at once can end the process. A model on it is therefore entered by
one thread at a time, by whichever of its methods; encoders in the background let others in at
their checkpoints. What torch has no code for there runs on the processor; see `napari_seem`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from types import FunctionType
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from ..answers import Prediction, once
from .patience import LOCK

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..base import Model

LOG = logging.getLogger(__name__)
KIND = "mps"
P = ParamSpec("P")
T = TypeVar("T")
_FALLS_BACK = r"The operator .*MPS"


def entered(device: str) -> AbstractContextManager[None]:
    """Return what to hold while something is done on a device."""
    return LOCK if device.partition(":")[0] == KIND else nullcontext()


def one_at_a_time(model: Model, device: str) -> Model:
    """Let one thread at a time use a model on graphics of a Mac; others are left as they are."""
    if device.partition(":")[0] == KIND:
        warnings.filterwarnings("ignore", message=_FALLS_BACK)
        LOG.info("what this Mac's graphics lack runs on the processor")
        model.__class__ = _guarded(type(model))  # copies, such as with other words, keep it
    return model


def layout(device: torch.device) -> torch.memory_format:
    """Return how maps lie in memory: processors convolve channels that lie last faster.

    Slices of such maps are convolved wrongly on some Macs, where they lie plainly therefore.
    """
    import torch

    return torch.contiguous_format if device.type == KIND else torch.channels_last


def wide(tensor: Tensor) -> Tensor:
    """Return a tensor of any shape as float64, on the processor if its device has no such type."""
    return (tensor.cpu() if tensor.device.type == KIND else tensor).double()


@cache
def _guarded(kind: type) -> type:
    """Return the class with a lock around every public method."""
    names = {
        name
        for one in kind.__mro__
        for name, value in vars(one).items()
        if isinstance(value, FunctionType) and not name.startswith("_")
    }
    methods = {name: _locking(getattr(kind, name)) for name in names}
    return type(kind.__name__, (kind,), {**methods, "__module__": kind.__module__})


def _locking(method: Callable[P, T]) -> Callable[P, T]:
    """Return a method that holds the lock, also while what it returns is computed later."""

    @wraps(method)
    def call(*args: P.args, **options: P.kwargs) -> T:
        with LOCK:
            return _kept_apart(method(*args, **options))

    return call


def _kept_apart(answer: T) -> T:
    """Let what an answer computes later hold the lock, too."""
    if isinstance(answer, Iterator):
        return cast("T", _steps(answer))
    if isinstance(answer, Prediction) and answer.others is not None:
        others = answer.others

        def locked() -> list[Prediction]:
            with LOCK:
                return list(others())

        object.__setattr__(answer, "others", once(locked))
    return answer


def _steps(found: Iterator[T]) -> Generator[T, None, object]:
    while True:
        with LOCK:
            try:
                value = next(found)
            except StopIteration as end:
                return end.value
        yield _kept_apart(value)
