"""torch imported in a thread, while the others go on.

Measured in napari with a timer of 5 ms (as `python -m benchmarks latency` does): a plain
`import torch` in a thread stops the main thread three times, for 0.3 to 0.7 s each: once while the
libraries are mapped, as Python's own loader keeps the interpreter's lock, and twice while the
garbage collector looks through the objects of napari and torch.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import MissingPackage

TORCH_FIRST = 'python -c "import torch, napari.__main__ as n; n.main()"'
DLL_FAILED = frozenset({126, 127, 182, 1114})
"""Errors of Windows: a library, or what it needs, was not found or could not begin."""
_lock = threading.Lock()


def import_torch() -> None:
    """Import torch, where it is not imported yet, so that other threads are hardly held up.

    Raises
    ------
    MissingPackage
        Windows can't load its libraries.
    """
    with _lock:
        if "torch" not in sys.modules:
            _map_libraries()
            with _without_collection(), _with_remedy():
                import torch  # noqa: F401


@contextmanager
def _with_remedy() -> Iterator[None]:
    """Say what helps where Qt was first: torch 2.9 and later then fails on some Windows.

    See https://github.com/pytorch/pytorch/issues/166628.
    """
    try:
        yield
    except OSError as error:
        if getattr(error, "winerror", None) not in DLL_FAILED:
            raise
        raise MissingPackage(
            f"Windows can't load the libraries of torch ({error}); if 'python -c \"import torch\"' "
            f'works, Qt was in its way: start napari by {TORCH_FIRST}, or install "torch<2.9"'
        ) from error


def _map_libraries() -> None:
    """Map torch's libraries as torch will do it, in the same order, but without Python's lock.

    A function called by `ctypes` runs without it, unlike `ctypes.CDLL`. What fails here is left to
    torch, which knows remedies and reports it.
    """
    spec = importlib.util.find_spec("torch")
    if os.name != "posix" or spec is None or spec.origin is None:
        return  # torch does likewise itself on Windows
    folder, ending = Path(spec.origin).parent / "lib", "dylib" if sys.platform == "darwin" else "so"
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name, scope in (("libtorch_global_deps", os.RTLD_GLOBAL), ("libtorch", os.RTLD_LOCAL)):
        dlopen(os.fsencode(folder / f"{name}.{ending}"), os.RTLD_LAZY | scope)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Let no garbage be looked for meanwhile, nor at once afterwards among all that is new."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # now all objects count as old, without having been looked through
        gc.enable()
