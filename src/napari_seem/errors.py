"""The project's own errors: each names the thing that is wrong and what to do about it."""

from __future__ import annotations


class NapariSeemError(Exception):
    """Base of every error this package raises on purpose."""


class InvalidArgument(NapariSeemError, ValueError):
    """An option, a kind or another argument that does not exist, or can't be meant."""


class InvalidPrompt(NapariSeemError, ValueError):
    """A prompt that lies outside the image, is empty, or has the wrong shape."""


class UnsupportedPrompt(NapariSeemError, TypeError):
    """A prompt of a kind that the chosen model cannot take."""


class UnknownWord(NapariSeemError, ValueError):
    """A word outside a model's vocabulary.

    Attributes
    ----------
    nearest : tuple of str
        The nearest words the model does know, best first.
    """

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class ConceptTrouble(NapariSeemError, ValueError):
    """A taught word that has no proper name, or can't be used by a model."""


class SameName(ConceptTrouble):
    """Two taught words of one name, and nobody said what is to become of them.

    Attributes
    ----------
    name : str
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class InvalidImage(NapariSeemError, ValueError):
    """An array that cannot be shown to a model as an image."""


class InvalidLabels(NapariSeemError, ValueError):
    """A label array that cannot take the edit asked for."""


class InvalidName(NapariSeemError, ValueError):
    """A name that an object or a class can't have."""


class UnknownModel(NapariSeemError, ValueError):
    """A model name that is in no registry."""


class WeightsError(NapariSeemError, RuntimeError):
    """Model weights that are missing, damaged, or of another model."""


class DownloadCancelled(WeightsError):
    """A download that a person stopped; what has arrived is kept and resumed from."""


class UnknownDevice(NapariSeemError, ValueError):
    """A device that this machine's torch does not have."""


class DeviceWarning(UserWarning):
    """A model that failed on the graphics goes on on the processor."""


class FileTrouble(NapariSeemError, OSError):
    """A file that can't be read as what it seems to be, or can't be written."""


class MissingPackage(NapariSeemError, ImportError):
    """A file format or tool whose library is not installed."""


class StoreTrouble(NapariSeemError, OSError):
    """Encoded images that can't be kept: no room, or no leave to write."""


class ClusterTrouble(NapariSeemError, RuntimeError):
    """A cluster that can't be reached, or may not be used as asked."""


class LogTrouble(NapariSeemError, ValueError):
    """A log of work that is damaged, empty, of another version, or does not fit the image."""


class DamagedState(NapariSeemError, RuntimeError):
    """A state of a training that can't be gone on from."""


class Abandoned(NapariSeemError):
    """Work in the background was ended before it was done, as it is not wanted any more."""
