"""One task done, in whatever thread or process it lands: by the code that the docks use."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable
from ..errors import InvalidImage, InvalidLabels, NapariSeemError
from ..intensity import IntensityWindow, windowed, windowed_in_parts
from ..io.files import open_image, read_labels, write_labels
from ..io.images import channels_last, open_plane
from ..io.opened import Opened
from ..models.filters import Wanted, filtered
from ..models.registry import load_model
from .tasks import Kind, Outcome, Task


def do(task: Task) -> Outcome:
    """Do a task; whatever goes wrong is told in the outcome and ends nothing else."""
    start = time.perf_counter()
    try:
        told = _KINDS[task.kind](task)
    except (NapariSeemError, OSError) as error:
        return Outcome(task, "", time.perf_counter() - start, str(error))
    except Exception as error:  # noqa: BLE001  (one bad file must not end a night's run)
        where = traceback.format_exc(limit=-3)
        return Outcome(task, "", time.perf_counter() - start, f"{error!r}\n{where}")
    return Outcome(task, told, time.perf_counter() - start)


@lru_cache(maxsize=2)
def _model(name: str, device: str, library: tuple[str, str] | None = None) -> Any:
    """One model for all tasks of a process, knowing the words of a library."""
    from ..concepts import with_library

    return with_library(load_model(name, device=device), Path(library[0]) if library else None)


@lru_cache(maxsize=2)
def _lesson(name: str, device: str, examples: tuple[tuple[str, str], ...], kind: Any) -> Any:
    from ..in_context import encoded_examples

    pairs = [(open_plane(Path(i))[0], np.asarray(read_labels(Path(p))[0])) for i, p in examples]
    model = _model(name, device)
    return model.learn(encoded_examples(model, pairs, None), kind)


def _of(task: Task) -> Any:
    library = task.options.get("library")
    return _model(
        task.options.get("model", "compact"), task.options.get("device", "auto"),
        tuple(library) if library else None,
    )  # fmt: skip


def _embed(task: Task) -> str:
    from ..embeddings import EmbeddingCache, EmbeddingStore
    from ..embeddings.files import encode_files
    from ..sources import is_big

    store = EmbeddingStore(task.output, task.options.get("megabytes", 4096) << 20)
    cache = EmbeddingCache(0, store)
    done = list(
        encode_files(_of(task), [task.source], cache, task.options.get("axis"), _look(task), is_big)
    )
    cache.close()
    failed = [ready.problem for _, _, ready in done if ready.problem]
    if failed:
        raise InvalidImage(failed[0])
    return f"{len(done)} planes"


def _segment(task: Task) -> str:
    names = task.options.get("names")

    def find(model: Any, plane: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ObjectTable]:
        found = filtered(model.segment(model.encode(plane), names), _bounds(task))
        return found.labels, _table(found.instances, model.name)

    return _by_plane(task, find, big=_segment_big)


def _segment_big(task: Task, image: Any) -> tuple[Any, ObjectTable]:
    from ..sources import segment_tiled

    model = _of(task)
    found = segment_tiled(model, image, task.options.get("names"))
    wanted = _bounds(task)
    records = {
        one.label_id: ObjectRecord.made(one.name, one.score, model.name)
        for one in found.objects
        if wanted.admits(one.area, one.score, one.name)
    }
    if len(records) == len(found.objects):
        return found.labels, ObjectTable(records)
    return np.where(np.isin(found.labels, list(records)), found.labels, 0), ObjectTable(records)


def _bounds(task: Task) -> Wanted:
    return Wanted(**task.options.get("wanted", {}))


def _label_like(task: Task) -> str:
    options = task.options
    examples = tuple((str(image), str(labels)) for image, labels in options["examples"])
    name, device = options.get("model", "compact"), options.get("device", "auto")
    kind = options.get("kind", "semantic")

    def like(model: Any, plane: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ObjectTable]:
        found = model.label(_lesson(name, device, examples, kind), model.encode(plane))
        records = {i: ObjectRecord.made("", s, model.name) for i, s in found.scores.items()}
        return found.labels, ObjectTable(records)

    return _by_plane(task, like, renumber=kind == "instance")


def _propagate(task: Task) -> str:
    from ..propagation import Propagation

    opened = open_image(task.source)
    stack = channels_last(opened)
    labels = np.asarray(read_labels(Path(task.options["seeds"]))[0])
    if labels.shape != stack.shape[: labels.ndim] or labels.ndim != 3:
        raise InvalidLabels(
            f"'{task.options['seeds']}' has the shape {labels.shape}, '{task.source}' "
            f"{stack.shape}; give labels on the stack's own grid"
        )
    axis, method = task.options.get("axis") or 0, task.options.get("method", "model")
    seeds = {k: labels.take(k, axis) for k in range(labels.shape[axis])}
    look = _look(task).resolved(stack, stack.ndim > 3)
    model = _of(task) if method == "model" else None
    work = Propagation(
        model, windowed(stack, look, stack.ndim > 3), {k: p for k, p in seeds.items() if p.any()},
        axis, method=method, find_new=task.options.get("find_new", False),
    )  # fmt: skip
    planes = sum(1 for _ in work.run())
    grid = opened.grid if opened.grid.shape == labels.shape else None
    scores = {str(k): round(score, 3) for k, score in work.scores.items()}
    _write(task, work.labels, grid, ObjectTable(), {**_about(task, look), "planes": scores})
    return f"{planes} planes carried"


_KINDS: Mapping[Kind, Callable[[Task], str]] = {
    "embed": _embed, "segment": _segment, "propagate": _propagate, "label-like": _label_like,
}  # fmt: skip
Found = tuple[Any, ObjectTable]


def _by_plane(
    task: Task, find: Callable[[Any, npt.NDArray[Any]], Found],
    big: Callable[[Task, Any], Found] | None = None, renumber: bool = True,
) -> str:  # fmt: skip
    """Label an image, or a stack plane by plane, and write it.

    Parameters
    ----------
    task : Task
    find : callable
        Labels a plane.
    big : callable, optional
        Labels a plane that is too large for one pass.
    renumber : bool
        Ids of different planes are different objects.
    """
    from ..sources import is_big

    opened = open_image(task.source)
    image = channels_last(opened)
    channels = opened.channel_axis is not None
    if opened.grid.ndim not in (2, 3):
        raise InvalidImage(
            f"'{task.source}' has {opened.grid.ndim} axes {opened.grid.axes}; batch work takes "
            "images and stacks"
        )
    look = _look(task).resolved(image, channels)
    seen, model = windowed(image, look, channels), _of(task)
    if opened.grid.ndim == 2 and is_big(opened.grid.shape):
        if big is None:
            raise InvalidImage(
                f"'{task.source}' is {opened.grid.shape[0]} x {opened.grid.shape[1]} pixels, too "
                "large for one pass; cut it, or use segment"
            )
        labels, table = big(task, _levels(opened, look, channels))
    elif opened.grid.ndim == 2:
        labels, table = find(model, np.asarray(seen[...] if seen is not image else image))
    else:
        labels, table = _stacked(model, seen, opened, find, renumber)
    _write(task, labels, opened.grid, table, _about(task, look))
    return f"{len(table)} objects"


def _stacked(
    model: Any, seen: Any, opened: Opened, find: Callable[[Any, npt.NDArray[Any]], Found],
    renumber: bool,
) -> Found:  # fmt: skip
    labels = np.zeros(opened.grid.shape, np.uint32)
    table = ObjectTable()
    first = 0
    for k in range(opened.grid.shape[0]):
        values, own = find(model, np.asarray(seen[k]))
        labels[k] = np.where(values > 0, values.astype(np.uint32) + np.uint32(first), 0)
        for label_id, record in own.items():
            known = table[label_id + first].score if label_id + first in table else None
            table[label_id + first] = record if known is None else _lower(record, known)
        if renumber:
            first += int(values.max(initial=0))
    return labels, table


def _levels(opened: Opened, look: IntensityWindow, channels: bool) -> list[Any]:
    """All resolutions of a big image as it is shown."""
    if opened.channel_axis in (None, opened.data.ndim - 1):
        return [windowed_in_parts(level, look, channels) for level in opened.levels]
    return [windowed_in_parts(channels_last(opened), look, channels)]


def _lower(record: ObjectRecord, score: float) -> ObjectRecord:
    return replace(record, score=min(record.score, score))


def _table(instances: Any, model: str) -> ObjectTable:
    return ObjectTable({
        number: ObjectRecord.made(one.label, one.score, model)
        for number, one in enumerate(instances, start=1)
    })  # fmt: skip


def _look(task: Task) -> IntensityWindow:
    return IntensityWindow.from_dict(task.options.get("shown", {}))


def _about(task: Task, look: IntensityWindow) -> dict[str, Any]:
    return {"image": task.source.name, "kind": task.kind, "shown": look.to_dict(),
            "model": task.options.get("model", "compact")}  # fmt: skip


def _write(task: Task, labels: Any, grid: Any, table: ObjectTable, about: dict[str, Any]) -> None:
    task.output.parent.mkdir(parents=True, exist_ok=True)
    write_labels(task.output, labels, grid, table, about)
