"""The demonstration: a real viewer, real images, prompts placed as a person places them."""

from __future__ import annotations

from .run import main

__all__ = ["main"]
