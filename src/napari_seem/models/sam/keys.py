"""Names of weights: the authors' checkpoints of SAM and SAM 2.1, and the networks of transformers.

Each table lists substitutions that are tried in order, each at most once for a key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Table = tuple[tuple[str, str], ...]

_HEADS: Table = (
    (r"\.layers\.0\.(weight|bias)$", r".proj_in.\1"),
    (r"\.layers\.1\.(weight|bias)$", r".layers.0.\1"),
    (r"\.layers\.2\.(weight|bias)$", r".proj_out.\1"),
)
"""Perceptrons of three layers."""
_PROMPTS_AND_MASKS: Table = (
    (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (r"point_embeddings\.", "point_embed."),
    (r"mask_downscaling\.0\.", "mask_embed.conv1."),
    (r"mask_downscaling\.1\.", "mask_embed.layer_norm1."),
    (r"mask_downscaling\.3\.", "mask_embed.conv2."),
    (r"mask_downscaling\.4\.", "mask_embed.layer_norm2."),
    (r"mask_downscaling\.6\.", "mask_embed.conv3."),
    (r"output_upscaling\.0\.", "upscale_conv1."),
    (r"output_upscaling\.1\.", "upscale_layer_norm."),
    (r"output_upscaling\.3\.", "upscale_conv2."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"\.norm(\d)\.", r".layer_norm\1."),
)
_SAM: Table = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"^vision_encoder\.blocks\.", "vision_encoder.layers."),
    (r"neck\.0\.", "neck.conv1."),
    (r"neck\.1\.", "neck.layer_norm1."),
    (r"neck\.2\.", "neck.conv2."),
    (r"neck\.3\.", "neck.layer_norm2."),
    *_PROMPTS_AND_MASKS,
)
_SAM2: Table = (
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"\.out_proj\.", ".o_proj."),
    (r"\.mlp\.layers\.0\.", ".mlp.proj_in."),
    (r"\.mlp\.layers\.1\.", ".mlp.proj_out."),
    (r"^memory_attention\.norm\.", "memory_attention.layer_norm."),
    (r"mask_downsampler\.encoder\.12\.", "mask_downsampler.final_conv."),
    (r"mask_downsampler\.encoder\.0\.", "mask_downsampler.layers.0.conv."),
    (r"mask_downsampler\.encoder\.1\.", "mask_downsampler.layers.0.layer_norm."),
    (r"mask_downsampler\.encoder\.3\.", "mask_downsampler.layers.1.conv."),
    (r"mask_downsampler\.encoder\.4\.", "mask_downsampler.layers.1.layer_norm."),
    (r"mask_downsampler\.encoder\.6\.", "mask_downsampler.layers.2.conv."),
    (r"mask_downsampler\.encoder\.7\.", "mask_downsampler.layers.2.layer_norm."),
    (r"mask_downsampler\.encoder\.9\.", "mask_downsampler.layers.3.conv."),
    (r"mask_downsampler\.encoder\.10\.", "mask_downsampler.layers.3.layer_norm."),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"^memory_encoder\.o_proj\.", "memory_encoder.projection."),
    (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"(layers\.\d)\.norm\.", r"\1.layer_norm."),
    (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
    (r"\.gamma$", ".scale"),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    *_PROMPTS_AND_MASKS,
)
_PERCEPTRONS = re.compile(
    r"output_hypernetworks_mlps|iou_prediction_head|pred_obj_score_head|object_pointer_proj"
)
_POSITIONS = "prompt_encoder.shared_embedding.positional_embedding"
_SHARED = "shared_image_embedding.positional_embedding"
"""The same random frequencies, which transformers keeps under two names, and may write once."""
_POINTS = re.compile(r"^prompt_encoder\.point_embed\.(\d)\.weight$")
_SAVED = "vision_encoder."
"""How the names of transformers begin, and no author's."""
_HIERA = ("image_encoder.trunk.", f"{_SAVED}backbone.")
"""How keys of SAM 2.1's encoder begin, of its authors and of transformers."""
_STACKED = "prompt_encoder.point_embed.weight"

MEMORY = (
    "memory_", "mask_downsample.", "no_memory_positional_encoding", "no_object_pointer",
    "object_pointer_proj.", "occlusion_spatial_embedding_parameter",
    "temporal_positional_encoding_projection_layer.",
)  # fmt: skip
"""Beginnings of the names, in transformers, of what carries objects through stacks."""


def renamed(key: str, second: bool) -> str:
    """Return the name that transformers has for a weight of the authors.

    Parameters
    ----------
    key : str
        Of the authors' state dict.
    second : bool
        Whether it is of SAM 2.1 rather than SAM.
    """
    for pattern, new in _SAM2 if second else _SAM:
        key = re.sub(pattern, new, key, count=1)
    if not _PERCEPTRONS.search(key):
        return key
    for pattern, new in _HEADS:
        if re.search(pattern, key):
            return re.sub(pattern, new, key)
    return key


def is_second(keys: Iterable[str]) -> bool:
    """Return whether keys are those of SAM 2.1 rather than of SAM."""
    return any(key.startswith(_HIERA) for key in keys)


def names_of(keys: Collection[str]) -> dict[str, str]:
    """Return the name that transformers has for each key of a SAM or SAM 2.1.

    Files that transformers itself wrote have it already.
    """
    if any(key.startswith(_SAVED) for key in keys):
        return {key: key for key in keys}
    second = is_second(keys)
    return {key: renamed(key, second) for key in keys}


def converted(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of the authors, or of transformers, under the names of transformers.

    SAM 2.1 keeps the four embeddings of points and corners as one tensor (4, 256) there.
    """
    import torch

    names = names_of(state)
    weights = {names[key]: tensor for key, tensor in state.items()}
    for key, same in ((_SHARED, _POSITIONS), (_POSITIONS, _SHARED)):
        if key not in weights and same in weights:
            weights[key] = weights[same]
    rows = {key: int(m[1]) for key in weights if (m := _POINTS.match(key))}
    if rows and is_second(state):
        ordered = sorted(rows, key=rows.__getitem__)
        weights[_STACKED] = torch.cat([weights.pop(key) for key in ordered])
    return weights
