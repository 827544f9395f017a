"""Rename, merge, move, recolour and delete the objects and classes of labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..edits import NO_CLASS
from ..errors import InvalidLabels, InvalidName
from ..labels import plans
from ..labels.census import Census, Found, count_planes
from ..labels.changes import Change
from ..labels.document import LabelDocument
from ..labels.plans import Plan, classes_of
from .base import Command


class NameCommand(Command):
    """A change to objects or classes, worked out as a `Plan` before anything is changed."""

    title: str = ""

    def plan(self, document: LabelDocument, census: Census) -> Plan:
        """What is to change; raises `InvalidName` or `InvalidLabels` for what makes no sense."""
        raise NotImplementedError

    def apply(self, document: LabelDocument, census: Census | None = None) -> Change | None:
        """Make the change in one transaction.

        Parameters
        ----------
        document : LabelDocument
        census : Census, optional
            Where the objects lie; counted now where it is not given.

        Returns
        -------
        Change or None
            None where nothing changes.

        Raises
        ------
        InvalidName, InvalidLabels
            Nothing is changed then.
        FileTrouble
            A disk refuses the pixels; they are as they were.
        """
        known = census or Census(tuple(document.data.shape))
        plan = self.plan(document, known)
        if plan.is_empty:
            return None
        if plan.pixels and not known.complete:
            if census is not None:
                raise InvalidLabels(
                    f"the objects are still being counted ({len(census)} of {census.planes} "
                    "planes); do it again in a moment"
                )
            count_all(document, known)
        entry = {**self.to_dict(), "title": plan.title}
        return document.apply(plan, known.blocks(plan.pixels), entry)

    def classes(self, document: LabelDocument, census: Census) -> dict[str, list[int]]:
        """Class -> ids of its objects."""
        return classes_of(document.table, census.objects())


class RenameClass(NameCommand):
    """Give a class another name; a class that is called so already takes it in."""

    event: Literal["rename_class"] = "rename_class"
    old: str
    new: str

    def plan(self, document: LabelDocument, census: Census) -> Plan:
        """As of `NameCommand`."""
        classes, palette = self.classes(document, census), document.palette
        return plans.rename_class(classes, document.table, self.old, self.new, palette.colours)


class MergeClasses(NameCommand):
    """Make classes one; by default called as the one of most objects."""

    event: Literal["merge_classes"] = "merge_classes"
    names: list[str]
    into: str | None = None

    def plan(self, document: LabelDocument, census: Census) -> Plan:
        """As of `NameCommand`."""
        classes = self.classes(document, census)
        present = [name for name in self.names if name in classes]
        named = [name for name in present if name != NO_CLASS]
        if len(present) < 2 or not named:
            raise InvalidName("choose two classes or more to merge (Ctrl-click)")
        target = self.into or max(named, key=lambda name: len(classes[name]))
        return plans.merge_classes(classes, document.table, present, target)


class Recolour(NameCommand):
    """Give classes a colour, "#rrggbb"."""

    event: Literal["recolour"] = "recolour"
    names: list[str]
    colour: str

    def plan(self, document: LabelDocument, census: Census) -> Plan:
        """As of `NameCommand`."""
        return plans.recolour(colourable(self.names), self.colour)


class RenameObject(NameCommand):
    """Give an object another name; it stays in its class."""

    event: Literal["rename_object"] = "rename_object"
    label_id: int
    name: str

    def plan(self, document: LabelDocument, census: Census) -> Plan:
        """As of `NameCommand`."""
        return plans.rename_object(document.table, self.label_id, self.name)


class MoveToClass(NameCommand):
    """Put objects into a class."""

    event: Literal["move_to_class"] = "move_to_class"
    ids: list[int]
    name: str

    def plan(self, document: LabelDocument, census: Census) -> Plan:
        """As of `NameCommand`."""
        return plans.move(document.table, self.ids, self.name)


class MergeObjects(NameCommand):
    """Make objects one; the largest keeps its id and name."""

    event: Literal["merge_objects"] = "merge_objects"
    ids: list[int]

    def plan(self, document: LabelDocument, census: Census) -> Plan:
        """As of `NameCommand`."""
        if len(self.ids) < 2:
            raise InvalidLabels("choose two objects or more to merge (Ctrl-click)")
        found = census.objects()

        def largest_first(label_id: int) -> tuple[int, int]:
            return (-found[label_id].area if label_id in found else 0), label_id

        return plans.merge_objects(document.table, sorted(self.ids, key=largest_first))


class DeleteObjects(NameCommand):
    """Delete objects, pixels and rows."""

    event: Literal["delete_objects"] = "delete_objects"
    ids: list[int]

    def plan(self, document: LabelDocument, census: Census) -> Plan:
        """As of `NameCommand`."""
        if not self.ids:
            raise InvalidLabels("choose what to delete first")
        return plans.delete_objects(document.table, self.ids)


class DeleteClasses(NameCommand):
    """Delete all objects of some classes."""

    event: Literal["delete_classes"] = "delete_classes"
    names: list[str]

    def plan(self, document: LabelDocument, census: Census) -> Plan:
        """As of `NameCommand`."""
        classes = self.classes(document, census)
        ids = [label_id for name in self.names for label_id in classes.get(name, ())]
        return DeleteObjects(ids=ids).plan(document, census)


def colourable(names: Iterable[str]) -> list[str]:
    """Of these classes those that can have a colour; `InvalidName` where there is none."""
    named = [name for name in names if name != NO_CLASS]
    if not named:
        raise InvalidName("objects without a name stay gray; name them first")
    return named


def count_all(document: LabelDocument, census: Census) -> dict[int, Found]:
    """Count the objects of all planes that a census lacks; gives where they lie."""
    for batch in count_planes(document.data, census.missing()):
        for index, counted in batch.items():
            census.put(index, counted)
    return census.objects()
