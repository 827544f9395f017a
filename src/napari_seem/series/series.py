"""A series of images: where each image and its labels are, and how far the work is."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import NapariSeemError
from ..io.grid import ids_in
from ..io.opened import OpenedLabels
from ..io.writing.whole import settle
from .listing import SeriesImage, labels_for, list_images, open_labels_of
from .marks import DONE, IN_WORK, STATES, TO_DO, Mark, MarkFolder

LABELS = "labels"
"""Name of the labels folder, where none is chosen."""


class Series:
    """Images to be labelled one after another, by one person or several.

    Parameters
    ----------
    images : sequence of SeriesImage
    folder : Path
        For labels and marks; made with the first of them.
    annotator : str
        Noted with what is marked.

    Attributes
    ----------
    marks : dict of str to Mark
        By the names of the images, as they were read last.
    missing : list of str
        Images that have a mark, but are not there.
    """

    def __init__(self, images: Sequence[SeriesImage], folder: Path, annotator: str = "") -> None:
        self.images, self.folder = list(images), folder
        self.annotator = annotator or user_name()
        self.marks: dict[str, Mark] = {}
        self.missing: list[str] = []
        self._files = MarkFolder(folder)
        self._read: dict[str, tuple[tuple[int, int], Mapping[str, int]]] = {}
        self.refresh()

    @classmethod
    def of_files(
        cls, paths: Sequence[Path], folder: Path | None = None, annotator: str = ""
    ) -> Series:
        """The series of image files and folders; labels go into the folder `labels` beside them.

        Raises
        ------
        InvalidImage, FileTrouble
            There is no image.
        """
        root, images = list_images(paths)
        return cls(images, folder or root / LABELS, annotator)

    def refresh(self) -> bool:
        """Read the marks, others' too; whether any is other than before.

        An image whose mark is missing takes over that of a renamed one with the same content.
        """
        marks = self._files.read_all()
        names = {image.name for image in self.images}
        orphans = {name: mark for name, mark in marks.items() if name not in names}
        if orphans:
            self._take_over(orphans, marks)
        self.missing = sorted(orphans)
        found = {name: marks.get(name, Mark(name)) for name in (i.name for i in self.images)}
        changed, self.marks = found != self.marks, found
        return changed

    def mark_of(self, index: int) -> Mark:
        """The mark of an image."""
        return self.marks[self.images[index].name]

    def change(self, index: int, **changes: Any) -> Mark:
        """Change the mark of an image, in its file too; see `MarkFolder.change`."""
        image = self.images[index]
        if not self.mark_of(index).digest:
            changes["size"], changes["digest"] = image.identity()
        mark = self._files.change(image.name, self.annotator, **changes)
        self.marks[image.name] = mark
        return mark

    def labels_path(self, index: int) -> Path:
        """Where the labels of an image are, or will be."""
        mark = self.mark_of(index)
        settle((self.folder / (mark.labels or self.images[index].name)).parent)
        if mark.labels and (self.folder / mark.labels).exists():
            return self.folder / mark.labels
        return labels_for(self.images[index], self.folder)

    def within(self, states: Collection[str] = STATES) -> list[int]:
        """The images in some states, by their numbers."""
        return [k for k in range(len(self.images)) if self.mark_of(k).state in states]

    def beside(self, index: int, step: int, states: Collection[str] = STATES) -> int | None:
        """The next image in some states, or with a step of -1 the one before; None at the end."""
        ahead = range(index + step, len(self.images) if step > 0 else -1, step)
        return next((k for k in ahead if self.mark_of(k).state in states), None)

    def first(self) -> int:
        """Where the work goes on: what the annotator began, else to do, else begun by others."""
        begun = self.within((IN_WORK,))
        own = [k for k in begun if self.mark_of(k).annotator == self.annotator]
        return [*own, *self.within((TO_DO,)), *begun, 0][0]

    def states(self) -> dict[str, int]:
        """How many images are in each state."""
        counted = Counter(self.mark_of(k).state for k in range(len(self.images)))
        return {state: counted[state] for state in STATES}

    def counts(self) -> dict[str, int]:
        """Class -> objects in the whole series as far as they were counted, "" for no class."""
        total: Counter[str] = Counter()
        for index, image in enumerate(self.images):
            mark = self.mark_of(index)
            since, counts = self._read.get(image.name, (mark.counted, mark.counts))
            total.update(counts if since == mark.counted else mark.counts)
        return dict(sorted(total.items()))

    def count(self) -> None:
        """Count the objects of label files that were made or changed by other programs."""
        for index, image in enumerate(self.images):
            path, mark = self.labels_path(index), self.mark_of(index)
            if not path.exists() or stamp_of(path) == tuple(mark.counted):
                continue
            with suppress(NapariSeemError):  # told when it is opened
                counts = counts_of(open_labels_of(image, path))
                self._read[image.name] = mark.counted, counts

    def _take_over(self, orphans: dict[str, Mark], marks: dict[str, Mark]) -> None:
        """Give marks of images that are gone to unmarked ones with the same content."""
        sizes = {mark.size for mark in orphans.values() if mark.digest}
        for image in self.images:
            if image.name in marks or image.path is None or not image.path.is_file():
                continue
            if image.path.stat().st_size not in sizes:
                continue
            identity = image.identity()
            for name, mark in list(orphans.items()):
                if (mark.size, mark.digest) == identity:
                    marks[image.name] = self._files.rename(name, image.name)
                    del orphans[name]
                    break


def counts_of(labels: OpenedLabels) -> dict[str, int]:
    """Count the objects of labels by class; "" for those of none.

    Rows of the table without a pixel do not count.
    """
    found: set[int] = set()
    for index in np.ndindex(*labels.data.shape[:-2]):
        found |= ids_in(np.asarray(labels.data[index]))
    return dict(Counter(labels.table[label_id].class_name for label_id in found))


def stamp_of(path: Path) -> tuple[int, int]:
    """Size in bytes and time in nanoseconds of a file; (0, 0) of none."""
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns


def user_name() -> str:
    """The name of the person at this machine; "" where nobody knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def summary(series: Series) -> list[str]:
    """Progress and objects of each class, as lines for people."""
    states = series.states()
    total = len(series.images)
    others = ", ".join(f"{n} {state}" for state, n in states.items() if n and state != DONE)
    lines = [f"done {states[DONE]} of {total}" + (f" ({others})" if others else "")]
    lines += [f"missing: {name}" for name in series.missing]
    lines += [f"{name or '(no class)'}: {n}" for name, n in series.counts().items()]
    return lines
