"""Keys that several docks of a viewer want: the one that was used last has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from .forms import without_arguments

Claim = tuple["ReferenceType[Any]", Mapping[str, str]]
_CLAIMS: WeakKeyDictionary[Any, list[Claim]] = WeakKeyDictionary()
"""By viewer; the last one counts."""


def claim(viewer: Any, owner: Any, methods: Mapping[str, str]) -> None:
    """Bind keys of a viewer to methods of an owner; who had them before gets them back later.

    Parameters
    ----------
    viewer : ViewerModel
    owner : object
    methods : mapping of key to the name of a method
    """
    claims = _CLAIMS.setdefault(viewer, [])
    if claims and claims[-1][0]() is owner:
        return
    claims[:] = [one for one in claims if one[0]() not in (owner, None)]
    claims.append((ref(owner), methods))
    _bind(viewer, claims[-1])


def let_go(viewer: Any, owner: Any) -> None:
    """Unbind an owner's keys, or bind those of who had them before."""
    claims = _CLAIMS.get(viewer, [])
    mine = [one for one in claims if one[0]() is owner]
    claims[:] = [one for one in claims if one[0]() not in (owner, None)]
    for _, methods in mine:
        for key in methods:
            viewer.bind_key(key, None, overwrite=True)
    for one in claims:
        _bind(viewer, one)


class Bindings:
    """Slots bound to keys of a viewer and its layers, until they are let go of.

    Parameters
    ----------
    slots : mapping of str to callable
    """

    def __init__(self, slots: Mapping[str, Callable[[], object]]) -> None:
        self._slots = slots
        self._made: list[tuple[Any, str]] = []

    def bind(self, target: Any, keys: Mapping[str, str]) -> None:
        """Bind the keys of slots on a viewer or a layer that has none yet."""
        if any(target is known for known, _ in self._made):
            return
        for name, key in keys.items():
            target.bind_key(key, without_arguments(self._slots[name]), overwrite=True)
            self._made.append((target, key))

    def let_go(self) -> None:
        """Unbind all."""
        for target, key in self._made:
            target.bind_key(key, None, overwrite=True)
        self._made.clear()


def _bind(viewer: Any, claimed: Claim) -> None:
    owner, methods = claimed
    for key, method in methods.items():
        viewer.bind_key(key, _calling(owner, method), overwrite=True)


def _calling(owner: ReferenceType[Any], method: str) -> Callable[[Any], None]:
    def call(_: Any) -> None:
        present = owner()
        if present is not None:
            getattr(present, method)()  # napari takes what a binding returns for a generator

    return call
