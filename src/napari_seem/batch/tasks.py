"""What is to be done with one file, and what became of it, as values that can be sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import InvalidImage, NapariSeemError
from ..io.files import ending
from ..io.images import images_in, labels_beside

Kind = Literal["embed", "segment", "propagate", "label-like"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
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
        Plain values; see `napari_seem.batch.work`.
    """

    kind: Kind
    source: Path
    output: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Differs where the file, what is asked, or where it goes differ."""
        stat = self.source.stat() if self.source.exists() else None
        facts = asdict(self) | {"stat": stat and (stat.st_size, stat.st_mtime_ns)}
        text = json.dumps(facts, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
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


def plan(
    kind: Kind, inputs: Sequence[Path], output: Path, options: Mapping[str, object],
    suffix: str = "", labels: Path | None = None,
) -> list[Task]:  # fmt: skip
    """A task for every image of the inputs.

    Parameters
    ----------
    kind : str
    inputs : sequence of Path
        Image files, OME-Zarr or DICOM folders, or folders of image files.
    output : Path
        Folder for the labels.
    options : mapping
    suffix : str
        Format of the labels, such as ".geojson"; by default one that suits each image.
    labels : Path, optional
        For `propagate`: the folder of the seeds, files named like the images or with "_labels".

    Raises
    ------
    InvalidImage
        Nothing to do, or two images whose labels would be one file.
    """
    tasks = []
    for source in _images(inputs):
        target = output if kind == "embed" else _target(output, source, suffix)
        more = {"seeds": str(_seeds(labels, source))} if kind == "propagate" else {}
        tasks.append(Task(kind, source, target, {**options, **more}))
    if kind != "embed":
        by_target: dict[Path, Path] = {}
        for task in tasks:
            other = by_target.setdefault(task.output, task.source)
            if other is not task.source:
                raise InvalidImage(
                    f"'{other}' and '{task.source}' would both be written to '{task.output}'; give "
                    "them different names, or run them into different folders"
                )
    return tasks


def _images(inputs: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in inputs:
        if path.is_dir() and not _is_one_image(path):
            stores = [inner for inner in sorted(path.iterdir()) if inner.suffix == ".zarr"]
            try:
                found += images_in(path)
            except InvalidImage:
                if not stores:
                    raise
            found += stores
        else:  # absent files are tasks too: they fail by themselves, and are summary of at the end
            found.append(path)
    if not found:
        raise InvalidImage("there is no image to work on; name files or folders")
    return found


def _is_one_image(folder: Path) -> bool:
    from ..io.ome_zarr import is_ome_zarr

    return is_ome_zarr(folder) or any(folder.glob("*.dcm"))


def _target(output: Path, source: Path, suffix: str) -> Path:
    if not suffix:
        return labels_beside(output, source)
    if not ending(Path(f"x{suffix}")):
        raise InvalidImage(f"'{suffix}' is not a label format; use one such as .tif or .geojson")
    kind = ending(source)
    stem = source.name[: len(source.name) - len(kind)] if kind else source.stem
    return output / f"{stem}_labels{suffix}"


def _seeds(folder: Path | None, source: Path) -> Path:
    if folder is None:
        raise NapariSeemError("propagate needs the labels to start from; give their folder")
    kind = ending(source)
    stem = source.name[: len(source.name) - len(kind)] if kind else source.stem
    for name in (f"{stem}_labels", stem):
        for path in sorted(folder.glob(f"{name}.*")):
            if ending(path) and path.suffix != ".json" and path.resolve() != source.resolve():
                return path
    return folder / f"{stem}_labels{kind or '.tif'}"
