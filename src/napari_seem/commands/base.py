"""What every command is: a value that can be written as a line of a log, and read back."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import LogTrouble
from ..planes import Plane
from ..values import JsonObject

LINE = ("n", "at", "pixels", "patch", "objects")
"""Keys of a log's line that are not the command's: its number, time, and what it changed."""


class Value(BaseModel):
    """Plain values with names; JSON in, JSON out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_dict(self) -> dict[str, object]:
        """The values as JSON can hold them; those that were left out stay out."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)


class ModelRef(Value):
    """A model: the name that loads it, and the weights that it had.

    `finds_by` is what it found everything by, of models that may have a decoder for that.
    """

    name: str
    identity: str | None = None
    finds_by: str | None = None


class Command(Value):
    """Something that a person did.

    Attributes
    ----------
    event : str
        Tells the kind of command.
    stored : str
        Why a replay takes the stored pixels instead of doing the command again; "" for no reason.
    """

    event: str
    stored: str = ""

    def to_dict(self) -> dict[str, object]:
        """The command as a line of a log begins."""
        return {"event": self.event, **super().to_dict()}

    @classmethod
    def from_line(cls, line: JsonObject) -> Self:
        """Read a command from a line of a log.

        Raises
        ------
        LogTrouble
            The line says too little, or something else.
        """
        try:
            return cls(**{key: value for key, value in line.items() if key not in LINE})
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
            )
            raise LogTrouble(
                f"event {line.get('n')} ({line.get('event')}) can't be read ({wrong}); the log is "
                "damaged; --without-models takes the stored pixels"
            ) from None


class OnPlane(Command):
    """A command on one plane of an image.

    Attributes
    ----------
    images : list of int
        Numbers of images in the log; several are the channels of one picture.
    windows : list of dict
        The intensity window of each.
    index : bool
        The normalised difference of the two images was shown.
    plane : dict
        See `Plane.to_dict`.
    content : str
        The name of what the model was given; "" for planes too big for one pass.
    model : ModelRef
    """

    images: list[int]
    windows: list[JsonObject]
    index: bool = False
    plane: JsonObject | None = None
    content: str = ""
    model: ModelRef | None = None

    @property
    def place(self) -> Plane:
        """The plane, of an array without channels."""
        try:
            return Plane.from_dict(self.plane or {})
        except (KeyError, TypeError, ValueError) as error:
            raise LogTrouble(f"a plane can't be read ({error!r}); the log is damaged") from None
