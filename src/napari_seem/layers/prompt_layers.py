"""Prompts as ordinary napari layers: points, shapes and scribbles, drawn with napari's own tools.

Each drawn thing becomes a `Drawn`: a prompt, the plane it lies on, and what is needed to draw it
again after an undo. The layers are made once per image and then only filled and hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidPrompt
from ..planes import Plane
from ..prompts import Box, Point, Polygon, Prompt, Scribble
from .coordinates import placement, shown_plane, spatial_shape

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Points, Shapes

BoolArray = npt.NDArray[np.bool_]
COLOURS = {True: "#2dd36f", False: "#ff4961"}
SYMBOLS = {True: "cross", False: "hbar"}
SMALLEST_SHAPE = 1.5
"""Shapes smaller than this along both axes are slips of the mouse."""
POSITIVE, NEGATIVE = 1, 2
"""Values of a scribble layer."""
SCRIBBLE_COLOURS = {None: "#00000000", 0: "#00000000", 1: COLOURS[True], 2: COLOURS[False]}


@dataclass(frozen=True, eq=False)
class Drawn:
    """A prompt as it stands in a layer.

    Attributes
    ----------
    prompt : Prompt
    plane : Plane
    vertices : float array (N, ndim), optional
        Array coordinates, of points and shapes.
    shape_type : str
        napari's word for it; '' for what is no shape.
    """

    prompt: Prompt
    plane: Plane
    vertices: npt.NDArray[np.float64] | None = None
    shape_type: str = ""

    def same_place(self, vertices: npt.NDArray[Any], positive: bool) -> bool:
        """Whether it is drawn there, with that sign."""
        return (
            self.vertices is not None
            and self.vertices.shape == vertices.shape
            and bool(np.allclose(self.vertices, vertices))
            and self.prompt.positive == positive
        )


class PromptLayers:
    """The three prompt layers of one image.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
    changed : callable
        Called without arguments after a person changed a prompt.
    slipped : callable
        Called with a message when something drawn was no prompt.
    """

    def __init__(
        self, viewer: ViewerModel, image: Image, changed: Callable[[], None],
        slipped: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.viewer, self.image = viewer, image
        self._changed, self._slipped = changed, slipped
        self._drawn: list[Drawn] = []
        self._own = False
        self.positive = True
        where = placement(image)
        active = viewer.layers.selection.active
        self.points: Points = viewer.add_points(
            ndim=image.ndim, name=f"{image.name} points", size=10, border_width=0.05,
            face_color=COLOURS[True], symbol=SYMBOLS[True], **where,
        )  # fmt: skip
        self.shapes: Shapes = viewer.add_shapes(
            ndim=image.ndim, name=f"{image.name} shapes", edge_width=2,
            edge_color=COLOURS[True], face_color="#00000000", opacity=0.9, **where,
        )  # fmt: skip
        self.scribbles: Labels = viewer.add_labels(
            np.zeros(spatial_shape(image), np.uint8), name=f"{image.name} scribbles", opacity=0.8,
            colormap=SCRIBBLE_COLOURS, **where,
        )  # fmt: skip
        self.scribbles.brush_size = 6
        viewer.layers.selection.active = active
        self.points.events.data.connect(self._on_points)
        self.shapes.events.data.connect(self._on_shapes)
        self.scribbles.events.paint.connect(self._on_stroke)
        self.set_positive(True)

    @property
    def layers(self) -> tuple[Points, Shapes, Labels]:
        """Points, shapes, scribbles."""
        return self.points, self.shapes, self.scribbles

    @property
    def complete(self) -> bool:
        """Whether none of the layers was removed by the person."""
        return all(layer in self.viewer.layers for layer in self.layers)

    def on(self, plane: Plane) -> list[Drawn]:
        """The prompts of a plane, in the order in which they were made."""
        return [drawn for drawn in self._drawn if drawn.plane.key() == plane.key()]

    def show(self, plane: Plane, drawn: Sequence[Drawn]) -> None:
        """Draw exactly these prompts on a plane, such as after an undo; others stay."""
        others = [d for d in self._drawn if d.plane.key() != plane.key()]
        self._drawn = [*others, *drawn]
        with self._quietly():
            self._draw_points()
            self._draw_shapes()
            self._draw_scribbles(plane)

    def add(self, drawn: Drawn) -> None:
        """Add a prompt that has no layer of its own (a word, an object picked up again)."""
        self._drawn.append(drawn)

    def set_visible(self, visible: bool) -> None:
        """Show or hide the layers."""
        for layer in self.layers:
            layer.visible = visible

    def set_positive(self, positive: bool) -> None:
        """Choose the sign of what is drawn next; colour and symbol show it."""
        self.positive = positive
        colour = COLOURS[positive]
        with self._quietly():
            kept = set(self.points.selected_data), set(self.shapes.selected_data)
            self.points.selected_data = set()  # or napari recolours what is selected
            self.shapes.selected_data = set()
            self.points.current_face_color = colour
            self.points.current_symbol = SYMBOLS[positive]
            self.shapes.current_edge_color = colour
            self.points.selected_data, self.shapes.selected_data = kept
        self.scribbles.selected_label = POSITIVE if positive else NEGATIVE

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Ignore the events that our own changes cause."""
        before, self._own = self._own, True
        try:
            yield
        finally:
            self._own = before

    def _on_points(self, event: Any) -> None:
        if not self._own and str(getattr(event, "action", "")) in _DONE:
            self._guarded(self._take_points)

    def _on_shapes(self, event: Any) -> None:
        if not self._own and str(getattr(event, "action", "")) in _DONE:
            self._guarded(self._take_shapes)

    def _on_stroke(self, event: Any) -> None:
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

    def _take_points(self) -> None:
        old = [d for d in self._drawn if isinstance(d.prompt, Point)]
        places = list(np.asarray(self.points.data)[:, None])
        fresh = self._matched(old, places, [""] * len(places))
        self._replace(Point, fresh)

    def _take_shapes(self) -> None:
        old = [d for d in self._drawn if d.shape_type]
        data = [np.asarray(vertices, float) for vertices in self.shapes.data]
        fresh = self._matched(old, data, list(self.shapes.shape_type))
        if len(fresh) < len(data):  # slips of the mouse do not stay on the picture
            self._drawn = [d for d in self._drawn if not d.shape_type] + fresh
            with self._quietly():
                self._draw_shapes()
        self._replace(None, fresh)

    def _matched(
        self, old: list[Drawn], places: list[npt.NDArray[np.float64]], kinds: list[str]
    ) -> list[Drawn]:
        """What is drawn now: known prompts as they were, new and moved ones made anew."""
        fresh: list[Drawn] = []
        remaining = list(old)
        changed: list[tuple[int, npt.NDArray[np.float64], str]] = []
        slots: list[Drawn | None] = []
        for index, vertices in enumerate(places):
            known = next((d for d in remaining if d.same_place(vertices, d.prompt.positive)), None)
            slots.append(known)
            if known is not None:
                remaining.remove(known)
            else:
                changed.append((index, vertices, kinds[index]))
        moved = len(places) == len(old) and len(changed) == len(remaining) and bool(remaining)
        for index, vertices, kind in changed:
            positive = remaining.pop(0).prompt.positive if moved else self.positive
            slots[index] = self._make(vertices, kind, positive)
        fresh.extend(slot for slot in slots if slot is not None)
        return fresh

    def _make(self, vertices: npt.NDArray[np.float64], kind: str, positive: bool) -> Drawn | None:
        plane = shown_plane(self.image, self.viewer.dims)
        if not plane.holds(vertices[0]):
            position = vertices.mean(0)
            plane = replace(plane, index=tuple(
                None if shown is None else round(float(position[axis]))
                for axis, shown in enumerate(plane.index)
            ))  # fmt: skip
        flat = vertices[:, list(plane.axes)]
        if not kind:
            point = Point(float(flat[0, 0]), float(flat[0, 1]), positive)
            return Drawn(point, plane, vertices.copy())
        if np.ptp(flat, axis=0).max() < SMALLEST_SHAPE:
            self._slipped("that shape is too small to mean anything; drag a larger one")
            return None
        shape = plane.shape(spatial_shape(self.image))
        prompt = _shape_prompt(flat, kind, shape, positive)
        return Drawn(prompt, plane, vertices.copy(), kind)

    def _replace(self, kind: type | None, fresh: list[Drawn]) -> None:
        """Put fresh points (or shapes) where the old ones stood in the order of making."""
        mine = (lambda d: isinstance(d.prompt, Point)) if kind else (lambda d: bool(d.shape_type))
        kept = [d for d in self._drawn if not mine(d) or d in fresh]
        self._drawn = kept + [d for d in fresh if d not in kept]
        self._changed()

    def _take_stroke(self) -> None:
        plane = shown_plane(self.image, self.viewer.dims)
        values = plane.read(self.scribbles.data)
        kept: list[Drawn] = []
        covered = np.zeros(values.shape, bool)
        for drawn in self._drawn:
            if not isinstance(drawn.prompt, Scribble) or drawn.plane.key() != plane.key():
                kept.append(drawn)
                continue
            value = POSITIVE if drawn.prompt.positive else NEGATIVE
            still = drawn.prompt.mask & (values == value)
            covered |= still
            if still.sum() == drawn.prompt.mask.sum():
                kept.append(drawn)
            elif still.any():  # partly erased or painted over
                kept.append(Drawn(Scribble(still, drawn.prompt.positive), plane))
        for value in (POSITIVE, NEGATIVE):
            added = (values == value) & ~covered
            if added.any():
                kept.append(Drawn(Scribble(added, value == POSITIVE), plane))
        self._drawn = kept
        self._changed()

    def _draw_points(self) -> None:
        points = [d for d in self._drawn if isinstance(d.prompt, Point)]
        self.points.selected_data = set()
        ndim = self.image.ndim
        data = [d.vertices[0] for d in points if d.vertices is not None]
        self.points.data = np.array(data).reshape(-1, ndim)
        if points:
            self.points.face_color = [COLOURS[d.prompt.positive] for d in points]
            self.points.symbol = [SYMBOLS[d.prompt.positive] for d in points]

    def _draw_shapes(self) -> None:
        shapes = [d for d in self._drawn if d.shape_type]
        self.shapes.selected_data = set()
        self.shapes.data = []
        if shapes:
            self.shapes.add(
                [d.vertices for d in shapes], shape_type=[d.shape_type for d in shapes],
                edge_color=[COLOURS[d.prompt.positive] for d in shapes],
                face_color="#00000000", edge_width=2,
            )  # fmt: skip
        self.shapes.current_edge_color = COLOURS[self.positive]

    def _draw_scribbles(self, plane: Plane) -> None:
        values = np.zeros(plane.shape(spatial_shape(self.image)), np.uint8)
        for drawn in self.on(plane):
            if isinstance(drawn.prompt, Scribble):
                values[drawn.prompt.mask] = POSITIVE if drawn.prompt.positive else NEGATIVE
        if (plane.read(self.scribbles.data) == values).all():
            return
        offset, block = plane.place(np.ones(values.shape, bool))
        area = tuple(slice(o, o + s) for o, s in zip(offset, block.shape, strict=True))
        turned = values.T if plane.transposed else values
        self.scribbles.data[area] = turned.reshape(block.shape)
        self.scribbles.refresh(extent=False, thumbnail=False)


