"""Every model by name: what it can do, where its weights are, and what builds it.

A new model family is one module and one entry in `MODELS`. Nothing heavy is imported until a
model is loaded.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
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
from . import own, places, threads
from . import weights as weight_files
from .base import Capability, Model
from .torch_import import import_torch
from .weights import Cancel, WeightsFile

if TYPE_CHECKING:
    from .abilities import EveryAbility, ExampleModel


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What is known of a model before it is loaded.

    Attributes
    ----------
    name : str
        Its name in `load_model`.
    title, description : str
        Its name for people, and what it is good for.
    builder : str
        'module:function' of `build(weights: Path, device: str) -> Model`.
    capabilities : frozenset of Capability
        What it can take and do.
    weights : WeightsFile
        Its weights.
    extras : tuple of WeightsFile
        Further files that belong beside the weights, such as a tokenizer's vocabulary.
    licence, citation : str
        SPDX name of the licence of code and weights; what to cite.
    megabytes : int or None
        Rough size of weights that have to be downloaded.
    """

    name: str
    title: str
    builder: str
    capabilities: frozenset[Capability]
    weights: WeightsFile
    licence: str
    citation: str
    description: str
    extras: tuple[WeightsFile, ...] = ()
    megabytes: int | None = None

    @property
    def installed(self) -> bool:
        """Whether the weights are on this machine."""
        return self.weights.located() is not None


_SPATIAL = frozenset(
    {Capability.POINT, Capability.BOX, Capability.POLYGON, Capability.SCRIBBLE, Capability.MASK}
)
_PROMPTABLE = _SPATIAL | {
    Capability.TEXT,
    Capability.REFERENCE,
    Capability.NEGATIVE,
    Capability.MEMORY,
    Capability.EVERYTHING,
}

_CLIP = "https://huggingface.co/openai/clip-vit-base-patch32/resolve/main/"
_SEGGPT = "https://huggingface.co/BAAI/seggpt-vit-large/resolve/main/model.safetensors"
_SEEM = "https://huggingface.co/xdecoder/SEEM/resolve/main/"


def _seem(size: str, filename: str, figures: str, megabytes: int) -> ModelSpec:
    """Describe SEEM with one of its two backbones.

    Nobody published a digest of its checkpoints: their keys and shapes are checked instead.
    """
    return ModelSpec(
        name=f"seem-focal-{size.lower()}",
        title=f"SEEM Focal-{size}",
        builder=f"napari_seem.sources.any_size:build_focal_{size.lower()}",
        capabilities=_PROMPTABLE,
        weights=WeightsFile(filename, url=_SEEM + filename),
        licence="Apache-2.0",
        citation="Zou et al., Segment Everything Everywhere All at Once, NeurIPS 2023",
        description=f"Natural images: every prompt, any word, the whole image named ({figures}).",
        megabytes=megabytes,
        extras=(
            WeightsFile("clip-vit-base-patch32/vocab.json", url=_CLIP + "vocab.json"),
            WeightsFile("clip-vit-base-patch32/merges.txt", url=_CLIP + "merges.txt"),
        ),
    )


_SPECS = (
    ModelSpec(
        name="compact",
        title="Compact (shipped)",
        builder="napari_seem.sources.any_size:build_compact",
        capabilities=_PROMPTABLE | {Capability.IN_CONTEXT, Capability.CONCEPTS},
        weights=WeightsFile("compact/compact.safetensors"),
        licence="BSD-3-Clause",
        citation="napari-seem",
        description="Small model shipped inside the package: every prompt, no GPU, no network.",
    ),
    _seem("T", "seem_focalt_v1.pt", "165 M parameters, COCO PQ 50.8", 660),
    _seem("L", "seem_focall_v1.pt", "341 M parameters, COCO PQ 56.1", 1370),
    ModelSpec(
        name="seggpt-vit-l",
        title="SegGPT ViT-L",
        builder="napari_seem.models.seggpt.model:build",
        capabilities=frozenset({Capability.IN_CONTEXT}),
        weights=WeightsFile("seggpt-vit-large/model.safetensors", url=_SEGGPT),
        licence="Apache-2.0",
        citation="Wang et al., SegGPT: Segmenting Everything In Context, ICCV 2023",
        description="Any segmentation, given by labelled examples (371 M parameters).",
        megabytes=1483,
    ),
)


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


MODELS: Mapping[str, ModelSpec] = _Models(_SPECS)
"""The models by name, in the order in which they are offered; a person's own come last."""


def model_names() -> tuple[str, ...]:
    """Return the names that `load_model` takes, the shipped model first.

    Fine-tuned models that were installed come last, such as 'compact: my-cells'.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.model_names()
    ('compact', 'seem-focal-t', 'seem-focal-l', 'seggpt-vit-l')
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
    spec: ModelSpec, device: str = "auto", weights: str | PathLike[str] | None = None
) -> Model:
    """Load the model that `spec` describes; see `load_model`."""
    if weights is not None:
        weights = as_path(weights, "weights")
    path = weight_files.find(spec.weights, weights)
    import_torch()
    module, _, function = spec.builder.partition(":")
    build: Callable[[Path, str], Model] = getattr(importlib.import_module(module), function)
    threads.keep_to_cores()
    return build(path, resolve_device(device))


def download_model(
    name: str, progress: bool | Progress | None = None, cancel: Cancel | None = None
) -> Path:
    """Download the files of a model that are not here yet; return the path of its weights.

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
    """
    spec = model_spec(name)
    for extra in spec.extras:
        weight_files.fetch(extra, cancel=cancel)
    with reporting(progress, None, f"download {name}") as report:
        return weight_files.fetch(spec.weights, progress=report, cancel=cancel)


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
    """
    own.remove(name)


def check_file(name: str, path: Path) -> None:
    """Raise `WeightsError` unless a file holds the weights of a model; takes some seconds."""
    build_model(model_spec(name), "cpu", path)


def remember_file(name: str, path: Path) -> None:
    """Take a model's weights from a checked file in every session from now on."""
    places.remember(model_spec(name).weights.filename, path)


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
