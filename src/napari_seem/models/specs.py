"""What is known of each model of the package before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Capability
from .weights import WeightsFile


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


SPECS = (
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
"""In the order in which they are offered."""
