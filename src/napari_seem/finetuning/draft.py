"""The best weights of a fine-tuning that has not come to its end."""

from __future__ import annotations

import logging

from ..errors import NapariSeemError
from ..models.files import own
from .result import FineTuning

LOG = logging.getLogger(__name__)
ENDING = " unfinished"


class Draft:
    """Keeps the best weights so far as a model of its own, whatever becomes of the program.

    Parameters
    ----------
    name : str
        Of the model that is to be; the draft is called "NAME unfinished", with a number where one
        of that name was left before.

    Attributes
    ----------
    name : str
        Of the draft.
    """

    def __init__(self, name: str) -> None:
        self.name = own.free_name(f"{name[: own.LONGEST - len(ENDING) - 4]}{ENDING}")

    def put(self, found: FineTuning) -> None:
        """Write weights in place of earlier ones; a full disk does not end the training."""
        try:
            found.install(self.name, replace=True)
        except (NapariSeemError, OSError) as error:
            LOG.warning("the best weights so far could not be written: %s", error)

    @property
    def exists(self) -> bool:
        """Whether weights were written."""
        return own.path_of(self.name).is_file()

    def drop(self) -> None:
        """Delete the weights."""
        try:
            own.path_of(self.name).unlink(missing_ok=True)
        except OSError as error:
            LOG.warning("'%s' could not be deleted: %s", self.name, error)
