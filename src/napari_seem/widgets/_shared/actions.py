"""What docks can be told by a key: one table for buttons, keys and help."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """A thing to do: its name, its title, and its key in each set.

    The keys in `key` and `left` are bound by napari to nothing on any layer, and those in `left`
    are reached by the left hand while the right one is on the mouse; those of the micro-sam preset
    replace some of napari's own on the prompt layers.
    """

    method: str
    title: str
    key: str
    micro_sam: str
    left: str


ACTIONS = (
    Action("toggle_polarity", "Toggle positive / negative", "G", "T", "Q"),
    Action("commit", "Commit the object", "K", "C", "W"),
    Action("next_answer", "Next answer to the same prompts", "Shift-W", "Shift-W", "Shift-G"),
    Action("next_class", "Next class", "Shift-G", "Shift-G", "G"),
    Action("go_on", "Go on with this object", "Shift-H", "Shift-H", "Shift-W"),
    Action("clear", "Clear the prompts", "J", "Shift-C", "Shift-X"),
    Action("recompute", "Segment again", "Q", "S", "Shift-Q"),
    Action("use_point", "Point tool", "H", "H", "Shift-D"),
    Action("use_box", "Box tool", "N", "N", "Shift-R"),
    Action("use_scribble", "Scribble tool", "U", "U", "Shift-F"),
    Action("use_word", "Word field", "W", "W", "Shift-T"),
    Action("use_lasso", "Lasso tool", ",", ",", "Shift-C"),
    Action("use_pick", "Pick an existing object", ".", ".", "Shift-E"),
    Action("toggle_preview", "Hide / show the preview", "`", "`", "`"),
    Action("toggle_hover", "Show / hide the mask under the mouse", *["Shift-U"] * 3),
    Action("save", "Save the labels", "Shift-S", "Shift-S", "Shift-S"),
)
SERIES_ACTIONS = (
    Action("series_next", "Next image of a series", *["Alt-Right"] * 3),
    Action("series_previous", "Previous image of a series", *["Alt-Left"] * 3),
    Action("series_done", "Image done, and the next one", *["Alt-D"] * 3),
    Action("series_skip", "Skip the image", *["Alt-S"] * 3),
)
"""What the Series dock can be told by a key."""
EVERY_ACTION = (*ACTIONS, *SERIES_ACTIONS)
PRESETS = ("napari-seem", "left hand", "micro-sam")


def keys_of(preset: str) -> dict[str, str]:
    """Method -> key of a preset."""
    column = {"micro-sam": "micro_sam", "left hand": "left"}.get(preset, "key")
    return {action.method: getattr(action, column) for action in EVERY_ACTION}
