"""The record of what a command did, beside the labels that it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..edits import ObjectTable
    from ..intensity import IntensityWindow
    from ..labels.recorder import Recorder
    from ..planes import Plane
    from ..propagation import PlaneResult


class CommandRecord:
    """Records one command on one image.

    Parameters
    ----------
    labels : integer array
        As they are before.
    image : array
        Channels last.
    source : Path
        Of the image.
    look : IntensityWindow, optional
        As which a model is shown it.
    empty : bool
        The labels hold nothing.
    """

    def __init__(
        self, labels: Any, image: Any, source: Path, look: IntensityWindow | None = None, *,
        empty: bool = True,
    ) -> None:  # fmt: skip
        from ..intensity import IntensityWindow
        from ..labels.recorder import Recorder

        self.recorder: Recorder = Recorder(labels, source.stem, empty=empty)
        self._colours = image.ndim > labels.ndim
        number = self.seen(image, source)
        self.shown = {"images": [number], "looks": [(look or IntensityWindow()).to_dict()]}

    def seen(self, image: Any, source: Path) -> int:
        """Number of an image in the record."""
        from ..sources.identity import image_to_dict

        path = str(source.absolute())
        return self.recorder.image(image_to_dict(image, source.stem, path, self._colours))

    def done(
        self, kind: str, labels: Any, table: ObjectTable | None = None, plane: Plane | None = None,
        **details: Any,
    ) -> None:  # fmt: skip
        """Note what was done to a plane; by default to the only one."""
        from ..labels.provenance import plane_to_dict
        from ..planes import Plane

        rows = None if table is None else rows_of(table)
        where = plane or Plane.of(labels.shape)
        area = tuple(slice(None) if at is None else slice(at, at + 1) for at in where.index)
        told = {**self.shown, "plane": plane_to_dict(where), **details}
        self.recorder.done(kind, labels, area, told, rows)

    def write(self, labels: Any, output: Path) -> Path:
        """Write the log beside the labels' file; gives where."""
        from ..labels.log import log_path, write_log

        return write_log(log_path(output), self.recorder.saved(labels, output.name))


def rows_of(table: ObjectTable) -> dict[str, dict[str, Any]]:
    """The table of objects as the record has it."""
    from ..io.table import rows_of as plain_rows

    rows = plain_rows(table)
    return {str(row["index"]): {k: v for k, v in row.items() if k != "index"} for row in rows}


def _nothing(labels: Any) -> Any:
    """An array like another that holds nothing and takes no room."""
    return np.broadcast_to(np.zeros((), labels.dtype), labels.shape)


def content_of(image: Any) -> str:
    """Name of what a model was shown; "" of an image too big for one pass."""
    from ..embeddings import content_key
    from ..sources import is_big

    return "" if is_big(image.shape) else content_key(image)


def segmented(
    output: Path, image: Any, source: Path, look: IntensityWindow, labels: Any, table: ObjectTable,
    **details: Any,
) -> None:  # fmt: skip
    """Record what `segment` did: `committed` with prompts, else `found`."""
    kind = "committed" if "prompts" in details else "found"
    record = CommandRecord(_nothing(labels), image, source, look)
    record.done(kind, labels, table, overwrite=False, replaces=False, **details)
    record.write(labels, output)


class CarryRecord:
    """Records `propagate`: the seeds, how they are carried, and every plane as it comes.

    Parameters
    ----------
    seeds : integer array-like of three axes
        The labels it begins with; read by the piece.
    image, source, look
        The stack, channels last, its file, and as which it is shown.
    axis : int
    model : dict or None
        Name and weights.
    """

    def __init__(
        self, seeds: Any, image: Any, source: Path, look: IntensityWindow, axis: int,
        model: dict[str, Any] | None,
    ) -> None:  # fmt: skip
        self._record = CommandRecord(seeds, image, source, look, empty=False)
        self._seeds, self._axis, self._model = seeds, axis, model
        self._labels: Any = None
        self._own = False
        self._events: list[dict[str, Any]] = []

    def begun(self, seeds: Sequence[int], method: str, *, find_new: bool, out: Any = None) -> None:
        """The labels of some planes are to be carried; into `out`, where others write them."""
        from ..labels.provenance import plane_to_dict

        self._own = out is None
        self._labels = np.array(self._seeds, np.int32) if out is None else out
        self._record.recorder.note("propagating", {
            **self._record.shown, "run": "1", "plane": plane_to_dict(self._place(0)),
            "axis": self._axis, "model": self._model, "method": method, "only": None,
            "within": [0, int(self._labels.shape[self._axis])], "find_new": find_new,
            "stop_below": 0.0, "resumes": False, "seeds": [int(k) for k in seeds],
        })  # fmt: skip

    def carried(self, result: PlaneResult) -> None:
        """One plane is done."""
        place = self._place(result.index)
        if self._own:
            place.read(self._labels)[...] = result.labels
        self._record.done("carried", self._labels, None, place, run="1", index=result.index,
                          score=result.score, model=self._model)  # fmt: skip

    def ended(self, labels: Any, name: str) -> None:
        """All planes are done; objects that turned out to be one have one id in `labels`."""
        self._record.recorder.done("joined", labels, None, {})
        self._events = self._record.recorder.saved(labels, name)

    def write(self, output: Path) -> None:
        """Write the log beside the labels' file."""
        from ..labels.log import log_path, write_log

        write_log(log_path(output), self._events)

    def _place(self, k: int) -> Plane:
        from ..planes import Plane

        return Plane.across(self._axis, k)


def labelled(
    output: Path, image: Any, source: Path, labels: Any, examples: Sequence[tuple[Any, Any, Path]],
    learning: dict[str, Any],
) -> None:  # fmt: skip
    """Record what `label-like` did to one image."""
    from ..embeddings import content_key
    from ..intensity import IntensityWindow
    from ..labels.patches import pack_ids
    from ..labels.provenance import plane_to_dict
    from ..planes import Plane

    record = CommandRecord(_nothing(labels), image, source)
    told = [
        {"images": [record.seen(pixels, path)], "looks": [IntensityWindow().to_dict()],
         "plane": plane_to_dict(Plane.of(ids.shape)), "content": content_key(pixels),
         "labels": pack_ids(ids)}
        for pixels, ids, path in examples
    ]  # fmt: skip
    record.recorder.note("learning", {"run": "1", "examples": told, **learning})
    record.done("labelled_like", labels, None, run="1", model=learning["model"],
                content=content_key(image))  # fmt: skip
    record.write(labels, output)
