"""Random sequences on layers of a viewer: napari's tools, tables of others, layers that go."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import numpy as np
import pandas as pd
from napari.components import ViewerModel
from sequences import CLASSES, KINDS, Sequence

from napari_seem.edits import ObjectRecord
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.label_layers.features import set_table
from napari_seem.viewer.timeline import document_in, timeline_of

KEPT = ("document", "oracle", "census", "layer", "run", "written")
"""What belongs to one layer."""
TABLES = (
    "note",
    "note",
    "note",
    "foreign",
    "label",
    "shuffled",
    "fewer",
    "no index",
    "said anew",
    "broken",
    "none",
)


class InLayers(Sequence):
    """A stack with labels layers in a viewer without a window; one is worked on at a time."""

    often: ClassVar[dict[str, float]] = Sequence.often | {
        "paint": 5, "fill": 2, "look": 3, "table": 2, "layer": 0.5, "delete": 2,
    }  # fmt: skip

    def opened(self, pixels, table):
        """The document of a new layer."""
        if not hasattr(self, "viewer"):
            self.viewer = self.made_viewer()
            self.image = self.viewer.add_image(np.zeros(self.shape, np.uint8), name="image")
            self.away: list[dict] = []
            self.there: list[dict] = []
            self.past, self.future = deque(maxlen=1000), deque(maxlen=1000)
        self.layer = self.viewer.add_labels(pixels, name="labels")
        set_table(self.layer, table)
        document = document_in(self.viewer, self.layer)
        if len(table):
            notes = {i: f"of {i}" for i in table}
            self.layer.features = self.layer.features.assign(note=[None, *notes.values()])
            self.oracle.cells = notes
        return document

    def made_viewer(self):
        """The viewer."""
        return ViewerModel()

    def step(self):
        """Do something; the timeline gets as many steps as the layer's own history."""
        self.oracle.recorded = self.recorded
        super().step()

    def recorded(self):
        """A step was made on this layer."""
        self.past.append(self.layer)
        self.future.clear()

    def check(self):
        """Look at others' columns as well."""
        super().check()
        features = self.layer.features
        there = {}
        if "note" in features:
            column = features.set_index("index")["note"].dropna()
            there = {int(i): v for i, v in column.items() if i > 0}
        assert there == self.oracle.cells, f"notes are {there}, not {self.oracle.cells}"
        assert features["index"].tolist() == [0, *sorted(self.document.table)]

    # ---- what a person does

    def do_undo(self):
        return self.travel("undo", self.past, self.future)

    def do_redo(self):
        return self.travel("redo", self.future, self.past)

    def travel(self, way, source, target):
        """Go a step back or forward, by Ctrl+Z or within a document."""
        own = self.oracle.done if way == "undo" else self.oracle.undone
        if self.rng.random() < 0.3:
            self.say("of the document")
            if not own:
                return False
            assert getattr(self.document, way)()
            getattr(self.oracle, way)()
            for at in range(len(source) - 1, -1, -1):
                if source[at] is self.layer:
                    del source[at]
                    target.append(self.layer)
                    break
            return True
        there = {one["layer"]: one["oracle"] for one in self.there} | {self.layer: self.oracle}
        while source:
            layer = source.pop()
            oracle = there.get(layer)
            if oracle is None or not (oracle.done if way == "undo" else oracle.undone):
                continue  # it went, or has forgotten its steps
            target.append(layer)
            assert getattr(timeline_of(self.viewer), way)(), "nothing is done"
            getattr(oracle, way)()
            return True
        said = getattr(timeline_of(self.viewer), way)(self.document)
        assert bool(said) == bool(own)
        getattr(self.oracle, way)()
        return bool(said)

    def do_back_and_forth(self):
        return False

    def do_look(self):
        dims, rng = self.viewer.dims, self.rng
        for axis, count in enumerate(self.shape):
            dims.set_point(axis, int(rng.integers(count)))
        if rng.random() < 0.4:
            dims.order = tuple(int(i) for i in rng.permutation(len(self.shape)))
        if rng.random() < 0.2:
            self.layer.visible = not self.layer.visible
        return True

    def do_paint(self):
        layer, rng = self.layer, self.rng
        value = int(rng.choice([0, *self.oracle.ids(), 9]))
        layer.brush_size, layer.selected_label = int(rng.integers(1, 5)), value
        layer.preserve_labels = bool(rng.random() < 0.2)
        shown = self.viewer.dims.order[-2:]
        at = [int(rng.integers(n)) for n in self.shape]
        for axis, point in enumerate(self.viewer.dims.current_step):
            at[axis] = at[axis] if axis in shown else point
        ends = [list(at), list(at)]
        for axis in shown:
            ends[1][axis] = int(np.clip(at[axis] + rng.integers(-4, 5), 0, self.shape[axis] - 1))
        self.say(ends, value, layer.brush_size)
        with layer.block_history():
            for end in ends:
                layer.paint(end, value)
        layer.preserve_labels = False
        return self.strokes(value, at, shown)

    def strokes(self, value, at, shown):
        """Take over what napari's tools painted, which must be of one value on one plane."""
        pixels = self.pixels().copy()
        changed = pixels != self.oracle.pixels
        assert not changed.any() or set(np.unique(pixels[changed])) == {value}
        for axis in set(range(len(self.shape))) - set(shown):
            assert set(np.nonzero(changed)[axis].tolist()) <= {at[axis]}, "another plane"
        return self.oracle.become(pixels) or True

    def do_fill(self):
        layer, rng = self.layer, self.rng
        at = [int(rng.integers(n)) for n in self.shape]
        shown = self.viewer.dims.order[-2:]
        for axis, point in enumerate(self.viewer.dims.current_step):
            at[axis] = at[axis] if axis in shown else point
        value = int(rng.choice([0, *self.oracle.ids(), 10]))
        layer.contiguous = bool(rng.random() < 0.7)
        self.say(at, value)
        layer.fill(at, value)
        return self.strokes(value, at, shown)

    def do_script(self):
        where = [int(self.rng.integers(n)) for n in self.shape]
        value = int(self.rng.choice([0, *self.oracle.ids(), 12]))
        if not self.layer.visible:  # napari itself fails then
            return False
        self.say(where, value)
        self.layer.data_setitem(tuple(np.array([n]) for n in where), np.array([value], self.dtype))
        return self.oracle.become(self.pixels()) or True

    def do_table(self):
        kind, rng = str(self.rng.choice(TABLES)), self.rng
        ids = sorted(self.oracle.rows)
        if not ids:
            return False
        self.say(kind)
        some = [int(i) for i in rng.permutation(ids)[: rng.integers(1, len(ids) + 1)]]
        own, rows, cells = self.layer.features.copy(), dict(self.oracle.rows), self.oracle.cells
        if kind == "note":
            cells = {i: f"n{rng.integers(9)}" for i in some}
            own["note"] = [cells.get(int(i)) for i in own["index"]]
        elif kind in ("foreign", "label"):
            own = pd.DataFrame({"index" if kind == "foreign" else kind: some, "area": 1.5})
        elif kind == "shuffled":
            own = own.iloc[rng.permutation(len(own))]
        elif kind == "fewer":
            own = own[own["index"].isin(some)]
        elif kind == "no index":
            own = own.drop(columns="index")
        elif kind == "said anew":
            name = str(rng.choice(CLASSES))
            own = pd.DataFrame({"index": some, "name": name})
            rows |= {i: replaced(self.oracle.row(i), name) for i in some}
        elif kind == "broken":
            own = pd.DataFrame({"index": [*some, np.nan], "score": "high"})
        else:
            own = pd.DataFrame({})
        self.layer.features = own
        self.oracle.rows, self.oracle.cells = rows, dict(cells)
        return True

    def do_colours(self):
        """A plane of more objects than napari can be told of one by one."""
        if self.dtype == np.uint8:
            return False
        plane = self.some_plane()
        values = 100 + np.arange(np.prod(plane.shape(self.shape))).reshape(plane.shape(self.shape))
        self.document.write_plane(plane, values // 3)
        return self.wrote_plane(plane, values // 3)

    def do_layer(self):
        """Go to another labels layer: a new one, one that is there, or one that was removed."""
        mine = {name: getattr(self, name) for name in KEPT}
        choice = self.rng.random()
        if choice < 0.3 and len(self.there) + len(self.away) < 3:
            self.say("new")
            self.there.append(mine)
            self.fresh()
            return True
        others = self.there if choice < 0.7 else self.away
        if not others:
            return False
        other = others.pop(int(self.rng.integers(len(others))))
        if self.rng.random() < 0.4:
            self.say("and remove this")
            self.viewer.layers.remove(self.layer)
            self.away.append(mine)
        else:
            self.there.append(mine)
        if other["layer"] not in self.viewer.layers:
            self.say("removed before")
            self.viewer.layers.append(other["layer"])
        for name, value in other.items():
            setattr(self, name, value)
        assert document_of(self.layer) is self.document
        return True

    def took_back(self, pixels):
        """Planes in memory can be undone."""
        return self.oracle.become(pixels)


def replaced(row: ObjectRecord, name: str) -> ObjectRecord:
    """A row of another name."""
    return ObjectRecord(name, row.score, row.model, row.prompts, row.concept, parent=row.parent)


KINDS["layer"] = InLayers
