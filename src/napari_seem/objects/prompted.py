"""One wanted object: its prompts, and where they were asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from ..errors import InvalidPrompt, NapariSeemError
from ..models.base import Capable, check_capabilities
from ..models.registry import capabilities_by_model
from ..prompts import Prompt, check_prompts

E = TypeVar("E", bound=NapariSeemError)


@dataclass(frozen=True, eq=False)
class Prompted:
    """One wanted object.

    Attributes
    ----------
    where : str
        Where it was asked for, for messages: "row 3", "line 4 of 'prompts.csv'".
    prompts : tuple of Prompt
    name : str
        The name that was given to it; "" for none.
    error : NapariSeemError or None
        Why it can't be looked for.
    """

    where: str
    prompts: tuple[Prompt, ...]
    name: str = ""
    error: NapariSeemError | None = None

    def checked(self, model: Capable, shape: tuple[int, int]) -> Prompted:
        """Return the object, with an `error` where `model` or an image (H, W) can't take it."""
        if self.error is not None:
            return self
        try:
            check_prompts(self.prompts, shape)
            check_capabilities(model, self.prompts, capabilities_by_model)
            if not any(prompt.positive for prompt in self.prompts):
                raise InvalidPrompt("no prompt is positive; add one that lies on the object")
        except NapariSeemError as error:
            return self.failed(error)
        return self

    def failed(self, error: NapariSeemError) -> Prompted:
        """Return the object with an error that tells where it was asked for."""
        return replace(self, error=located(error, self.where))


def located(error: E, where: str) -> E:
    """Return an error of the same kind whose message begins with where it arose."""
    new = type(error)(f"{where}: {error}")
    new.__dict__.update(error.__dict__)
    return new
