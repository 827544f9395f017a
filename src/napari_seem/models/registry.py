"""Every model by name: what it can do, where its weights are, and what builds it.

A new model family is one module and one entry in `specs`. Nothing heavy is imported until a
model is loaded.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from ..checks import as_path, said
from ..errors import (
    InvalidArgument,
    NapariSeemError,
    UnknownDevice,
    UnknownModel,
    UnsupportedPrompt,
)
from ..progress import Progress, reporting
from .base import Capability, Model
from .files import own, places
from .files import weights as weight_files
from .files.weights import Cancel, WeightsFile
from .running import threads
from .running.fallback import Report, build_on, warn
from .running.torch_import import import_torch
from .specs import SPECS, ModelSpec

if TYPE_CHECKING:
    from .abilities import EveryAbility, ExampleModel


class _Models(Mapping[str, ModelSpec]):
    """The models of the package, and those that a person keeps at the moment; see `own`."""

    def __init__(self, specs: tuple[ModelSpec, ...]) -> None:
        self._specs = {spec.name: spec for spec in specs}

    def __getitem__(self, name: str) -> ModelSpec:
        if name in self._specs:
            return self._specs[name]
        return self._own(name, own.files()[name])

    def __iter__(self) -> Iterator[str]:
        return iter((*self._specs, *own.files()))

    def __len__(self) -> int:
        return len(self._specs) + len(own.files())

    def _own(self, name: str, path: Path) -> ModelSpec:
        return replace(
            self._specs["compact"], name=name, title=path.stem, description=own.described(path),
            weights=WeightsFile(path.name, folder=path.parent), licence="your own",
        )  # fmt: skip


MODELS: Mapping[str, ModelSpec] = _Models(SPECS)
"""The models by name, in the order in which they are offered; a person's own come last."""


def model_names() -> tuple[str, ...]:
    """Return the names that `load_model` takes, the shipped model first.

    Fine-tuned models that were installed come last, such as 'compact: my-cells'.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.model_names()
    ('compact', 'seem-focal-t', 'seem-focal-l', 'seggpt-vit-l', 'sam2.1-tiny', ...)
    """
    return tuple(MODELS)


def able_models(capability: Capability) -> list[str]:
    """Return the names of the models with a capability, in the registry's order."""
    return [name for name, spec in MODELS.items() if capability in spec.capabilities]


def unable(model: object, capability: Capability, task: str, why: str = "") -> NapariSeemError:
    """Return the error of a model that lacks a capability: it names the models that have it.

    Parameters
    ----------
    model : object
        Anything that was given as a model.
    capability : Capability
    task : str
        What was asked for, such as "label by example".
    why : str
        Added to the model's name: why it can't, or what to do instead.
    """
    if isinstance(model, str):
        return InvalidArgument(
            f"'{model}' is the name of a model; load it first, by load_model('{model}')"
        )
    name, owns = getattr(model, "name", None), getattr(model, "capabilities", None)
    if not isinstance(name, str) or owns is None:
        return InvalidArgument(f"{type(model).__name__} is no model; give what load_model returns")
    if capability in owns:
        return UnsupportedPrompt(
            f"{type(model).__name__} can't {task}; give the model itself, as load_model returns it"
        )
    able = ", ".join(able_models(capability))
    return UnsupportedPrompt(f"model '{name}' can't {task}{why}; choose one of: {able}")


def capabilities_by_model() -> dict[str, frozenset[Capability]]:
    """Return the capabilities of each model, without loading any."""
    return {name: spec.capabilities for name, spec in MODELS.items()}


