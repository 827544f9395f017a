"""The object that commits add to, on several planes and images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ....errors import InvalidLabels
from ....labels.document import LabelDocument
from ....viewer.documents import document_of

if TYPE_CHECKING:
    from napari.layers import Labels


@dataclass(eq=False)
class Continued:
    """The object that commits add to, on this and other planes and images.

    Attributes
    ----------
    label_id : int or None
        None until the first commit of it is written.
    name, concept : str
        Its name and class.
    homes : list of Labels
        Layers in which its id is known to stand for it.
    """

    label_id: int | None = None
    name: str = ""
    concept: str = ""
    homes: list[Labels] = field(default_factory=list)

    @property
    def is_there(self) -> bool:
        """Whether some labels hold it: not before its first commit, nor once that is undone."""
        return any(self.label_id in document_of(home).table for home in self.homes)

    @property
    def title(self) -> str:
        """What it is called on a button; "" where it is not there."""
        named = f" '{self.name or self.concept}'" if self.name or self.concept else ""
        return f"object {self.label_id}{named}" if self.is_there else ""

    def written(self, label_id: int, labels: Labels) -> None:
        """Know the object as it is in a labels layer."""
        record = document_of(labels).table[label_id]
        self.label_id, self.name, self.concept = label_id, record.name, record.class_name
        if labels not in self.homes:
            self.homes.append(labels)

    def fields(self, document: LabelDocument, labels: Labels) -> dict[str, object]:
        """Id, name and class that a further commit of it has; none where it is not there.

        Raises
        ------
        InvalidLabels
            The id belongs to another object in these labels.
        """
        if self.label_id is None or not self.is_there:
            return {}
        name, concept = self.name, self.concept
        if self.label_id in document.table:
            record = document.table[self.label_id]
            same = (record.name, record.class_name) == (name, concept) and bool(name or concept)
            if labels not in self.homes and not same:
                raise InvalidLabels(
                    f"object {self.label_id} of '{labels.name}' is another one than {self.title}; "
                    "turn 'Go on' off, or give one of the two another id or the same name"
                )
            name, concept = record.name, record.class_name
        return {"label_id": self.label_id, "name": name, "concept": concept}
