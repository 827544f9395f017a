"""Renaming, merging and deleting classes and objects, worked out before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..edits import NO_CLASS, ObjectRecord, ObjectTable, now
from ..errors import InvalidName

LONGEST = 100
"""Most characters of a name."""


@dataclass(frozen=True)
class Plan:
    """One change to labels, their table and the colours of their classes.

    Attributes
    ----------
    kind : str
        Of the event in the record: `rename`, `merge`, `delete` or `recolour`.
    title : str
        What it does, as a person would say it: "rename 'cell' to 'nucleus'".
    rows : mapping of int to ObjectRecord or None
        Rows of the table that become others; None: the row goes.
    pixels : mapping of int to int
        Ids whose pixels get another id, or 0.
    colours : mapping of str to str or None
        Classes that get another colour ("#rrggbb"), or none of their own any more.
    """

    kind: str
    title: str
    rows: Mapping[int, ObjectRecord | None] = field(default_factory=dict)
    pixels: Mapping[int, int] = field(default_factory=dict)
    colours: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.rows or self.pixels or self.colours)


def clean_name(text: str) -> str:
    """A name as it is kept: blanks at the ends go, line breaks and tabs become blanks.

    Raises
    ------
    InvalidName
        Nothing is left, or it is longer than `LONGEST`.
    """
    name = " ".join(text.split())
    if not name:
        raise InvalidName("a name can't be empty; type at least one letter")
    if len(name) > LONGEST:
        raise InvalidName(
            f"a name of {len(name)} characters is too long to be read in a table; use at most "
            f"{LONGEST}"
        )
    return name


def quoted(name: str, longest: int = 30) -> str:
    """A class in a sentence; long names are cut, the one without a name is called so."""
    if name == NO_CLASS:
        return "objects without a name"
    return f"'{name}'" if len(name) <= longest else f"'{name[: longest - 1]}…'"


def classes_of(table: ObjectTable, ids: Iterable[int]) -> dict[str, list[int]]:
    """Class -> ids of its objects, by name, those without a name last.

    Parameters
    ----------
    table : ObjectTable
    ids : iterable of int
        Objects that have pixels; those that only have a row are added.
    """
    found: dict[str, list[int]] = {}
    rows = dict(table.items())
    plain = ObjectRecord()
    for label_id in sorted({*ids, *rows}):
        found.setdefault(rows.get(label_id, plain).class_name, []).append(label_id)
    return {name: found[name] for name in sorted(found, key=_order)}


def look_alikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Classes that differ in capitals only, and are two all the same."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.casefold(), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def rename_object(table: ObjectTable, label_id: int, name: str) -> Plan:
    """Call one object something else; it stays in its class."""
    record = table[label_id]
    wanted = clean_name(name)
    title = f"name object {label_id} {quoted(wanted)}"
    if wanted == record.name:
        return Plan("rename", title)
    return Plan(
        "rename", title, {label_id: replace(record, name=wanted, concept=record.class_name)}
    )


def move(table: ObjectTable, ids: Iterable[int], to: str) -> Plan:
    """Put objects into a class; those that were called as their old one are called as the new."""
    wanted = clean_name(to)
    rows = {}
    for label_id in ids:
        moved = _moved(table[label_id], wanted)
        if moved != table[label_id]:
            rows[label_id] = moved
    return Plan("rename", f"put {counted(len(rows))} into {quoted(wanted)}", rows)


def rename_class(
    classes: Mapping[str, Sequence[int]], table: ObjectTable, old: str, to: str,
    colours: Mapping[str, str],
) -> Plan:  # fmt: skip
    """Call a class something else; where there is one of that name, they become one.

    Parameters
    ----------
    classes : mapping
        As `classes_of` gives it.
    table : ObjectTable
    old, to : str
    colours : mapping of str to str
        Of the classes; the new name keeps the old one's.
    """
    wanted = clean_name(to)
    if wanted in classes and wanted != old:
        return merge_classes(classes, table, [old], wanted)
    title = f"rename {quoted(old)} to {quoted(wanted)}"
    if old == wanted:
        return Plan("rename", title)
    plan = move(table, classes.get(old, ()), wanted)
    moved = {wanted: colours[old], old: None} if old in colours and old != NO_CLASS else {}
    return Plan("rename", title, plan.rows, colours=moved)


def merge_classes(
    classes: Mapping[str, Sequence[int]], table: ObjectTable, names: Iterable[str], into: str
) -> Plan:
    """Make several classes one; their objects stay apart."""
    wanted = clean_name(into)
    gone = [name for name in names if name != wanted]
    ids = [label_id for name in gone for label_id in classes.get(name, ())]
    title = f"merge {', '.join(quoted(name) for name in gone[:3])}"
    more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
    return Plan("merge", f"{title}{more} into {quoted(wanted)}", move(table, ids, wanted).rows)


def merge_objects(table: ObjectTable, ids: Sequence[int]) -> Plan:
    """Make several objects one: the first id stays, and takes what it lacks from the others.

    Its prompts are all of theirs, its score the lowest.
    """
    keep, *others = ids
    records = [table[label_id] for label_id in ids]
    scores = [record.score for record in records if record.score == record.score]
    merged = ObjectRecord(
        _first(record.name for record in records),
        min(scores, default=float("nan")),
        _first(record.model for record in records),
        sum(record.prompts for record in records),
        _first(record.concept for record in records),
        now(),
        next((r.parent for r in records if r.parent and r.parent not in ids), 0),
    )
    rows = {**_orphans(table, others, keep), keep: merged}
    rows |= {label_id: None for label_id in others if label_id in table}
    title = f"merge {counted(len(ids))} into {keep}"
    return Plan("merge", title, rows, dict.fromkeys(others, keep))


def delete_objects(table: ObjectTable, ids: Sequence[int]) -> Plan:
    """Take objects away, pixels and rows."""
    what = f"object {ids[0]}" if len(ids) == 1 else counted(len(ids))
    gone = _orphans(table, ids) | {label_id: None for label_id in ids if label_id in table}
    return Plan("delete", f"delete {what}", gone, dict.fromkeys(ids, 0))


def recolour(names: Sequence[str], colour: str) -> Plan:
    """Give classes a colour, "#rrggbb"."""
    said = quoted(names[0]) if len(names) == 1 else f"{len(names)} classes"
    return Plan("recolour", f"recolour {said}", colours=dict.fromkeys(names, colour))


def counted(number: int) -> str:
    """A number of objects in words."""
    return "1 object" if number == 1 else f"{number} objects"


def _moved(record: ObjectRecord, wanted: str) -> ObjectRecord:
    follows = record.name == record.class_name
    return replace(record, concept=wanted, name=wanted if follows else record.name)


def _orphans(
    table: ObjectTable, gone: Iterable[int], parent: int = 0
) -> dict[int, ObjectRecord | None]:
    """Rows of the daughters of objects that go, as those of another parent, or of none."""
    lost = set(gone)
    return {i: replace(r, parent=parent) for i, r in table.items() if r.parent in lost}


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")


def _order(name: str) -> tuple[bool, str, str]:
    return name == NO_CLASS, name.casefold(), name
