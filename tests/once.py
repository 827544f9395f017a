"""What napari and vispy work out anew each time, and is the same each time, kept for the process.

Each is the library's own function, whose answer depends on nothing but what it is kept by; another
version that has it no more goes on without.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from types import FunctionType, MethodType
from typing import Any


def _replace(home: Any, name: str, made: Callable[[Any], Any]) -> None:
    """Put what is made of a function in its place."""
    own = inspect.getattr_static(home, name, None)
    if own is not None:
        setattr(home, name, made(own))


@cache
def quicken_napari() -> None:
    """Keep what napari asks of each function it calls and of each model, with and without windows.

    It was an eighth of what a test of a dock takes.
    """
    from napari.utils.events import event, evented_model

    _replace(event.EventEmitter, "_check_signature", _by_code)
    group = event.EmitterGroup
    if "__contains__" not in vars(group):  # else `in` goes through all names
        group.__contains__ = lambda self, name: name in self.emitters
    _replace(evented_model.EventedModel, "__getattr__", _from_private)


@cache
def quicken_vispy() -> None:
    """Keep what vispy reads from the source of a program; each layer has several programs."""
    from vispy.gloo import glir, program
    from vispy.visuals.shaders import function

    _replace(glir, "_convert_desktop_shader", cache)
    _replace(function.Function, "_clean_code", _of_text)
    _replace(program.Program, "_parse_variables_from_code", _of_sources)


def _by_code(own: staticmethod) -> staticmethod:
    """Which arguments a plain function or method takes is the same each time it is made."""
    known: dict[tuple[object, ...], bool] = {}

    def takes_event(function: Callable[..., Any]) -> bool:
        bound = isinstance(function, MethodType)
        plain = function.__func__ if bound else function
        if not isinstance(plain, FunctionType) or vars(plain):  # such as what wraps another
            return own.__func__(function)
        key = plain.__code__, len(plain.__defaults__ or ()), bound
        if key not in known:
            known[key] = own.__func__(function)
        return known[key]

    return staticmethod(takes_event)


def _from_private(own: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Give a private attribute at once, where pydantic first looks whether it is a descriptor."""

    @cache
    def is_plain(kind: type, name: str) -> bool:
        attribute = kind.__private_attributes__.get(name)
        return attribute is not None and not hasattr(attribute, "__get__")

    def get(model: Any, name: str) -> Any:
        if is_plain(type(model), name):
            try:
                return object.__getattribute__(model, "__pydantic_private__")[name]
            except (AttributeError, KeyError, TypeError):
                pass  # it is not made yet
        return own(model, name)

    return get


def _of_text(own: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    clean = cache(lambda text: own(None, text))
    return lambda _, text: clean(text)


def _of_sources(own: Callable[..., None]) -> Callable[..., None]:
    """The variables of a program are those that its two sources name."""
    known: dict[tuple[str, ...], dict[str, tuple[Any, ...]]] = {}

    def parse(program: Any, update_variables: bool = True) -> None:
        sources = tuple(shader.code for shader in program._shaders)
        if sources not in known:
            own(program, False)
            known[sources] = program._code_variables
        program._code_variables = dict(known[sources])
        if update_variables:
            program._process_pending_variables()

    return parse
