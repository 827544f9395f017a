"""`napari-seem info`: what a report of a problem should hold."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

from ..io.extras import EXTRA_OF
from ..models.running.machine import compute_facts, weights_facts

LIBRARIES = (
    "napari", "PyQt6", "PySide6", "numpy", "scipy", "scikit-image", "torch", "dask", "pandas",
    "tokenizers", *("python-gdcm" if name == "gdcm" else name for name in EXTRA_OF),
)  # fmt: skip
"""Packages whose versions are listed; those that are missing are named as such."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    info = commands.add_parser(
        "info", help="print versions, processor and weights, for a report",
        description="Print what a report of a problem should hold: versions, system, instruction "
        "set, threads, devices, and the sha256 of each model's weights.",
    )  # fmt: skip
    info.set_defaults(run=_info)


def _info(_: argparse.Namespace) -> int:
    from .. import __version__

    facts = {
        "napari-seem": __version__,
        "Python": platform.python_version(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
    }
    for title, part in (
        ("", facts), ("Computing", compute_facts()), ("Weights", weights_facts()),
        ("Packages", {name: _version(name) for name in LIBRARIES}),
    ):  # fmt: skip
        if title:
            print(f"\n{title}")
        for name, value in part.items():
            print(f"  {name:16s} {value}")
    return 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
