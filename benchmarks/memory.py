"""How much memory this process took."""

from __future__ import annotations

import importlib
import sys


def peak() -> float:
    """Return the most memory that this process has had so far, in MiB; nan where none is told."""
    try:
        resource = importlib.import_module("resource")  # not on Windows
    except ImportError:
        return float("nan")
    most = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)