def model_spec(name: str) -> ModelSpec:
    """Return the entry of a model; raises `UnknownModel`, naming the nearest names."""
    if isinstance(name, str) and name in MODELS:
        return MODELS[name]
    if isinstance(name, str) and name.startswith(own.PREFIX):
        raise UnknownModel(
            f"there is no model '{name}' here; it is a fine-tuned one: get its file and install it "
            "(napari-seem models --install FILE)"
        )
    near = difflib.get_close_matches(str(name).lower(), MODELS, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UnknownModel(f"there is no model '{name}'; {hint}known: {', '.join(MODELS)}")


@overload
def load_model(
    name: Literal["compact"], device: str = "auto", weights: str | PathLike[str] | None = None
) -> EveryAbility: ...
@overload
def load_model(
    name: Literal["seggpt-vit-l"], device: str = "auto", weights: str | PathLike[str] | None = None
) -> ExampleModel: ...
@overload
def load_model(
    name: str, device: str = "auto", weights: str | PathLike[str] | None = None
) -> Model: ...
def load_model(
    name: str, device: str = "auto", weights: str | PathLike[str] | None = None
) -> Model:
    """Load a model.

    Parameters
    ----------
    name : str
        One of `model_names()`.
    device : str
        'auto' (cuda, else mps, else cpu) or a torch device such as 'cpu' or 'cuda:1'.
    weights : path, optional
        Weights to use instead of the packaged or downloaded ones: a file, or a folder holding it.
        micro-sam's decoder is taken along where it is in the file, or beside it in one whose name
        ends with "_decoder".

    Raises
    ------
    UnknownModel, UnknownDevice
        The name or the device does not exist.
    WeightsError
        The weights are missing, damaged, or of another model.

    Examples
    --------
    >>> import napari_seem as ns
    >>> model = ns.load_model("compact")
    >>> "text" in model.capabilities
    True
    >>> ns.load_model("compcat")
    Traceback (most recent call last):
    napari_seem.errors.UnknownModel: there is no model 'compcat'; did you mean compact ...
    """
    return build_model(model_spec(name), device, weights)


def build_model(
    spec: ModelSpec, device: str = "auto", weights: str | PathLike[str] | None = None,
    report: Report = warn,
) -> Model:  # fmt: skip
    """Load the model that `spec` describes; see `load_model`.

    `report` is given a sentence, in whatever thread, if the model leaves its device.
    """
    if weights is not None:
        weights = as_path(weights, "weights")
    path = weight_files.find(spec.weights, weights, spec.name)
    import_torch()
    module, _, function = spec.builder.partition(":")
    build: Callable[..., Model] = getattr(importlib.import_module(module), function)
    threads.keep_to_cores()
    further: dict[str, Path] = {}
    if weights is None and spec.decoder is not None and spec.decoder.located() is not None:
        further["decoder"] = weight_files.find(spec.decoder)
    model = build_on(
        resolve_device(device), spec.name, lambda device: build(path, device, spec.name, **further),
        report,
    )  # fmt: skip
    if spec.weights.folder is not None:  # a person's own file may have been renamed
        model.name = spec.name
    return model


def download_model(
    name: str, progress: bool | Progress | None = None, cancel: Cancel | None = None
) -> Path:
    """Download the files of a model that are not here yet; return the path of its weights.

    Their licence stands in `MODELS[name].licence`, and before the bar of progress.

    Parameters
    ----------
    name : str
        One of `model_names()`.
    progress : bool or callable, optional
        True shows a bar; a callable gets bytes of the weights done, in all, and what is being done.
    cancel : callable, optional
        Asked now and then whether to stop; what has arrived is kept and gone on from later.

    Raises
    ------
    UnknownModel
        There is no such model.
    WeightsError
        The files can't be had, or are not what they should be.
    FileTrouble
        The disk is full, or its folder can't be written.
    """
    spec = model_spec(name)
    for extra in spec.extras:
        weight_files.fetch(extra, cancel=cancel)
    with reporting(progress, None, f"download {name} ({spec.licence})") as report:
        path = weight_files.fetch(spec.weights, progress=report, cancel=cancel)
    if spec.decoder is not None:
        what = f"download the decoder of {name} ({spec.licence})"
        with reporting(progress, None, what) as report:
            weight_files.fetch(spec.decoder, progress=report, cancel=cancel)
    return path


def install_model(
    path: str | PathLike[str], name: str | None = None, *, replace: bool = False
) -> str:
    """Keep a fine-tuned model, such as one that was shared, so that all docks offer it.

    Parameters
    ----------
    path : str or Path
        A file that `FineTuning.save` or `napari-seem train` wrote.
    name : str, optional
        By default that of the file.
    replace : bool
        Whether another model of that name may be replaced.

    Returns
    -------
    str
        What `load_model` takes: "compact: NAME".

    Raises
    ------
    InvalidName
        The name is taken, or can't be that of a file.
    WeightsError
        There is no file, it is damaged, or it is of another model.
    FileTrouble
        It can't be written.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.install_model("absent.safetensors")
    Traceback (most recent call last):
    napari_seem.errors.WeightsError: there are no weights at absent.safetensors; ...
    """
    source = weight_files.find(MODELS["compact"].weights, as_path(path))
    chosen = source.stem if name is None else name
    own.check_free(chosen, replace=replace)
    check_file("compact", source)
    return own.install(source.read_bytes(), chosen, replace=replace)


def remove_model(name: str) -> None:
    """Delete a fine-tuned model that was installed; `InvalidName` where there is none.

    Parameters
    ----------
    name : str
        As `load_model` takes it, such as "compact: my-cells".

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.remove_model("compact: nobody's")
    Traceback (most recent call last):
    napari_seem.errors.InvalidName: a model can't be called "compact: nobody's"; ...
    """
    own.remove(name)


def check_file(name: str, path: Path) -> None:
    """Raise `WeightsError` unless a file holds the weights of a model; takes some seconds."""
    build_model(model_spec(name), "cpu", path)


def remember_file(name: str, path: Path) -> None:
    """Take a model's weights from a checked file in every session from now on.

    Raises `InvalidArgument` for a model whose weights are inside the package, or a person's own.
    """
    file = model_spec(name).weights
    if file.url is None:
        raise InvalidArgument(
            f"the weights of '{name}' stay as they are; keep a fine-tuned model beside it "
            "(napari-seem models --install FILE, or Add a model of others in the Models dock)"
        )
    places.remember(file.filename, path)


def available_devices() -> tuple[str, ...]:
    """Return the devices that `load_model` takes on this machine.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.available_devices()[:2]
    ('auto', 'cpu')
    """
    import_torch()
    import torch

    graphics = torch.cuda.device_count()
    return (
        "auto", "cpu", *(("mps",) if torch.backends.mps.is_available() else ()),
        *(("cuda",) if graphics == 1 else (f"cuda:{index}" for index in range(graphics))),
    )  # fmt: skip


def resolve_device(device: str = "auto") -> str:
    """Return a torch device string; raises `UnknownDevice` for one that the machine lacks."""
    import torch

    have = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not isinstance(device, str):
        device = said(device)
    if device == "auto":
        return next(kind for kind in ("cuda", "mps", "cpu") if have[kind])
    kind, _, index = device.partition(":")
    known = have.get(kind, False) and (index == "" or index.isdigit())
    if not known or (kind == "cuda" and int(index or 0) >= torch.cuda.device_count()):
        there = ", ".join(kind for kind, present in have.items() if present)
        raise UnknownDevice(f"this machine has no device '{device}'; use 'auto' or one of: {there}")
    return device
