"""The command line: `napari-seem COMMAND`.

Each command tells its options: `napari-seem segment --help`.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import DeviceWarning, NapariSeemError
from ..models.running.torch_import import import_torch
from . import (
    embed,
    find,
    info,
    measure,
    models,
    pixels,
    recover,
    replay,
    segment,
    series,
    stacks,
    teach,
    train,
    words,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 where it worked, 2 where the input was at fault."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _write_any_letter()
    if arguments[:1] == ["demo"]:
        return _guarded(lambda: _demo(arguments[1:]))
    if arguments[:1] == ["bench"]:
        return _guarded(lambda: _bench(arguments[1:]))
    if arguments[:1] == ["batch"]:
        from .batch import main as batch

        return _guarded(lambda: batch(arguments[1:]))
    options = _parser().parse_args(arguments)
    return _guarded(lambda: options.run(options))


def _write_any_letter() -> None:
    """Let no letter end a command: what a redirected output can't hold is written as its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _guarded(command: Callable[[], int | None]) -> int:
    """Our own errors end in one line on stderr, not in a stack trace; so do our warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", DeviceWarning)
            warnings.showwarning = _saying_device(warnings.showwarning)
            return int(command() or 0)
    except (NapariSeemError, OSError) as error:
        print(f"napari-seem: {error}", file=sys.stderr)
        return 2


def _saying_device(others: Callable[..., None]) -> Callable[..., None]:
    """Return what shows warnings: what became of a device in one line, others as before."""

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, DeviceWarning):
            print(f"napari-seem: {message}", file=sys.stderr)
        else:
            others(message, category, *where)

    return show


def _demo(arguments: list[str]) -> int:
    if sys.platform == "win32":
        import_torch()  # which may fail to load its libraries after Qt
    from ..demo import main as demo

    return demo(arguments)


def _bench(arguments: Sequence[str]) -> int:
    """Run a benchmark of the source checkout; the installed package holds none."""
    root = Path(__file__).parents[3]
    if not (root / "benchmarks" / "__main__.py").exists():
        raise NapariSeemError(
            "the benchmarks come with the source code: run `python -m benchmarks` in a checkout"
        )
    sys.path.insert(0, str(root))
    return int(import_module("benchmarks").main(arguments))


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command of the installed package, for the documentation."""
    from ..demo.run import parser as demo
    from .batch import parser as batch

    *_, commands = _parser()._actions
    assert isinstance(commands, argparse._SubParsersAction)
    found = dict(commands.choices)
    del found["bench"]
    return found | {"demo": demo(), "batch": batch()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="napari-seem", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("demo", help="segment samples in a real viewer")
    commands.add_parser("bench", help="run the benchmarks (only in a checkout)")
    commands.add_parser("batch", help="process whole folders: batch segment DIR -o OUT, ...")
    for command in (
        models,
        segment,
        stacks,
        pixels,
        embed,
        find,
        series,
        measure,
        replay,
        recover,
        teach,
        train,
        words,
        info,
    ):
        command.add_to(commands)
    return parser
