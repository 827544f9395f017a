"""Progress of long work, as scripts ask for it: a bar, or a callable of their own."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from .checks import said
from .errors import InvalidArgument

Progress = Callable[[int, int | None, str], object]
"""Called with steps done, steps in all (None: nobody knows) and what is being done."""
T = TypeVar("T")


class Step(Protocol):
    """Called with steps done, and with steps in all where that was not known before."""

    def __call__(self, done: int, total: int | None = None) -> object:
        """Report."""


@contextmanager
def reporting(progress: bool | Progress | None, total: int | None, what: str) -> Iterator[Step]:
    """Give a function that reports how many steps are done.

    Parameters
    ----------
    progress : bool, callable or None
        True shows a bar by tqdm. A callable gets steps done, steps in all and `what`; an exception
        that it raises ends the work, and what is done stays.
    total : int or None
    what : str
        What is being done, such as "label images".

    Raises
    ------
    InvalidArgument
        `progress` is neither a bool nor callable.
    """
    if progress is None or progress is False:
        yield lambda done, total=None: None
    elif progress is True:
        from tqdm.auto import tqdm

        with tqdm(total=total, desc=what) as bar:
            yield lambda done, total=None: _show(bar, done, total)
    elif callable(progress):
        report = _of_three(progress)
        report(0, total, what)
        yield lambda done, in_all=None: report(done, in_all or total, what)
    else:
        raise InvalidArgument(
            f"progress is {said(progress)}; give True for a bar, or a callable (done, total, what)"
        )


def tracked(
    items: Iterable[T], progress: bool | Progress | None, what: str, total: int | None = None
) -> Iterator[T]:
    """Yield items, and report each one as done when the next is asked for; see `reporting`.

    `total` is by default the length of `items`, where they have one.
    """
    count = len(items) if total is None and isinstance(items, Sized) else total
    with reporting(progress, count, what) as report:
        for done, item in enumerate(items, 1):
            yield item
            report(done)


def _show(bar: Any, done: int, total: int | None) -> None:
    bar.total = total or bar.total
    bar.update(done - bar.n)


def _of_three(progress: Callable[..., object]) -> Progress:
    """Take callables of done and total, too, which were asked for before."""
    try:
        inspect.signature(progress).bind(0, None, "")
    except TypeError:
        warnings.warn(
            "progress is called with (done, total, what) from now on", DeprecationWarning, 4
        )
        return lambda done, total, what: progress(done, total)
    except ValueError:  # built-in functions need not tell
        pass
    return progress
