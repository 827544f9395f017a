"""Prompts as ordinary napari layers: points, shapes and scribbles, drawn with napari's own tools.

Each drawn thing becomes a `Drawn`: a prompt, the plane it lies on, and what is needed to draw it
again after an undo. The layers are made once and then only filled, hidden and put onto the next
image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import InvalidPrompt
from ...planes import Plane
from ...prompts import Point, Scribble
from ..coordinates import on_placing, shown_plane, spatial_shape
from ..private import disable_brush_loop, draw_brush_without_box, is_drawing_shape, selection_kept
from ..roles import draw_last, put_onto, release
from ..timeline import bind_undo, timeline_of
from .shapes import Drawn, Grain, drawn_point, drawn_shape
from .tools import (
    COLOURS,
    FACES,
    NEGATIVE,
    POSITIVE,
    SIGNS,
    SYMBOLS,
    UID,
    draw_points,
    draw_shapes,
    points_layer,
    scribbles_layer,
    shapes_layer,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Points, Shapes
    from napari.utils.events import Event

FloatArray = npt.NDArray[np.float64]


class PromptLayers:
    """The prompts of one image, and the three layers they are drawn in while it is the chosen one.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
    changed : callable
        Called without arguments after a person changed a prompt.
    slipped : callable
        Called with a message when something drawn was no prompt.
    later : callable, optional
        Calls a function once napari has finished with what it is doing now; by default at once.
    """

    def __init__(
        self, viewer: ViewerModel, image: Image, changed: Callable[[], None],
        slipped: Callable[[str], None], later: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:  # fmt: skip
        self.viewer, self.image = viewer, image
        self._later = later or (lambda function: function())
        self._changed, self._slipped = changed, slipped
        draw_brush_without_box(viewer)
        self._drawn: list[Drawn] = []
        self._own, self._attached = False, False
        self._grain, self._shape = Grain(image), spatial_shape(image)
        self.positive = True
        self._edge_width = float(np.clip(max(_height_and_width(image)) / 250, 0.5, 8))
        self.points: Points
        self.shapes: Shapes
        self.scribbles: Labels
        self.attach()

    def attach(self) -> None:
        """Put the layers onto this image, with what was drawn on it."""
        if self._attached:
            return
        viewer, image = self.viewer, self.image
        size = float(np.clip(max(_height_and_width(image)) / 40, 4, 40))
        with selection_kept(viewer):
            self.scribbles = scribbles_layer(viewer, image, self._grain)
            self.scribbles.brush_size = int(np.clip(max(self._grain.shape[-2:]) / 80, 2, 40))
            self.shapes = shapes_layer(viewer, image)
            self.points = points_layer(viewer, image, size)
            draw_last(viewer)
        self._attached = True
        self.points.events.data.connect(self._on_points)
        self.shapes.events.data.connect(self._on_shapes)
        self.scribbles.events.paint.connect(self._on_stroke)
        self.scribbles.events.mode.connect(self._use_plain_brush)
        self.scribbles.events.n_edit_dimensions.connect(self._paint_planes)
        on_placing(image, self._place)
        for layer in self.layers:
            on_placing(layer, self._place)
            bind_undo(layer, timeline_of(viewer))
        self.set_positive(self.positive)
        self._draw({drawn.plane.key(): drawn.plane for drawn in self._drawn}.values())

    def detach(self) -> None:
        """Leave the layers, hidden, to another image; what was drawn is drawn again later."""
        if not self._attached:
            return
        self._attached = False
        self.points.events.data.disconnect(self._on_points)
        self.shapes.events.data.disconnect(self._on_shapes)
        self.scribbles.events.paint.disconnect(self._on_stroke)
        self.scribbles.events.mode.disconnect(self._use_plain_brush)
        self.scribbles.events.n_edit_dimensions.disconnect(self._paint_planes)
        on_placing(self.image, self._place, follow=False)
        for layer in self.layers:
            on_placing(layer, self._place, follow=False)
            release(layer)

    @property
    def layers(self) -> tuple[Points, Shapes, Labels]:
        """Points, shapes, scribbles; another image's while this one is not chosen."""
        return self.points, self.shapes, self.scribbles

    @property
    def fits(self) -> bool:
        """Whether the image still has the shape that the layers were made for."""
        return self._shape == spatial_shape(self.image)

    def on(self, plane: Plane) -> list[Drawn]:
        """The prompts of a plane, in the order in which they were made."""
        return [drawn for drawn in self._drawn if drawn.plane.key() == plane.key()]

    def show(self, plane: Plane, drawn: Sequence[Drawn]) -> None:
        """Draw exactly these prompts on a plane, such as after an undo; others stay."""
        others = [d for d in self._drawn if d.plane.key() != plane.key()]
        self._drawn = [*others, *drawn]
        self._draw([plane])

    def add(self, drawn: Drawn) -> None:
        """Add a prompt that has no layer of its own (a word, an object picked up again)."""
        self._drawn.append(drawn)

    def restore(self) -> None:
        """Put layers back that were taken out of the viewer all the same, and over all others."""
        missing = [layer for layer in self.layers if layer not in self.viewer.layers]
        active = self.viewer.layers.selection.active
        for layer in missing:
            self.viewer.layers.append(layer)
        draw_last(self.viewer)
        if missing:
            self.viewer.layers.selection.active = active

    def set_positive(self, positive: bool) -> None:
        """Choose the sign of what is drawn next; colour and symbol show it."""
        self.positive = positive
        if not self._attached:
            return
        self.scribbles.selected_label = POSITIVE if positive else NEGATIVE
        if is_drawing_shape(self.shapes):
            return
        colour = COLOURS[positive]
        with self._quietly():
            self.points.selected_data = set()  # or napari recolours what is selected
            self.shapes.selected_data = set()
            self.points.current_face_color = colour
            self.points.current_symbol = SYMBOLS[positive]
            self.points.feature_defaults = {"sign": SIGNS[positive], UID: ""}
            self.shapes.current_edge_color = colour
            self.shapes.current_face_color = FACES[positive]
            self.shapes.current_edge_width = self._edge_width

    def _use_plain_brush(self, _: object = None) -> None:
        """Let the right button paint too: negative strokes, as it gives negative points.

        napari starts a stroke with it that goes on after the button is released, until it has
        come full circle.
        """
        disable_brush_loop(self.scribbles)

    def _paint_planes(self, _: object = None) -> None:
        """A stroke is a prompt on one plane, and is painted on no other."""
        if self.scribbles.n_edit_dimensions != 2:
            self.scribbles.n_edit_dimensions = 2
            self._slipped(
                "strokes are prompts on the shown plane; they are painted in 2 dimensions"
            )

    def _place(self, _: object = None) -> None:
        """Keep the layers on the image, whoever lays it or them elsewhere."""
        if self._own:
            return
        with self._quietly():
            for layer in self.layers:
                if layer is self.scribbles and self._grain.is_coarse:
                    self._grain.put(self.scribbles)
                elif self.fits:
                    put_onto(self.viewer, layer, self.image)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Ignore the events that our own changes cause."""
        before, self._own = self._own, True
        try:
            yield
        finally:
            self._own = before

    def _on_points(self, event: Event) -> None:
        if not self._own and str(getattr(event, "action", "")) in _DONE:
            self._guarded(self._take_points)

    def _on_shapes(self, event: Event) -> None:
        if not self._own and str(getattr(event, "action", "")) in _DONE:
            self._guarded(self._take_shapes)

    def _on_stroke(self, event: Event) -> None:
        if not self._own:
            self._guarded(self._take_stroke)

    def _guarded(self, take: Callable[[], None]) -> None:
        """Read a layer; what can't be a prompt is told and taken off the layer again."""
        try:
            take()
        except InvalidPrompt as error:
            with self._quietly():
                self._draw_points()
                self._draw_shapes()
            self._slipped(str(error))
            return
        self._changed()

    def _take_points(self) -> None:
        old = [d for d in self._drawn if isinstance(d.prompt, Point)]
        places = [np.asarray(place, float)[None] for place in self.points.data]
        uids = _uids(self.points)
        self._replace(old, self._matched(old, places, [""] * len(places), uids))
        self._write_uids(self.points, places)

    def _take_shapes(self) -> None:
        old = [d for d in self._drawn if d.shape_type]
        places = [np.asarray(vertices, float) for vertices in self.shapes.data]
        kinds = list(self.shapes.shape_type)
        self._replace(old, self._matched(old, places, kinds, _uids(self.shapes)))
        self._write_uids(self.shapes, places)

    def _matched(
        self, old: list[Drawn], places: list[FloatArray], kinds: list[str], uids: list[str]
    ) -> list[Drawn]:
        """Return what is drawn now: known prompts as they were, new and moved ones made anew.

        The places are vertices, float (N, D), in the coordinates of the D-d array.

        A row of the layer's features holds the identifier of its prompt; a copy that a person
        pasted has that of another, and is a new prompt.
        """
        remaining = {drawn.prompt.uid: drawn for drawn in old}
        slots: list[tuple[Drawn | None, bool]] = []
        for vertices, uid in zip(places, uids, strict=True):
            known = remaining.pop(uid, None)
            slots.append((known, known is not None and known.same_place(vertices)))
        fresh = []
        for (known, same), vertices, kind in zip(slots, places, kinds, strict=True):
            if known is not None and same:
                fresh.append(known)
                continue
            positive = self.positive if known is None else known.prompt.positive
            fresh.append(self._make(vertices, kind, positive))
        return fresh

    def _write_uids(self, layer: Points | Shapes, places: list[FloatArray]) -> None:
        """Give the rows of a layer, at vertices (N, D) each, the identifiers of their prompts."""
        drawn = [one for one in self._drawn if _stands_in(one, layer)]
        rows = []
        for vertices in places:
            one = next((one for one in drawn if one.same_place(vertices)), None)
            rows.append("" if one is None else one.prompt.uid)
            if one is not None:
                drawn.remove(one)
        if len(layer.features) == len(rows) and rows != _uids(layer):
            with self._quietly():
                layer.features[UID] = rows

    def _make(self, vertices: FloatArray, kind: str, positive: bool) -> Drawn:
        """Return the prompt of vertices, float (N, D), in the coordinates of the D-d array."""
        plane = shown_plane(self.image, self.viewer.dims)
        if not plane.holds(vertices[0]):
            position = vertices.mean(0)
            plane = replace(plane, index=tuple(
                None if shown is None else round(float(position[axis]))
                for axis, shown in enumerate(plane.index)
            ))  # fmt: skip
        if not kind:
            return drawn_point(vertices[0], plane, positive)
        return drawn_shape(vertices, kind, plane, plane.shape(spatial_shape(self.image)), positive)

    def _replace(self, old: list[Drawn], fresh: list[Drawn]) -> None:
        """Put fresh prompts where the old ones stood in the order of making."""
        kept = [d for d in self._drawn if d not in old or d in fresh]
        self._drawn = kept + [d for d in fresh if d not in kept]

    def _take_stroke(self) -> None:
        plane = shown_plane(self.image, self.viewer.dims)
        self._grain.check(plane)
        values = plane.read(self.scribbles.data)
        kept: list[Drawn] = []
        covered = np.zeros(values.shape, bool)
        for drawn in self._drawn:
            if not isinstance(drawn.prompt, Scribble) or drawn.plane.key() != plane.key():
                kept.append(drawn)
                continue
            if drawn.shape_type:  # a path, which stands in the shapes layer
                kept.append(drawn)
                continue
            value = POSITIVE if drawn.prompt.positive else NEGATIVE
            before = self._grain.stroke(drawn.prompt, plane)
            still = before & (values == value)
            covered |= still
            if still.sum() == before.sum():
                kept.append(drawn)
            elif still.any():  # partly erased or painted over
                positive = drawn.prompt.positive
                kept.append(Drawn(self._grain.prompt(still, plane, positive), plane))
        for value in (POSITIVE, NEGATIVE):
            added = (values == value) & ~covered
            if added.any():
                prompt = self._grain.prompt(added, plane, value == POSITIVE)
                kept.append(Drawn(prompt, plane))
        self._drawn = kept

    def _draw(self, planes: Iterable[Plane]) -> None:
        """Draw all points and shapes, and the strokes of some planes."""
        if not self._attached:
            return
        with self._quietly():
            self._draw_points()
            self._draw_shapes()
            for plane in planes:
                self._draw_scribbles(plane)

    def _draw_points(self) -> None:
        draw_points(self.points, [d for d in self._drawn if isinstance(d.prompt, Point)])

    def _draw_shapes(self) -> None:
        if is_drawing_shape(self.shapes):  # napari stumbles over a change in the midst of a polygon
            self._later(self._draw_shapes_now)
        else:
            self._draw_shapes_now()

    def _draw_shapes_now(self) -> None:
        with self._quietly():
            if self._attached:
                drawn = [d for d in self._drawn if d.shape_type]
                draw_shapes(self.shapes, drawn, self.positive, self._edge_width)

    def _draw_scribbles(self, plane: Plane) -> None:
        with suppress(InvalidPrompt):
            self._grain.check(plane)
            self._draw_strokes(plane)

    def _draw_strokes(self, plane: Plane) -> None:
        values = np.zeros(plane.shape(self._grain.shape), np.uint8)
        for drawn in self.on(plane):
            if isinstance(drawn.prompt, Scribble) and not drawn.shape_type:
                stroke = self._grain.stroke(drawn.prompt, plane)
                values[stroke] = POSITIVE if drawn.prompt.positive else NEGATIVE
        if (plane.read(self.scribbles.data) == values).all():
            return
        offset, block = plane.place(np.ones(values.shape, bool))
        area = tuple(slice(o, o + s) for o, s in zip(offset, block.shape, strict=True))
        turned = values.T if plane.transposed else values
        self.scribbles.data[area] = turned.reshape(block.shape)
        self.scribbles.refresh(extent=False, thumbnail=False)


_DONE = {"added", "removed", "changed", "ActionType.ADDED", "ActionType.REMOVED",
         "ActionType.CHANGED"}  # fmt: skip


def _height_and_width(image: Image) -> tuple[int, int]:
    shape = spatial_shape(image)
    return shape[-2], shape[-1]


def _uids(layer: Points | Shapes) -> list[str]:
    """Identifiers of the prompts in a layer, "" for new ones; napari may lack rows for a moment."""
    values = [str(uid) for uid in layer.features.get(UID, ())]
    missing = len(layer.data) - len(values)
    values = [*values[: len(layer.data)], *[""] * missing]
    return [uid if values.index(uid) == k else "" for k, uid in enumerate(values)]


def _stands_in(drawn: Drawn, layer: Points | Shapes) -> bool:
    return bool(drawn.shape_type) == hasattr(layer, "shape_type") and drawn.vertices is not None
