"""Keys that several docks of a viewer want: the one that was used last has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from weakref import ReferenceType, WeakKeyDictionary, ref

if TYPE_CHECKING:
    from napari.utils.key_bindings import KeymapProvider

    from .dock import Dock

Claim = tuple["ReferenceType[Dock]", Mapping[str, str]]
_CLAIMS: WeakKeyDictionary[KeymapProvider, list[Claim]] = WeakKeyDictionary()
"""By viewer or layer; the last one counts."""


def claim(target: KeymapProvider, owner: Dock, names: Mapping[str, str]) -> None:
    """Bind keys of a viewer or a layer to what a dock does; who had them gets them back later.

    Parameters
    ----------
    target : ViewerModel or Layer
    owner : Dock
    names : mapping of key to a name
        As of `Dock.act`.
    """
    claims = _CLAIMS.setdefault(target, [])
    if claims and claims[-1][0]() is owner:
        return
    claims[:] = [one for one in claims if one[0]() not in (owner, None)]
    claims.append((ref(owner), names))
    _bind(target, claims[-1])


def let_go(owner: Dock) -> None:
    """Unbind a dock's keys, or bind those of who had them before."""
    for target, claims in list(_CLAIMS.items()):
        mine = [one for one in claims if one[0]() is owner]
        claims[:] = [one for one in claims if one[0]() not in (owner, None)]
        for key in (key for _, names in mine for key in names):
            target.bind_key(key, None, overwrite=True)
        for one in claims if mine else ():
            _bind(target, one)


def is_claimed(target: KeymapProvider, text: str) -> bool:
    """Whether a dock has the key of a letter or sign, such as "k", on a viewer or layer."""
    every = _CLAIMS.get(target, ())
    return any(text.upper() in names for owner, names in every if owner() is not None)


def _bind(target: KeymapProvider, claimed: Claim) -> None:
    owner, names = claimed
    for key, name in names.items():
        target.bind_key(key, _calling(owner, name), overwrite=True)


def _calling(owner: ReferenceType[Dock], name: str) -> Callable[[object], None]:
    def call(_: object) -> None:
        present = owner()
        if present is not None:
            present.act(name)  # napari takes what a binding returns for a generator

    return call
