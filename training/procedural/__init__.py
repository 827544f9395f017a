"""Made-up pictures with exact masks, as wide as a program can make them."""

from __future__ import annotations

from training.procedural.pool import load_pool, write_pool
from training.procedural.scene import FAMILIES, Sample, generate

__all__ = ["FAMILIES", "Sample", "generate", "load_pool", "write_pool"]
