"""What the models of the registry can do: a protocol for each ability, joined for type checkers."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .adaptable import AdaptableModel
from .base import BatchPredictor, Model
from .context import ContextModel
from .in_context import InContextModel
from .teachable import TeachableModel


class ExampleModel(Model, InContextModel, Protocol):
    """A model that labels by example: SegGPT."""


@runtime_checkable
class DecoderModel(Model, Protocol):
    """A model that finds everything by a second network, where there is one: SAM.

    Attributes
    ----------
    finds_by : str
        What finds everything, with a checksum of its weights if it has any.
    """

    finds_by: str


class EveryAbility(
    InContextModel, TeachableModel, AdaptableModel, ContextModel, BatchPredictor, Protocol
):
    """A model with every ability: the compact one."""