_DONE = {"added", "removed", "changed", "ActionType.ADDED", "ActionType.REMOVED",
         "ActionType.CHANGED"}  # fmt: skip


def _shape_prompt(
    flat: npt.NDArray[np.float64], kind: str, shape: tuple[int, int], positive: bool
) -> Prompt:
    """What a drawn shape means; `flat` is (N, 2) in plane pixels, centres at integers."""
    if kind == "rectangle":
        low, high = flat.min(0) + 0.5, flat.max(0) + 0.5
        return Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]), positive)
    if kind == "ellipse":
        middle, radius = flat.mean(0), np.ptp(flat, axis=0) / 2
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        outline = middle + radius * np.stack([np.sin(angle), np.cos(angle)], 1)
        return Polygon(outline, positive)
    if kind == "polygon":
        return Polygon(flat, positive)
    return Scribble(_line_mask(flat, shape), positive)


def _line_mask(flat: npt.NDArray[np.float64], shape: tuple[int, int]) -> BoolArray:
    """The pixels along a path."""
    from skimage.draw import line

    out = np.zeros(shape, bool)
    corners = np.clip(np.round(flat).astype(int), 0, np.array(shape) - 1)
    for (y0, x0), (y1, x1) in pairwise(corners):
        rows, cols = line(y0, x0, y1, x1)
        out[rows, cols] = True
    return out
