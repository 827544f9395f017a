"""What the models of the registry can do: a protocol for each ability, joined for type checkers."""

from __future__ import annotations

from typing import Protocol

from .adaptable import AdaptableModel
from .base import BatchPredictor, Model
from .context import ContextModel
from .in_context import InContextModel
from .teachable import TeachableModel


class ExampleModel(Model, InContextModel, Protocol):
    """A model that labels by example: SegGPT."""


class EveryAbility(
    InContextModel, TeachableModel, AdaptableModel, ContextModel, BatchPredictor, Protocol
):
    """A model with every ability: the compact one."""
