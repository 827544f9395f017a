"""The names of weights: every key of the authors and of transformers is used once, in its shape."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import pytest
import torch
from tiny_sams import AS_PUBLISHED

from napari_seem.errors import WeightsError
from napari_seem.models.sam.keys import converted
from napari_seem.models.sam.network import build
from napari_seem.models.sam.sizes import sizes_of

AUTHORS = json.loads((Path(__file__).parents[1] / "data/sam_keys.json").read_text())
SIZES = [name for name in AUTHORS if name != "source"]
MILLIONS = {
    "sam-vit-b": 94, "sam-vit-l": 312, "sam-vit-h": 641, "sam2.1-tiny": 39, "sam2.1-small": 46,
    "sam2.1-base-plus": 81, "sam2.1-large": 224,
}  # fmt: skip
HERE = Path("weights.pt")

pytestmark = AS_PUBLISHED


def _shapes(name: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(shape) for key, shape in AUTHORS[name].items()}


@pytest.mark.parametrize("name", SIZES)
def test_every_key_of_both_sides_is_used_once(name: str) -> None:
    """Sizes are told by the authors' shapes; the network built of them takes just their weights."""
    shapes = _shapes(name)
    assert round(sum(map(prod, shapes.values())) / 1e6) == MILLIONS[name]
    with torch.device("meta"):
        network = build(sizes_of(shapes, HERE))
        state = {key: torch.empty(shape) for key, shape in shapes.items()}
    saved = {key: tuple(t.shape) for key, t in network.state_dict().items()}
    assert sizes_of(saved, HERE) == sizes_of(shapes, HERE)
    expected = {key: t.shape for key, t in network.state_dict().items()}
    found = {key: t.shape for key, t in converted(state).items()}
    assert found == expected


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("mask_decoder.hf_token.weight", "HQ-SAM"),
        ("sam_mask_decoder.hf_mlp.layers.0.weight", "HQ-SAM"),
        ("detector.backbone.vision_backbone.trunk.pos_embed", "SAM 3"),
        ("tracker_model.mask_decoder.iou_token.weight", "SAM 3"),
        ("backbone.vision_backbone.trunk.pos_embed", "SAM 3"),
        ("image_encoder.layers.0.blocks.0.conv1.c.weight", "MobileSAM"),
        ("image_encoder.patch_embed.seq.0.c.weight", "MobileSAM"),
        ("image_encoder.backbone.input_stem.op_list.0.conv.weight", "EfficientViT-SAM"),
        ("prompt_encoder.bbox_top_left_embeddings.weight", "EfficientSAM"),
    ],
)
def test_other_families_are_named(key: str, named: str) -> None:
    """Relatives with other networks are refused by their name, whatever else they hold."""
    for shapes in (_shapes("sam-vit-b") | {key: (1, 256)}, {key: (1, 256)}):
        with pytest.raises(WeightsError, match=f"holds the weights of {named}.*choose a SAM ViT-B"):
            sizes_of(shapes, HERE)


@pytest.mark.parametrize(
    "key",
    [
        "w_a_000",
        "image_encoder.blocks.0.attn.qkv.linear_a_q.weight",
        "image_encoder.blocks.0.attn.qkv.w_b_linear_v.weight",
        "image_encoder.blocks.0.attn.qkv.lora_A.default.weight",
        "image_encoder.blocks.0.Adapter.D_fc1.weight",
    ],
)
def test_adapters_are_refused_alone_and_beside_a_network(key: str) -> None:
    """Low-rank adapters change the answers, so that a file with them is not taken without them."""
    for shapes in (_shapes("sam-vit-b") | {key: (4, 768)}, {key: (4, 768)}):
        with pytest.raises(WeightsError, match=r"adapters such as LoRA .*merge them"):
            sizes_of(shapes, HERE)


def test_sam_2_0_and_what_is_no_sam_are_refused() -> None:
    """SAM 2.0 lacks a weight of SAM 2.1; other files lack the encoder."""
    older = _shapes("sam2.1-tiny")
    del older["no_obj_embed_spatial"]
    with pytest.raises(WeightsError, match=r"SAM 2\.0; its successor"):
        sizes_of(older, HERE)
    with pytest.raises(WeightsError, match="no SAM: there is no image encoder"):
        sizes_of({"conv.weight": (3, 3)}, HERE)
    plain = {key: shape for key, shape in _shapes("sam-vit-b").items() if ".rel_pos_" not in key}
    with pytest.raises(WeightsError, match="no SAM"):  # as EfficientSAM's
        sizes_of(plain, HERE)
    odd = {key: shape for key, shape in _shapes("sam2.1-tiny").items() if ".blocks.11." not in key}
    with pytest.raises(WeightsError, match="1, 2, 7, 1 blocks"):
        sizes_of(odd, HERE)
