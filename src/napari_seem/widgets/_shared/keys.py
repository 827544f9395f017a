"""Keys that several docks of a viewer want: the one that was used last has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

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
