"""What the Series dock does, without its looks: one image after another opened and saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from ...errors import InvalidImage, NapariSeemError
from ...io.opened import Opened
from ...labels.journal import logs_folder
from ...labels.log import Event as LogEvent
from ...planes import Plane
from ...series.listing import SeriesImage
from ...series.marks import DONE, IN_WORK, SKIPPED, STATES, TO_DO
from ...series.opening import LabelFile, OpenedImage, open_in
from ...series.series import Series
from ...viewer.coordinates import full_data, spatial_shape
from ...viewer.documents import document_of
from ...viewer.metadata import grid_of
from ...viewer.model_input import model_input_of, window_of_layer
from ...viewer.private import unwrap
from ...viewer.recovery.left_prompts import leave, left_on
from ...viewer.series_layers import ShownImage, images_of, show_layers, show_opened, source_ahead
from ...viewer.shown import image_layers
from ...viewer.timeline import timeline_of
from .._shared.background.runner import Job, LatestRunner, explained
from .._shared.dock import open_dock
from .._shared.events import Followed, later
from .._shared.models.cache import model_cache_of
from ..annotate.dock import AnnotateWidget
from ..annotate.sessions.unfinished import unfinished
from .ahead import SeriesAhead, Work
from .saver import Saver

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.utils.events import Event
    from napari.viewer import Viewer

SAVE_AFTER, SLOW_SAVE_AFTER, LARGE = 5_000, 60_000, 64 << 20
"""Milliseconds after a change until it is saved, also of labels of many bytes; how many."""
LOOK_AFTER = 15_000
"""Milliseconds after which marks of other people are read again."""
AHEAD = 2
"""Images that are encoded in advance."""


class SeriesPlayer(QObject):
    """Goes through a series of images.

    Parameters
    ----------
    viewer : ViewerModel
    parent : QObject

    Attributes
    ----------
    series : Series or None
    shown : ShownImage or None
    states : collection of str
        Images in these states are gone through.
    keep_view : bool
        Keep zoom and contrast from one image to the next.
    encode_next : bool
    changed : Signal()
        Marks or the shown image are others.
    said : Signal(str, bool)
        A message for the person, and whether it is an error.
    """

    changed = Signal()
    said = Signal(str, bool)

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = unwrap(viewer)
        self.series: Series | None = None
        self.shown: ShownImage | None = None
        self._aside: list[ShownImage] = []
        self.position = -1
        self.states: Sequence[str] = STATES
        self.keep_view, self.encode_next = False, True
        self.loader, self.saver, self.ahead = LatestRunner(self), Saver(self), SeriesAhead(self)
        self._layers: dict[str, tuple[Image, Labels | None]] = {}
        self._events = Followed()
        self._save_soon = later(self, SAVE_AFTER, self.save)
        self._look = QTimer(self)
        self._look.setInterval(LOOK_AFTER)
        self._look.timeout.connect(self.look)
        self.saver.done.connect(self._on_saved)
        self.saver.failed.connect(self._on_failed)
        timeline_of(self.viewer).changed.connect(self._on_change)

    def open_files(self, paths: Sequence[Path], folder: Path | None = None, name: str = "") -> None:
        """Begin with image files or folders, or take the work on them up; see `Series.of_files`."""
        self._begin(Series.of_files(paths, folder, name), {})

    def open_layers(self, folder: Path, name: str = "") -> None:
        """Begin with the image layers that are open.

        Raises
        ------
        InvalidImage
            There is none.
        """
        layers = image_layers(self.viewer)
        if not layers:
            raise InvalidImage("no image layer is open; open images first, or choose a folder")
        series = Series(images_of(layers), folder, name)
        self._begin(series, {layer.name: (layer, None) for layer in layers})

    def go(self, index: int | None, then: Callable[[], None] = lambda: None) -> None:
        """Show another image; the present one is saved when it goes.

        Parameters
        ----------
        index : int or None
            None where there is no further one, which is said.
        then : callable
            Called once it is shown.
        """
        series = self.series
        if series is None:
            self.said.emit("Choose a folder of images first.", True)
            return
        if index is None:
            self.save()
            self.said.emit("There is no further image in the list.", False)
            return
        self.position = index
        self.changed.emit()
        if self.shown is not None and self.shown.index == index:
            then()
            return
        source = series.images[index]
        opened = self._opened_layer(source)
        self.loader.submit(Job(
            partial(self._open, series, index, opened), partial(self._opened, series, then),
            self._on_unopened, f"Opening {source.name}",
        ))  # fmt: skip

    def step(self, step: int) -> None:
        """Show the next image, or with -1 the one before, of those that are gone through."""
        self.go(
            None if self.series is None else self.series.beside(self.position, step, self.states)
        )

    def finish(self, state: str = DONE) -> None:
        """Mark the image, and show the next one that is not done or skipped."""
        series = self.series
        if series is None or not 0 <= self.position < len(series.images):
            self.go(None)
            return
        if self.loader.busy or (self.shown is not None and self.shown.index != self.position):
            return  # the image is not seen yet: a key pressed twice must not pass it over
        if self.shown is not None or state != DONE:  # what can't be opened is not done
            self.mark(state=state)
        states = [one for one in self.states if one not in (DONE, SKIPPED)] or self.states
        index = series.beside(self.position, 1, states)
        index = series.beside(-1, 1, (TO_DO, IN_WORK)) if index is None else index
        if index is None:
            self.said.emit("Every image of the series is done or skipped.", False)
        else:
            self.go(index)

    def mark(self, **changes: Any) -> None:
        """Change the mark of the image; its labels are saved too where they were changed."""
        if self.series is not None and self.position >= 0:
            self._mark(self.series, self.position, changes)

    def save(self, **changes: Any) -> None:
        """Save labels that were changed, in a thread; with further fields of the mark."""
        shown = self.shown
        if shown is None or not (shown.dirty or changes):
            return
        self._save_soon.stop()
        labels = shown.to_save() if shown.dirty else None
        if shown.dirty:
            changes |= {"prompts": self._unfinished(shown), "session": _session(shown.labels)}
        shown.dirty, file = False, shown.file
        work = file.mark if labels is None else partial(file.save, labels)
        self.saver.submit(shown.index, partial(work, **changes), keep=True)

    def save_now(self) -> None:
        """Save, and wait until it is done, as before the program ends."""
        self.save()
        if self.shown is not None:
            self.saver.wait(self.shown.index)

    def look(self) -> None:
        """Read the marks that others made."""
        series = self.series
        if series is not None:
            self.saver.submit(-1, series.refresh)

    def close(self) -> None:
        """Save, and let go of the viewer; the layers stay."""
        self.save()
        self._look.stop()
        timeline_of(self.viewer).changed.disconnect(self._on_change)
        self._events.close()
        self.ahead.close()
        self.loader.close()
        self.saver.close()

    def _begin(self, series: Series, layers: dict[str, tuple[Image, Labels | None]]) -> None:
        self.save()
        self.series, self._layers, self.position = series, layers, -1
        self._look.start()
        self.changed.emit()
        self.saver.submit(-1, series.count)
        self.go(series.first())

    def _mark(self, series: Series, index: int, changes: dict[str, Any]) -> None:
        name = series.images[index].name
        series.marks[name] = replace(series.marks[name], **changes)
        shown = self.shown
        if shown is not None and shown.index == index:
            shown.dirty |= changes.get("state") == DONE and not shown.file.path.exists()
            self.save(**changes)
        else:
            self.saver.submit(index, partial(series.change, index, **changes), keep=True)
        self.changed.emit()

    def _open(self, series: Series, index: int, opened: Opened | None) -> OpenedImage:
        """In a thread: the image and its labels, once those are written."""
        self.saver.wait(index)
        opened = opened or self.ahead.take(index, series.images[index].path)
        return open_in(series, index, logs_folder(), opened)

    def _opened(self, series: Series, then: Callable[[], None], found: OpenedImage) -> None:
        """Show what was opened, once no commit waits for its mask any more."""
        show, dock = partial(self._show, series, then, found), self._annotate()
        if dock is None:
            show()
        else:
            dock.annotator.commits.when_written(show)

    def _show(self, series: Series, then: Callable[[], None], found: OpenedImage) -> None:
        if series is not self.series or self.position != found.index:
            return
        self.save()
        former = self.shown
        file = LabelFile(series, found.index, found.path, found.stamp)
        name = series.images[found.index].name
        self.shown = None  # events of layers that come and go are no changes
        try:
            if name in self._layers:
                image, labels = self._layers[name]
                shown = show_layers(self.viewer, image, found, file, former, labels)
                self._layers[name] = image, shown.labels
            else:
                shown = show_opened(self.viewer, found, file, former, keep_view=self.keep_view)
        except NapariSeemError as error:
            self.shown = former
            self._on_unopened(error)
            return
        while self._aside:
            self._aside.pop().hide(self.viewer)
        self._follow(shown)
        self._resume(shown, found.prompts)
        self.shown, shown.dirty = shown, bool(found.recovered)
        self.said.emit(self._welcome(found), False)
        if shown.dirty:
            self.save()
        self.changed.emit()
        self._encode_next(shown)
        then()

    def _follow(self, shown: ShownImage) -> None:
        self._events.close()
        events = shown.labels.events
        self._events.follow(self._on_change, events.paint, events.data, events.features)
        self._events.follow(self._on_removing, self.viewer.layers.events.removing)
        large = getattr(full_data(shown.labels), "nbytes", 0) > LARGE
        self._save_soon.setInterval(SLOW_SAVE_AFTER if large else SAVE_AFTER)

    def _resume(self, shown: ShownImage, prompts: list[LogEvent]) -> None:
        """Let the Annotate dock work on the image, with the prompts that were left on it."""
        dock = self._annotate()
        leave(shown.images[0], prompts)
        if dock is not None:
            dock.work_on(shown.images[0], shown.labels, partial(self._saved_to, shown))
            dock.use_tool(dock.tool)

    def _saved_to(self, shown: ShownImage) -> Path:
        self.save()
        return shown.file.path

    def _unfinished(self, shown: ShownImage) -> list[LogEvent]:
        dock, image = self._annotate(), shown.images[0]
        return [*left_on(image), *(() if dock is None else unfinished(dock.annotator, image))]

    def _annotate(self) -> AnnotateWidget | None:
        return open_dock(self.viewer, AnnotateWidget)

    def _welcome(self, found: OpenedImage) -> str:
        assert self.series is not None
        mark = self.series.mark_of(found.index)
        said = []
        if found.recovered:
            said.append(f"After a crash: {found.recovered}.")
        if mark.state == IN_WORK and mark.annotator not in ("", self.series.annotator):
            said.append(f"In work by {mark.annotator} since {mark.time}.")
        return " ".join(said)

    def _encode_next(self, shown: ShownImage) -> None:
        series = self.series
        if series is None or not self.encode_next:
            return
        ahead = [k for k in series.within(self.states) if k > shown.index][:AHEAD]
        work = [self._work_ahead(series.images[k], k, shown) for k in ahead]
        dock = self._annotate()
        model = "compact" if dock is None else dock.annotator.model_name
        models = model_cache_of(self.viewer) if dock is None else dock.annotator.model_cache
        self.ahead.begin(work, model, models)

    def _work_ahead(self, source: SeriesImage, index: int, shown: ShownImage) -> Work:
        if source.name in self._layers:
            image = self._layers[source.name][0]
            plane = replace(Plane.of(spatial_shape(image)), channels=bool(image.rgb))
            given = model_input_of(image, [image], together=False).source(plane)
            return index, None, lambda _: given
        window = window_of_layer(shown.images[0])
        point = tuple(self.viewer.dims.current_step)
        return index, source.path, lambda opened: source_ahead(opened, point, window)

    def _opened_layer(self, source: SeriesImage) -> Opened | None:
        """An image layer that is open, as far as its labels need it."""
        if source.name not in self._layers:
            return None
        image = self._layers[source.name][0]
        return Opened(source.name, (full_data(image),), grid_of(image))

    def _on_change(self, _: object = None) -> None:
        """A prompt, an object, a stroke or a name was made or undone."""
        shown, series = self.shown, self.series
        if shown is None or series is None:
            return
        if not shown.dirty and series.mark_of(shown.index).state == TO_DO:
            name = series.images[shown.index].name
            series.marks[name] = replace(series.marks[name], state=IN_WORK)
            begun = partial(shown.file.mark, state=IN_WORK, session=_session(shown.labels))
            self.saver.submit(shown.index, begun)
            self.changed.emit()
        shown.dirty = True
        if not self._save_soon.isActive():
            self._save_soon.start()

    def _on_removing(self, event: Event) -> None:
        """Save before a layer goes, as when the viewer closes: its prompts would go with it."""
        shown = self.shown
        if shown is not None and self.viewer.layers[event.index] in (*shown.images, shown.labels):
            self.save_now()

    def _on_saved(self, _: int, said: str) -> None:
        if said:
            self.said.emit(said, True)
        self.changed.emit()

    def _on_failed(self, index: int, error: Exception) -> None:
        name = self.series.images[index].name if self.series is not None and index >= 0 else ""
        said = explained(error, OSError)
        self.said.emit(f"{name} is not saved yet: {said}. It is tried again.", True)

    def _on_unopened(self, error: Exception) -> None:
        """An image can't be opened: the former one goes, so that nobody takes it for this one."""
        said = explained(error, OSError)
        self.save()
        former, self.shown = self.shown, None
        if former is not None:
            self._aside += former.put_aside(self.viewer)
        self.said.emit(said, True)
        self.changed.emit()


def _session(labels: Labels) -> str:
    log = document_of(labels).log
    return "" if log is None else log.session
