"""What is known of each model of the package before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Capability
from .files.tensor_files import decoder_beside
from .files.weights import WeightsFile


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
        'module:function' of `build(weights: Path, device: str, name: str) -> Model`; that of a
        model with a decoder takes `decoder: Path | None`, too.
    capabilities : frozenset of Capability
        What it can take and do.
    weights : WeightsFile
        Its weights.
    extras : tuple of WeightsFile
        Further files that belong beside the weights, such as a tokenizer's vocabulary.
    decoder : WeightsFile or None
        A second file of weights, for finding everything; the model works without.
    licence, citation : str
        SPDX name of the licence of code and weights; what to cite.
    megabytes, millions : int or None
        Rough size of weights that have to be downloaded, and of parameters, in millions.
    published : str
        Figures that its authors published, and whose they are; never our own.
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
    millions: int | None = None
    published: str = ""
    decoder: WeightsFile | None = None

    @property
    def size(self) -> str:
        """Parameters and megabytes of the download, for people; '' where nothing is downloaded."""
        parts = [f"{self.millions} M parameters"] if self.millions else []
        parts += [f"{self.megabytes:,} MB to download"] if self.megabytes else []
        return ", ".join(parts)

    @property
    def installed(self) -> bool:
        """Whether the weights are on this machine."""
        return self.weights.located() is not None

    @property
    def lacks_decoder(self) -> bool:
        """Whether a decoder is published that is not on this machine."""
        if self.decoder is None or self.decoder.located() is not None:
            return False
        path = self.weights.located()
        return path is None or decoder_beside(path) is None


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


def _seem(size: str, filename: str, millions: int, figure: float, megabytes: int) -> ModelSpec:
    """Describe SEEM with one of its two backbones.

    Nobody published a digest of its checkpoints: their keys and shapes are checked instead.
    """
    return ModelSpec(
        name=f"seem-focal-{size.lower()}",
        title=f"SEEM Focal-{size}",
        builder="napari_seem.sources.any_size:build_seem",
        capabilities=_PROMPTABLE,
        weights=WeightsFile(filename, url=_SEEM + filename),
        licence="Apache-2.0",
        citation="Zou et al., Segment Everything Everywhere All at Once, NeurIPS 2023",
        description="Natural images: every prompt, any word, the whole image named.",
        megabytes=megabytes,
        millions=millions,
        published=f"COCO PQ {figure} (Zou et al.)",
        extras=(
            WeightsFile("clip-vit-base-patch32/vocab.json", url=_CLIP + "vocab.json"),
            WeightsFile("clip-vit-base-patch32/merges.txt", url=_CLIP + "merges.txt"),
        ),
    )


_SAM = "https://dl.fbaipublicfiles.com/segment_anything/"
_SAM2 = "https://dl.fbaipublicfiles.com/segment_anything_2/092824/"
_ZOO = "https://uk1s3.embassy.ebi.ac.uk/public-datasets/bioimage.io/"


def _sam(
    name: str, title: str, weights: WeightsFile, megabytes: int, millions: int, description: str,
    published: str = "", licence: str = "Apache-2.0",
    citation: str = "Kirillov et al., Segment Anything, ICCV 2023",
    further: frozenset[Capability] = frozenset(), decoder: WeightsFile | None = None,
) -> ModelSpec:  # fmt: skip
    """Describe one of SAM's family; its size is told by the shapes of its weights."""
    return ModelSpec(
        name=name, title=title, builder="napari_seem.sources.any_size:build_sam",
        capabilities=_SPATIAL | further
        | {Capability.NEGATIVE, Capability.MEMORY, Capability.EVERYTHING},
        weights=weights, licence=licence, citation=citation, description=description,
        megabytes=megabytes, millions=millions, published=published, decoder=decoder,
    )  # fmt: skip


def _first_sam(size: str, prefix: str, megabytes: int, millions: int) -> ModelSpec:
    """Describe a SAM; the name of its file ends with the beginning of its sha256."""
    filename = f"sam_vit_{size}_{prefix}.pth"
    return _sam(
        f"sam-vit-{size}", f"SAM ViT-{size.upper()}",
        WeightsFile(filename, url=_SAM + filename, digest=prefix), megabytes, millions,
        "Photographs, and any picture with clear borders. Takes MedSAM and other fine-tunes of "
        "SAM from a file, too.",
    )  # fmt: skip


