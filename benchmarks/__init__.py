"""Benchmarks that give the figures of the docs: `python -m benchmarks clicks DIR` and so on."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from napari_seem.errors import NapariSeemError

BENCHES = (
    "adapt", "clicks", "compare", "concepts", "day", "everything", "finetune", "in-context", "jobs",
    "latency", "objects", "pixels", "propagate", "sam", "scale", "seem", "seggpt", "tables",
)  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Run the benchmark that is named first."""
    if not argv or argv[0] not in BENCHES:
        raise NapariSeemError(f"name a benchmark: {', '.join(BENCHES)}")
    module = importlib.import_module(f"{__name__}.{argv[0].replace('-', '_')}")
    return int(module.main(list(argv[1:])) or 0)
