"""Libraries that only some people need."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from ..errors import MissingPackage

EXTRA_OF = {
    "nibabel": "medical", "pydicom": "medical", "highdicom": "medical", "gdcm": "medical",
    "rasterio": "geo", "imagecodecs": "codecs", "zarr": "zarr", "distributed": "cluster",
    "cryptography": "cluster", "transformers": "sam", "xxhash": "sam",
}  # fmt: skip


def need(module: str) -> ModuleType:
    """Import a module of an optional library; `MissingPackage` says how to install it."""
    package = module.split(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackage(
            f"this needs the package {package}; install it with "
            f'pip install "napari-seem[{EXTRA_OF[package]}]"'
        ) from error