def _micro_sam(
    size: str, kind: str, zoo: str, digests: tuple[str, str], megabytes: int, millions: int,
    what: str, published: str = "",
) -> ModelSpec:  # fmt: skip
    """Describe a micro-sam, fine-tuned from SAM for microscopy; `digests` of it and its decoder.

    Addresses and digests are those of micro_sam/v1/util.py.
    """
    files = tuple(
        WeightsFile(
            f"micro-sam/vit_{size}_{kind}{part}.pt",
            url=f"{_ZOO}{zoo}/1.2/files/vit_{size}{part}.pt", digest=f"xxh128:{digest}",
        )
        for part, digest in zip(("", "_decoder"), digests, strict=True)
    )  # fmt: skip
    return _sam(
        f"micro-sam-vit-{size}-{kind}", f"micro-sam ViT-{size.upper()} {kind.upper()}", files[0],
        megabytes, millions, what, published and f"{published} (Archit et al.)", "CC-BY-4.0",
        "Archit et al., Segment Anything for Microscopy, Nature Methods 2025", decoder=files[1],
    )  # fmt: skip


def _sam2(size: str, short: str, megabytes: int, millions: int, figure: float) -> ModelSpec:
    """Describe a SAM 2.1; nobody published a digest: keys and shapes are checked instead."""
    filename = f"sam2.1_hiera_{short}.pt"
    return _sam(
        f"sam2.1-{size}", f"SAM 2.1 {size}", WeightsFile(filename, url=_SAM2 + filename), megabytes,
        millions, "Photographs and video.", f"J&F on SA-V {figure} (Ravi et al.)",
        citation="Ravi et al., SAM 2: Segment Anything in Images and Videos, ICLR 2025",
        further=frozenset({Capability.PROPAGATE}),
    )  # fmt: skip


_LIGHT = "Cells and nuclei in light microscopy."
DECODER_MEGABYTES = 39
"""Rough size of each decoder of micro-sam."""
_MICRO_SAM = (
    _micro_sam(
        "b", "lm", "diplomatic-bug",
        ("fe9252a29f3f4ea53c15a06de471e186", "708b15ac620e235f90bb38612c4929ba"), 375, 94, _LIGHT,
        "mean SA on LIVECell .402 after one click, .751 after eight, .633 by a box; plain SAM "
        ".112 and .211 by clicks",
    ),
    _micro_sam(
        "l", "lm", "idealistic-rat",
        ("017f20677997d628426dec80a8018f9d", "2faeafa03819dfe03e7c46a44aaac64a"), 1250, 312, _LIGHT,
    ),
    _micro_sam(
        "b", "em", "noisy-ox",
        ("f3bf2ed83d691456bae2c3f9a05fb438", "bb6398956a6b0132c26b631c14f95ce2"), 375, 94,
        "Organelles in electron microscopy.",
        "mean SA on Lucchi mitochondria .630 after one click, .901 after eight",
    ),
)  # fmt: skip

SPECS = (
    ModelSpec(
        name="compact",
        title="Compact (shipped)",
        builder="napari_seem.sources.any_size:build_compact",
        capabilities=_PROMPTABLE
        | {Capability.IN_CONTEXT, Capability.CONCEPTS, Capability.PROPAGATE},
        weights=WeightsFile("compact/compact.safetensors"),
        licence="BSD-3-Clause",
        citation="napari-seem",
        description="Small model shipped inside the package: every prompt, no GPU, no network.",
    ),
    _seem("T", "seem_focalt_v1.pt", 165, 50.8, 660),
    _seem("L", "seem_focall_v1.pt", 341, 56.1, 1370),
    ModelSpec(
        name="seggpt-vit-l",
        title="SegGPT ViT-L",
        builder="napari_seem.models.seggpt.model:build",
        capabilities=frozenset({Capability.IN_CONTEXT, Capability.PROPAGATE}),
        weights=WeightsFile("seggpt-vit-large/model.safetensors", url=_SEGGPT),
        licence="Apache-2.0",
        citation="Wang et al., SegGPT: Segmenting Everything In Context, ICCV 2023",
        description="Any segmentation, given by labelled examples.",
        megabytes=1483,
        millions=371,
    ),
    _sam2("tiny", "tiny", 156, 39, 76.5),
    _sam2("small", "small", 184, 46, 76.6),
    _sam2("base-plus", "base_plus", 323, 81, 78.2),
    _sam2("large", "large", 898, 224, 79.5),
    *_MICRO_SAM,
    _first_sam("b", "01ec64", 375, 94),
    _first_sam("l", "0b3195", 1250, 312),
    _first_sam("h", "4b8939", 2560, 641),
)
"""In the order in which they are offered."""
