"""One task done, in whatever thread or process it lands: by the code that the docks use."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..commands.base import ModelRef
from ..commands.files import new_document, save_document
from ..commands.in_context import LearnedRun
from ..commands.models import KnownPlane, ModelCache
from ..commands.pixel_classes import PixelRun
from ..commands.propagation import Propagate, PropagationRun
from ..commands.segment import WriteObjects
from ..commands.taught_words import TaughtWords
from ..commands.workspace import Workspace
from ..concepts import ConceptLibrary
from ..embeddings import EmbeddingCache
from ..errors import InvalidImage, NapariSeemError
from ..in_context import label, learn
from ..intensity import IntensityWindow
from ..io.files import open_image, read_labels
from ..io.formats import stem_of
from ..io.grid import Grid
from ..io.images import channels_last, open_plane, open_seeds
from ..io.writing.whole import replacing
from ..labels.document import LabelDocument
from ..models.in_context import Kind as LessonKind
from ..models.in_context import Labelled, Lesson
from ..pixel_classes import PixelClassifier, PixelFeatures
from ..pixel_classes.features import PLAIN
from ..pixel_classes.files import read
from ..pixel_classes.objects import class_id_of
from ..planes import Plane
from ..propagation.record import resume_path
from ..sources.source import PlaneSource, source_of_array
from ..sources.stack import StackSource
from ..values import JsonObject
from .tasks import Kind, Outcome, Task


def do(task: Task) -> Outcome:
    """Do a task; an error goes into the outcome and ends nothing else."""
    start = time.perf_counter()
    try:
        summary = _KINDS[task.kind](task)
    except (NapariSeemError, OSError) as error:
        return Outcome(task, "", time.perf_counter() - start, str(error))
    except Exception as error:  # noqa: BLE001  (one bad file must not end a night's run)
        where = traceback.format_exc(limit=-3)
        return Outcome(task, "", time.perf_counter() - start, f"{error!r}\n{where}")
    return Outcome(task, summary, time.perf_counter() - start)


_opening = threading.Lock()
"""Held for what the tasks of several threads share, so that it is made once."""


@lru_cache(maxsize=2)
def _cached_models(device: str, library: str | None) -> ModelCache:
    """Models for all tasks of a process, with the words of a library; nothing is kept encoded."""
    words = ConceptLibrary() if library is None else ConceptLibrary.load(Path(library))
    return ModelCache(None, EmbeddingCache(0), device, words=TaughtWords.of(words))


@lru_cache(maxsize=2)
def _lesson(
    name: str, device: str, examples: tuple[tuple[str, str], ...], kind: LessonKind
) -> Lesson:
    """What a model learns from example files."""
    pairs = []
    for path, labels in examples:
        image = open_plane(path)[0]
        pairs.append((image, np.asarray(read_labels(labels, shape=image.shape[:2])[0])))
    model: Any = _cached_models(device, None).model(name)
    return learn(model, pairs, kind)


@lru_cache(maxsize=2)
def _classifier(name: str, device: str, path: str, _digest: str) -> PixelClassifier:
    """A classifier of pixels, out of a file of some content."""
    plain = read(Path(path))[1]["model"] == PLAIN
    model = None if plain else _cached_models(device, None).model(name)
    return PixelClassifier.load(path, model)


def _models(task: Task) -> ModelCache:
    library = task.options.get("library")
    with _opening:
        return _cached_models(task.options.get("device", "auto"), library[0] if library else None)


def _name(task: Task) -> str:
    return str(task.options.get("model", "compact"))


def _embed(task: Task) -> str:
    from ..embeddings import EmbeddingStore
    from ..embeddings.files import encode_files
    from ..sources import is_big

    store = EmbeddingStore(task.output, task.options.get("megabytes", 4096) << 20)
    cache = EmbeddingCache(0, store)
    model = _models(task).model(_name(task))
    axis = task.options.get("axis")
    done = list(encode_files(model, [task.source], cache, axis, _window(task), is_big))
    cache.close()
    failed = [ready.problem for _, _, ready in done if ready.problem]
    if failed:
        raise InvalidImage(failed[0])
    return f"{len(done)} planes"


def _segment(task: Task) -> str:
    """Find everything, or what words name, in an image or plane by plane."""
    query: JsonObject = {
        "words": task.options.get("names"),
        "filters": task.options.get("wanted") or None,
    }

    def find(workspace: Workspace, source: PlaneSource) -> None:
        known = KnownPlane(source)
        fields = workspace.fields(_name(task), known)
        command = WriteObjects(**fields, **query, whole=source.is_big)
        plane = workspace.models.open(_name(task), known)
        deque(command.run_and_apply(workspace, plane), maxlen=0)

    return _by_plane(task, find)


def _label_like(task: Task) -> str:
    """Label an image, or a stack plane by plane, as example files are."""
    options = task.options
    examples = tuple((str(image), str(labels)) for image, labels in options["examples"])
    name, kind = _name(task), options.get("kind", "semantic")
    run = LearnedRun(name, kind, [])

    def like(workspace: Workspace, source: PlaneSource) -> None:
        model: Any = workspace.models.model(name)
        with _opening:
            lesson = _lesson(name, options.get("device", "auto"), examples, kind)
        found = label(model, lesson, source.pixels() if source.is_big else source.read())
        if kind == "instance":  # ids of different planes are different objects
            found = _shifted(found, workspace.document.next_id() - 1)
        run.label(workspace, source, source.plane, found)

    return _by_plane(task, like)


def _pixels(task: Task) -> str:
    """Classify the pixels of an image, or of a stack plane by plane."""
    options = task.options
    with _opening:
        classifier = _classifier(_name(task), options.get("device", "auto"), *options["classifier"])
    run = PixelRun(classifier, _name(task), [], "read from a file")
    keys = ("smallest", "split")
    how: JsonObject = {key: options[key] for key in keys if key in options}
    if options.get("objects"):
        chosen = [class_id_of(classifier, one) for one in options["objects"]]
        how |= {"instances": True, "classes": chosen}
    shares = []

    def classify(workspace: Workspace, source: PlaneSource) -> None:
        pixels = source.pixels() if source.is_big else source.read()
        features = PixelFeatures(classifier.model, pixels)
        command = run.command(workspace, source, source.plane, **how)
        if options.get("probabilities"):
            found = classifier.predict(features)
            labels = found.labels
            shares.append(found.probabilities)
        else:
            *_, last = command.compute(classifier, features)
            labels = cast(npt.NDArray[np.uint16], last)
        run.write(workspace, command, labels)

    summary = _by_plane(task, classify)
    if shares:
        _write_probabilities(task.output, np.stack(shares))
    return summary


def _write_probabilities(labels: Path, shares: npt.NDArray[np.float16]) -> None:
    """Write probabilities (planes, K, H, W) beside labels, as 32-bit TIFF."""
    from tifffile import imwrite

    with replacing(labels.with_name(f"{stem_of(labels)}_probabilities.tif")) as (part,):
        imwrite(part, shares.astype(np.float32), imagej=True, metadata={"axes": "ZCYX"})


def _shifted(found: Labelled, by: int) -> Labelled:
    """Labels with higher ids."""
    labels = np.where(found.labels > 0, found.labels + by, 0).astype(np.int32)
    return replace(found, labels=labels, scores={i + by: s for i, s in found.scores.items()})


def _propagate(task: Task) -> str:
    """Propagate the labelled planes of a stack."""
    opened = open_image(task.source)
    stack = channels_last(opened)
    seeds = open_seeds(task.options["seeds"], stack, opened.grid)
    labels = np.asarray(seeds.data)
    axis, method = task.options.get("axis") or 0, task.options.get("method", "model")
    source = source_of_array(stack, Plane.across(axis, 0), _window(task), colours=stack.ndim > 3)
    document = new_document(labels.astype(np.uint32), logged=False, known=seeds)
    command = Propagate(
        images=[], windows=[], run="1", axis=axis, method=method,
        model=ModelRef(name=_name(task)) if method == "model" else None,
        within=(0, labels.shape[axis]), find_new=task.options.get("find_new", False),
        divide=task.options.get("divide", False),
    )  # fmt: skip
    run = PropagationRun(Workspace(document, _models(task)), StackSource(source, axis), command)
    run.begin()
    planes = 0
    kept = resume_path(task.output)
    task.output.parent.mkdir(parents=True, exist_ok=True)
    for planes, result in enumerate(run.run(kept), 1):  # noqa: B007
        run.apply(result)
    scores = {str(k): round(result.score, 3) for k, result in run.results.items()}
    _save(task, document, seeds.grid, source, {"planes": scores})
    kept.unlink(missing_ok=True)
    return f"{planes} planes propagated"


_KINDS: Mapping[Kind, Callable[[Task], str]] = {
    "embed": _embed, "segment": _segment, "propagate": _propagate, "label-like": _label_like,
    "pixels": _pixels,
}  # fmt: skip


def _by_plane(task: Task, find: Callable[[Workspace, PlaneSource], None]) -> str:
    """Label an image, or a stack plane by plane, and write it.

    Parameters
    ----------
    task : Task
    find : callable
        Writes the labels of one plane into the workspace's document.
    """
    opened = open_image(task.source)
    colours, grid = opened.channel_axis is not None, opened.grid
    if grid.ndim not in (2, 3):
        raise InvalidImage(
            f"'{task.source}' has {grid.ndim} axes {grid.axes}; batch work takes images and stacks"
        )
    last = opened.channel_axis in (None, opened.data.ndim - 1)
    levels = list(opened.levels) if last else [channels_last(opened)]
    planes = (
        [Plane((None, None), (0, 1))]
        if grid.ndim == 2 else [Plane.across(0, k) for k in range(grid.shape[0])]
    )  # fmt: skip
    source = source_of_array(levels, planes[0], _window(task), colours=colours)
    document = new_document(tuple(grid.shape), logged=False)
    workspace = Workspace(document, _models(task))
    for plane in planes:
        find(workspace, source.at(replace(plane, channels=colours)))
    _save(task, document, grid, source)
    return f"{len(document.table)} objects"


def _window(task: Task) -> IntensityWindow:
    return IntensityWindow.from_dict(task.options.get("shown", {}))


def _save(
    task: Task, document: LabelDocument, grid: Grid | None, source: PlaneSource,
    more: Mapping[str, object] | None = None,
) -> None:  # fmt: skip
    task.output.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "image": task.source.name, "kind": task.kind, "model": _name(task),
        "shown": source.input.resolved[0].to_dict(), **(more or {}),
    }  # fmt: skip
    save_document(document, task.output, grid, about, narrow=True)
