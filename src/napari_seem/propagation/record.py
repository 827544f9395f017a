"""The planes of a run in a file, from which a run that was killed goes on."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from hashlib import blake2b
from os import PathLike
from pathlib import Path

import numpy as np

from .. import __version__
from ..checks import as_path
from ..errors import FileTrouble
from ..io.guard import TEXT_BYTES, check_file, unpacked
from ..io.writing.disk import writing
from ..io.writing.whole import replacing, settle
from ..values import JsonObject
from .results import Event, PlaneResult
from .stack import Stack

FORMAT = "napari-seem propagation 1"
MOST_LINE = 1 << 28
"""Characters of a line at most; a plane of labels takes far less."""


def resume_path(output: Path) -> Path:
    """Return where the planes of a run are kept until its labels are written to a file."""
    return output.with_name(f"{output.name}.unfinished.jsonl")


class RunRecord:
    """A file with a line for every step of a run: the planes that it computed or changed.

    Parameters
    ----------
    path : str, Path or None
        None keeps nothing.
    stack : Stack
    seeds : mapping of int to PlaneResult
    settings : tuple
        What else the run depends on; a file of another run is begun anew.
    """

    def __init__(
        self, path: str | PathLike[str] | None, stack: Stack, seeds: Mapping[int, PlaneResult],
        settings: tuple[object, ...],
    ) -> None:  # fmt: skip
        self._path, self._shape = None if path is None else as_path(path), stack.plane_shape
        if path is None:
            return
        digest = blake2b(repr((__version__, stack.shape, stack.axis, settings)).encode())
        for number, seed in sorted(seeds.items()):
            for plane in (stack.read(number), seed.labels):
                digest.update(f"{number} {plane.dtype} {plane.shape}".encode())
                digest.update(np.ascontiguousarray(plane).data)
        self._head = {"format": FORMAT, "run": digest.hexdigest()}

    def begin(self) -> list[PlaneResult]:
        """Open the file; gives the planes (H, W) of a former run that stand in it.

        Raises
        ------
        FileTrouble
            There is a file of another kind, or it can't be written.
        """
        if self._path is None:
            return []
        found: dict[int, PlaneResult] = {}
        whole = [json.dumps(self._head)]
        for line, step in self._steps(self._path):
            found |= {one.index: one for one in step}
            whole.append(line)
        with replacing(texts={self._path: "\n".join([*whole, ""])}):
            return list(found.values())

    def add(self, results: Iterable[PlaneResult]) -> None:
        """Write the planes of a step, all or none of them."""
        if self._path is None:
            return
        rows = [_row(one) for one in results]
        note = "the planes before are kept; the same command, given again, goes on"
        with writing(self._path, note=note), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows) + "\n")

    def _steps(self, path: Path) -> Iterator[tuple[str, list[PlaneResult]]]:
        """The lines of a former run, up to one that was not written to its end."""
        settle(path.parent)
        if not path.exists():
            return
        check_file(path, TEXT_BYTES)
        try:
            with path.open(encoding="utf-8") as file:
                head = file.readline(MOST_LINE)
                if head and FORMAT not in head:
                    raise FileTrouble(
                        f"'{path}' is no record of a propagation; move it, or choose another name"
                    )
                if not head or json.loads(head) != self._head:
                    return
                while (line := file.readline(MOST_LINE)).endswith("\n"):
                    yield line.rstrip("\n"), [_result(row, self._shape) for row in json.loads(line)]
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, zlib.error,
                RecursionError):  # fmt: skip
            return


def _row(result: PlaneResult) -> dict[str, object]:
    """A plane as plain values."""
    packed = zlib.compress(np.asarray(result.labels, "<i4").tobytes(), 1)
    return {
        "plane": result.index, "labels": base64.b64encode(packed).decode(),
        "scores": {str(i): float(score) for i, score in result.scores.items()},
        "events": [astuple(event) for event in result.events], "erased": sorted(result.erased),
    }  # fmt: skip


def _result(row: JsonObject, shape: tuple[int, int]) -> PlaneResult:
    """Read back a plane (H, W); raises what damaged values raise."""
    size = 4 * shape[0] * shape[1]
    packed = base64.b64decode(row["labels"], validate=True)
    plain = unpacked(packed, size)
    labels = np.frombuffer(plain, "<i4").reshape(shape).astype(np.int32)
    return PlaneResult(
        int(row["plane"]), labels, {int(i): float(score) for i, score in row["scores"].items()},
        tuple(Event(*event) for event in row["events"]), False,
        frozenset(int(i) for i in row["erased"]),
    )  # fmt: skip
