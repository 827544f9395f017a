"""Benchmarks: `napari-seem bench clicks` and the like; every figure of the docs is theirs."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from ..errors import NapariSeemError

BENCHES = {
    "adapt": "napari_seem.bench.adapt",
    "clicks": "napari_seem.bench.clicks",
    "concepts": "napari_seem.bench.concepts",
    "everything": "napari_seem.bench.everything",
    "in-context": "napari_seem.bench.in_context",
    "latency": "napari_seem.bench.latency",
    "propagate": "napari_seem.bench.propagate",
    "scale": "napari_seem.bench.scale",
    "seem": "napari_seem.bench.seem",
    "seggpt": "napari_seem.bench.seggpt",
}


def main(argv: Sequence[str]) -> int:
    """Run the bench that is named first."""
    if not argv or argv[0] not in BENCHES:
        raise NapariSeemError(f"name a bench: {', '.join(BENCHES)}")
    return int(importlib.import_module(BENCHES[argv[0]]).main(list(argv[1:])) or 0)
