"""Logs of version 1 read as those of today."""

from __future__ import annotations

from collections.abc import Sequence

from ..values import JsonObject

KINDS = {
    "opened": "open", "saved": "save", "committed": "commit", "found": "segment",
    "mapped": "write_map", "propagating": "propagate", "carried": "propagate_plane",
    "accepted": "accept_plane", "taken_back": "restore_plane", "joined": "join",
    "learning": "learn", "labelled_like": "label_like", "renamed": "rename", "merged": "merge",
    "deleted": "delete", "recoloured": "recolour", "written": "write",
}  # fmt: skip
"""What an event was called then, and what it is now."""
BY_HAND = {"painted": "paint", "undone": "undo", "redone": "redo", "otherwise": "external"}
"""What was done by hand: the word for it then, and the event of today."""


def upgraded(events: Sequence[JsonObject]) -> list[JsonObject]:
    """The lines of a session in the form of today; those of today as they are."""
    if int(events[0].get("version", 1)) >= 2:
        return list(events)
    return [_upgraded(event) for event in events]


def _upgraded(event: JsonObject) -> JsonObject:
    line = dict(event)
    kind = str(line["event"])
    if kind == "by_hand":
        line["event"] = BY_HAND.get(str(line.pop("how", "otherwise")), "external")
    else:
        line["event"] = KINDS.get(kind, kind)
    if kind == "opened":
        line["version"] = 2
    if "looks" in line:
        line["windows"] = line.pop("looks")
    if kind == "learning":
        line["examples"] = [_upgraded({"event": "", **one}) for one in line.get("examples", ())]
    return line
