"""What tests of the Everything dock share: a scene, and a mouse."""

from __future__ import annotations

import numpy as np
from napari.utils.events import Event

LEFT, RIGHT, SPECK, NOTHING = (32, 20), (32, 58), (4, 4), (60, 40)


def scene():
    """Two discs and a speck of 9 pixels."""
    rows, cols = np.mgrid[:64, :80]
    image = np.full((64, 80), 20, np.uint8)
    for y, x in (LEFT, RIGHT):
        image[np.hypot(rows - y, cols - x) <= 12] = 220
    image[3:6, 3:6] = 220
    return image


def drag(dock, *positions, modifiers=()):
    """What napari tells of a press, a drag and a release."""
    event = Event("mouse_press", position=positions[0], button=1, modifiers=modifiers)
    steps = dock._on_press(dock.viewer, event)
    for position in positions:
        next(steps, None)
        event._type, event.position = "mouse_move", position
    if len(positions) > 1:
        next(steps, None)
    event._type = "mouse_release"
    next(steps, None)


def labels_of(dock):
    return dock.viewer.layers["discs labels"]
