"""What is to be done with one file, and what became of it, as values that can be sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..checks import as_path, as_paths, check_choice
from ..errors import InvalidArgument, InvalidImage
from ..io.formats import ending, stem_of
from ..io.images import image_files, labels_beside, labels_name
from ..io.writing.disk import file_key
from .options import KINDS, Kind, plain_options

AnyPath = str | PathLike[str]


@dataclass(frozen=True, repr=False)
class Task:
    """One file and what to do with it.

    Attributes
    ----------
    kind : str
        Of `KINDS`.
    source : Path
        A file, or the folder of a DICOM series or an OME-Zarr image.
    output : Path
        Of the labels; of `embed` the folder of the store.
    options : mapping
        Plain values; see `plan`.

    Raises
    ------
    InvalidArgument
        There is no such kind.
    """

    kind: Kind
    source: Path
    output: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice(self.kind, KINDS, "kind of task")
        object.__setattr__(self, "source", as_path(self.source, "the source"))
        object.__setattr__(self, "output", as_path(self.output, "the output"))

    def __repr__(self) -> str:
        return f"Task('{self.kind}', '{self.source}' -> '{self.output}')"

    def fingerprint(self) -> str:
        """Differs where the file, what is asked, or where it goes differ."""
        stat = self.source.stat() if self.source.exists() else None
        facts = asdict(self) | {"stat": stat and (stat.st_size, stat.st_mtime_ns)}
        text = json.dumps(facts, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, repr=False)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    task : Task
    summary : str
        In a few words, such as how many objects were found.
    seconds : float
    error : str
        Empty where it went well.
    """

    task: Task
    summary: str = ""
    seconds: float = 0.0
    error: str = ""

    def __repr__(self) -> str:
        what = f"failed: {self.error.splitlines()[0][:100]}" if self.error else self.summary
        task, seconds = self.task, f"{self.seconds:.1f} s"
        return f"Outcome('{task.kind}', '{task.source}', {what!r}, {seconds})"


def plan(
    kind: Kind, inputs: AnyPath | Iterable[AnyPath], output: AnyPath,
    options: Mapping[str, object] = MappingProxyType({}), suffix: str = "",
    labels: AnyPath | None = None,
) -> list[Task]:  # fmt: skip
    """Plan a task for every image of the inputs.

    Parameters
    ----------
    kind : str
        'embed': encode images into a store; 'segment': find everything, or what words name;
        'propagate': carry labelled planes through stacks; 'label-like': label as examples are;
        'pixels': classify every pixel.
    inputs : path, or iterable of paths
        Image files, OME-Zarr or DICOM folders, or folders of image files; text or Path.
    output : str or Path
        Folder for the labels; of 'embed' that of the store.
    options : mapping
        Of all kinds `model`, `device` and `shown` (an `IntensityWindow`). Of 'embed' `axis` and
        `megabytes`; of 'segment' `names`, `wanted` (a `Wanted`, or its values) and `library` (a
        path); of 'propagate' `axis`, `method`, `find_new` and `divide`; of 'label-like' `examples`
        (pairs of an image's and its labels' path) and `kind`; of 'pixels' `classifier` (a path),
        `objects` (ids or names of classes), `smallest`, `split` and `probabilities`.
    suffix : str
        Format of the labels, such as ".geojson"; by default one that suits each image.
    labels : str or Path, optional
        For `propagate`: the folder of the seeds, files named like the images or with "_labels".

    Raises
    ------
    InvalidImage
        Nothing to do, or two images whose labels would be one file.
    InvalidArgument
        A kind or an option that does not exist, or a value that an option can't have.
    UnknownModel
        There is no such model.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from napari_seem import batch
    >>> batch.plan("segment", "cells.tif", "labels", {"wanted": {"min_area": 30}})
    [Task('segment', 'cells.tif' -> 'labels/cells_labels.tif')]
    """
    check_choice(kind, KINDS, "kind of task")
    plain = plain_options(kind, options)
    output = as_path(output, "the output")
    seeds = None if labels is None else as_path(labels, "labels")
    tasks = []
    for source in image_files(as_paths(inputs, "an input")):
        target = output if kind == "embed" else _target(output, source, suffix)
        more = {"seeds": str(_seeds(seeds, source))} if kind == "propagate" else {}
        tasks.append(Task(kind, source, target, {**plain, **more}))
    if kind != "embed":
        by_target: dict[str, Path] = {}
        for task in tasks:
            other = by_target.setdefault(file_key(task.output), task.source)
            if other is not task.source:
                raise InvalidImage(
                    f"'{other}' and '{task.source}' would both be written to '{task.output}'; give "
                    "them different names, or run them into different folders"
                )
    return tasks


def _target(output: Path, source: Path, suffix: str) -> Path:
    if not suffix:
        return labels_beside(output, source)
    if not ending(Path(f"x{suffix}")):
        raise InvalidImage(f"'{suffix}' is not a label format; use one such as .tif or .geojson")
    return output / f"{labels_name(source)}{suffix}"


def _seeds(folder: Path | None, source: Path) -> Path:
    if folder is None:
        raise InvalidArgument("propagate needs the labels to start from; give their folder")
    stem = stem_of(source)
    for name in (labels_name(source), stem):
        for path in sorted(folder.glob(f"{name}.*")):
            if ending(path) and path.suffix != ".json" and path.resolve() != source.resolve():
                return path
    return folder / f"{stem}_labels{ending(source) or '.tif'}"
