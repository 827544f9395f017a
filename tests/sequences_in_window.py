"""Random sequences in a window with the Annotate dock: prompts, previews, docks, layers that go.

Run as a program it does some seeds in a process of its own, which napari itself may end, and
prints a line for each: `python tests/sequences_in_window.py FIRST COUNT`.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import napari
import numpy as np
from discs import DiscModel
from napari.settings import get_settings
from qtpy.QtWidgets import QApplication
from sequences import KINDS, run
from sequences_in_viewer import InLayers

from napari_seem.edits import ObjectRecord
from napari_seem.viewer.coordinates import shown_plane
from napari_seem.widgets.annotate.dock import AnnotateWidget

MODEL = DiscModel()


class InWindow(InLayers):
    """What is done in a viewer, and by the prompts of the Annotate dock."""

    often = {
        **InLayers.often, "prompt": 9, "press_commit": 7, "image": 0.7, "rename_object": 0.5,
        "layer": 1.0,
    }  # fmt: skip

    def made_viewer(self):
        """A window; the dock comes with the first labels."""
        return napari.Viewer(show=False)

    def opened(self, pixels, table):
        """The document, to which the dock writes."""
        document = super().opened(pixels, table)
        if not hasattr(self, "dock"):
            self.viewer.layers.remove(self.image)
            self.grey = np.where(self.rng.random(self.shape) < 0.6, 220, 20).astype(np.uint8)
            self.image = self.viewer.add_image(self.grey, name="grey")
            self.viewer.layers.move(1, 0)
            self.dock = AnnotateWidget(self.viewer, loader=lambda name: DiscModel())
            self.viewer.window.add_dock_widget(self.dock, name="Annotate")
        self.dock.annotator.choose_image(self.image)
        self.dock.annotator.choose_labels(self.layer)
        self.settle()
        return document

    def settle(self):
        """Wait until the dock has nothing to compute."""
        end = time.monotonic() + 30
        QApplication.processEvents()
        while self.dock.annotator.runner.busy:
            assert time.monotonic() < end, "the dock hangs"
            QApplication.processEvents()
            time.sleep(0.001)
        QApplication.processEvents()

    def check(self):
        """Look at the preview as well: it shows what a commit would write, and nothing else."""
        super().check()
        annotator = self.dock.annotator
        wanted, preview = self.proposed(), annotator.preview
        values = preview.values()
        seen = 0 if values is None or not preview.layer.visible else int((values > 0).sum())
        assert seen == wanted.sum(), f"{seen} pixels are shown, {wanted.sum()} proposed"
        assert preview.layer is None or not preview.layer.editable, "the preview can be painted"

    def proposed(self) -> np.ndarray:
        """What the prompts of the shown plane lead to, bool (H, W)."""
        plane = shown_plane(self.image, self.viewer.dims)
        grey, layers = plane.read(self.grey), self.dock.annotator.prompt_layers
        points = [] if layers is None else [drawn.prompt for drawn in layers.on(plane)]
        drawn = [] if layers is None else np.asarray(layers.points.data).tolist()
        assert all(plane.to_array(p.y, p.x).tolist() in drawn for p in points), "not drawn"
        if not points:
            return np.zeros(grey.shape, bool)
        return MODEL.predict(MODEL.encode(grey), points).mask

    # ---- what a person does

    def do_prompt(self):
        plane = shown_plane(self.image, self.viewer.dims)
        y, x = (int(self.rng.integers(n)) for n in plane.shape(self.shape))
        at = plane.to_array(y, x)
        self.say(at)
        before = self.pixels().copy()
        self.dock.annotator.prompt_layers.points.add(at)
        self.settle()
        self.past.append("prompt")
        self.future.clear()
        assert np.array_equal(before, self.pixels())
        return True

    def do_press_commit(self):
        mask, plane = self.proposed(), shown_plane(self.image, self.viewer.dims)
        free = mask & (plane.read(self.oracle.pixels) == 0)
        taken, name = self.oracle.ids(), str(self.rng.choice(["", "mine", "left one"]))
        if not mask.any():
            assert self.dock.commit() is None
            return False
        count = len(self.dock.annotator.prompt_layers.on(plane))
        self.dock.panel.name.setText(name)
        self.say(name, plane.index, plane.axes)
        new = self.dock.commit()
        self.settle()
        if new is None:
            self.dock.panel.name.clear()
            assert not free.any() or max(taken) >= np.iinfo(self.dtype).max
            return True
        assert free.any()
        assert new not in taken
        pixels = self.oracle.pixels.copy()
        plane.read(pixels)[free] = new
        row = ObjectRecord(name, 0.9, "compact", count, "")
        return self.oracle.become(pixels, {**self.oracle.rows, new: row})

    def travel(self, way, source, target):
        """Ctrl+Z: the title tells whether prompts or labels go back; nothing else changes."""
        timeline = self.dock.annotator.timeline
        title = getattr(timeline, f"{way}_title")
        documents = [(self.document, self.oracle)]
        documents += [(one["document"], one["oracle"]) for one in self.there]
        titles = [getattr(d.history, f"{way}_title") for d, _ in documents]
        before = [np.array(d.data) for d, _ in documents]
        self.say(title)
        getattr(self.dock.annotator, way)()
        self.settle()
        moved = [not np.array_equal(b, d.data) or t != getattr(d.history, f"{way}_title")
                 for b, t, (d, _) in zip(before, titles, documents, strict=True)]  # fmt: skip
        for changed, (document, oracle) in zip(moved, documents, strict=True):
            steps = oracle.done if way == "undo" else oracle.undone
            if changed or (title and self.said_alike(document, oracle, way, steps)):
                getattr(oracle, way)()
        return bool(title) or any(moved)

    def said_alike(self, document, oracle, way, steps) -> bool:
        """Whether a step of no pixel, whose title is like that before it, was taken."""
        if not steps:
            return False
        after = {i: repr(replace(r, time="")) for i, r in document.table.items()}
        now = {i: repr(r) for i, r in oracle.rows.items()}
        palette = document.palette.colours
        colours = any(palette.get(n, c) != c for n, c in oracle.colours.items())
        return after != now or colours

    def do_image(self):
        """The image goes, and comes back."""
        self.viewer.layers.remove(self.image)
        self.settle()
        self.viewer.layers.insert(0, self.image)
        self.dock.annotator.choose_image(self.image)
        self.dock.annotator.choose_labels(self.layer)
        self.settle()
        return True

    def do_look(self):
        if self.rng.random() < 0.1:
            self.viewer.dims.ndisplay = 3
            self.settle()
            self.viewer.dims.ndisplay = 2
        done = super().do_look()
        self.settle()
        return done

    def do_layer(self):
        done = super().do_layer()
        if done:
            self.dock.annotator.choose_labels(self.layer)
            self.settle()
        return done

    def end(self):
        """Close the window."""
        super().end()
        self.viewer.close()
        QApplication.processEvents()


KINDS["window"] = InWindow

if __name__ == "__main__":
    get_settings().application.ipy_interactive = False
    first, count = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + count):
        steps = run("window", seed)
        print("done", seed, steps, flush=True)
