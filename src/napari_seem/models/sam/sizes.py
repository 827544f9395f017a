"""The sizes of SAM and SAM 2.1 networks, told by the shapes of their weights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import WeightsError
from ..files.tensor_files import Shapes
from .keys import names_of

SIDE = 1024
"""Pixels along the square that the networks see."""
PATCH = 16
"""Pixels along a cell of the encoded square."""
HEADS = {96: 1, 112: 2, 144: 2}
"""Heads in the first stage of SAM 2.1, by its width."""
GLOBAL: dict[tuple[int, ...], tuple[int, ...]] = {
    (1, 2, 7, 2): (5, 7, 9),
    (1, 2, 11, 2): (7, 10, 13),
    (2, 3, 16, 3): (12, 16, 20),
    (2, 6, 36, 4): (23, 33, 43),
}
"""Blocks of SAM 2.1 that see the whole image, by the number of blocks in each stage."""
WIDE_WINDOWS = 144
"""Width of the SAM 2.1 whose last two stages have windows of 16 and 8 cells, not 14 and 7."""
_FIRST = {
    "vision_encoder.pos_embed", "vision_encoder.layers.0.attn.rel_pos_h",
    "mask_decoder.iou_token.weight",
}  # fmt: skip
"""Weights that every SAM has; EfficientSAM has no relative positions."""
_TRUNK = "vision_encoder.backbone"
_OTHERS = {
    "HQ-SAM": r"mask_decoder\.(hf|hq)_(token|mlp)|compress_vit",
    "SAM 3": r"^(detector|tracker)(_model)?\.|(^|\.)backbone\.vision_backbone\.",
    "MobileSAM or another TinyViT": r"image_encoder\.(layers\.|patch_embed\.seq\.)",
    "EfficientViT-SAM": r"image_encoder\.backbone\.",
    "EfficientSAM": r"bbox_top_left_embeddings|final_output_upscaling_layers",
}
"""What the keys of other families have in them, by their authors' published code."""
_ADAPTERS = re.compile(
    r"lora_|\blora|\.linear_[ab]_[qkv]\.|w_[ab]_(linear|\d)|qkv\.qkv|[Aa]dapter|base_layer\."
)
"""What keys of low-rank and other adapters have in them."""


@dataclass(frozen=True)
class SamSizes:
    """Sizes of a SAM.

    Attributes
    ----------
    width, depth, heads : int
        Channels, blocks and attention heads of the image encoder.
    whole : tuple of int
        Blocks that attend to the whole image.
    window : int
        Cells along the windows of the others.
    """

    width: int
    depth: int
    heads: int
    whole: tuple[int, ...]
    window: int


@dataclass(frozen=True)
class Sam2Sizes:
    """Sizes of a SAM 2.1.

    Attributes
    ----------
    width, heads : int
        Channels and attention heads of the first stage; they double from stage to stage.
    stages : tuple of int
        Blocks in each of the four stages.
    background : int
        Cells along the positions that the windows share.
    memory : bool
        Whether it carries objects through stacks; weights saved for single images do not.
    """

    width: int
    heads: int
    stages: tuple[int, ...]
    background: int
    memory: bool = True

    @property
    def whole(self) -> tuple[int, ...]:
        """Blocks that attend to the whole image."""
        return GLOBAL[self.stages]

    @property
    def windows(self) -> tuple[int, ...]:
        """Cells along the windows of each stage."""
        return (8, 4, 16, 8) if self.width == WIDE_WINDOWS else (8, 4, 14, 7)


def sizes_of(shapes: Shapes, path: Path) -> SamSizes | Sam2Sizes:
    """Return the sizes of the network that a state dict of its authors, or of transformers, is of.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Shapes of the weights, by the keys of either.
    path : Path
        Of the checkpoint, for messages.

    Raises
    ------
    WeightsError
        The file is of another family, has adapters, is of SAM 2.0, or of a size that nobody
        published.
    """
    for family, part in _OTHERS.items():
        if any(re.search(part, key) for key in shapes):
            raise WeightsError(
                f"{path} holds the weights of {family}, which is another network; choose a SAM "
                "ViT-B, ViT-L or ViT-H, or a SAM 2.1"
            )
    if adapter := next(filter(_ADAPTERS.search, shapes), None):
        raise WeightsError(
            f"{path} holds adapters such as LoRA ({adapter}, ...), which this SAM has no place "
            "for; merge them into the weights where it was trained, and save the state dict"
        )
    names = names_of(shapes)
    named = {names[key]: shape for key, shape in shapes.items()}
    if f"{_TRUNK}.pos_embed" in named:
        return _second(named, path)
    if named.keys() >= _FIRST:
        return _first(named)
    raise WeightsError(
        f"{path} is no SAM: there is no image encoder with prompts and masks in it; choose the "
        "state dict of a SAM ViT-B, ViT-L or ViT-H, or of a SAM 2.1"
    )


def _first(shapes: Shapes) -> SamSizes:
    width = shapes["vision_encoder.pos_embed"][-1]
    rows: dict[int, tuple[int, ...]] = {}
    while (key := f"vision_encoder.layers.{len(rows)}.attn.rel_pos_h") in shapes:
        rows[len(rows)] = shapes[key]
    across = 2 * SIDE // PATCH - 1
    whole = tuple(block for block, (cells, _) in rows.items() if cells == across)
    local = next((cells for cells, _ in rows.values() if cells != across), 27)
    return SamSizes(width, len(rows), width // rows[0][1], whole, (local + 1) // 2)


def _second(shapes: Shapes, path: Path) -> Sam2Sizes:
    memory = any(key.startswith("memory_attention.") for key in shapes)
    if memory and "occlusion_spatial_embedding_parameter" not in shapes:
        raise WeightsError(
            f"{path} holds the weights of SAM 2.0; its successor SAM 2.1 is taken "
            "(sam2.1_hiera_tiny.pt and its kin), which is better at the same size"
        )
    width, background = shapes[f"{_TRUNK}.pos_embed"][1:3]
    channels: list[int] = []
    while (key := f"{_TRUNK}.blocks.{len(channels)}.layer_norm2.weight") in shapes:
        channels.append(shapes[key][0])
    stages = tuple(channels.count(width * 2**stage) for stage in range(4))
    if width not in HEADS or stages not in GLOBAL or sum(stages) != len(channels):
        raise WeightsError(
            f"{path} is a SAM 2.1 with {width} channels and stages of "
            f"{', '.join(map(str, stages))} blocks, and its heads can't be told; the published "
            "sizes are tiny, small, base-plus and large"
        )
    return Sam2Sizes(width, HEADS[width], stages, background, memory)
