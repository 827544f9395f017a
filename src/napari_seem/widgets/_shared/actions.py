"""What docks can be told by a key: one table for buttons, keys and help."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """A thing to do: its name, its title, its key, and micro-sam's key for it.

    The keys in `key` are bound by napari to nothing on any layer; those of the micro-sam preset
    replace some of napari's own on the prompt layers.
    """

    method: str
    title: str
    key: str
    micro_sam: str


ACTIONS = (
    Action("toggle_polarity", "Toggle positive / negative", "G", "T"),
    Action("commit", "Commit the object", "K", "C"),
    Action("clear", "Clear the prompts", "J", "Shift-C"),
    Action("recompute", "Segment again", "Q", "S"),
    Action("use_point", "Point tool", "H", "H"),
    Action("use_box", "Box tool", "N", "N"),
    Action("use_scribble", "Scribble tool", "U", "U"),
    Action("use_word", "Word field", "W", "W"),
    Action("use_lasso", "Lasso tool", ",", ","),
    Action("use_pick", "Pick an existing object", ".", "."),
    Action("toggle_preview", "Hide / show the preview", "`", "`"),
)
SERIES_ACTIONS = (
    Action("series_next", "Next image of a series", "Alt-Right", "Alt-Right"),
    Action("series_previous", "Previous image of a series", "Alt-Left", "Alt-Left"),
    Action("series_done", "Image done, and the next one", "Alt-D", "Alt-D"),
    Action("series_skip", "Skip the image", "Alt-S", "Alt-S"),
)
"""What the Series dock can be told by a key."""
EVERY_ACTION = (*ACTIONS, *SERIES_ACTIONS)
PRESETS = ("napari-seem", "micro-sam")


def keys_of(preset: str) -> dict[str, str]:
    """Method -> key of a preset."""
    return {a.method: a.micro_sam if preset == "micro-sam" else a.key for a in EVERY_ACTION}
