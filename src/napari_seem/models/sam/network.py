"""The networks of SAM and SAM 2.1, built by transformers, with the authors' weights in them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import WeightsError
from ...io.extras import need
from ..files import tensor_files
from . import sizes as published
from .keys import MEMORY, converted, names_of
from .sizes import PATCH, Sam2Sizes, SamSizes, sizes_of

if TYPE_CHECKING:
    from transformers.models.sam.modeling_sam import SamModel
    from transformers.models.sam2.modeling_sam2 import Sam2Model
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoModel

    SamNetwork = SamModel | Sam2Model | Sam2VideoModel


_ENCODER = re.compile(r"(.*)(image_encoder\.(trunk\.)?|vision_encoder\.(backbone\.)?)pos_embed$")
"""A key of both families, of their authors and of transformers, and what trainers put before it.

torch_em, Lightning and parallel training do.
"""
SHOWN = 5
"""Most parts that are named where weights are left out."""


def load_network(path: Path, device: str = "cpu") -> SamNetwork:
    """Load a SAM or SAM 2.1 from a state dict of its authors or of transformers.

    Its size is told by the shapes.

    Parameters
    ----------
    path : Path
        A `.pt` or `.pth` checkpoint, or safetensors.
    device : str

    Raises
    ------
    MissingPackage
        transformers is not installed.
    WeightsError
        The file can't be read, is damaged, or is of another family or size.
    """
    state = _own(tensor_files.load(path, device=device))
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    sizes = sizes_of(shapes, path)
    with torch.device("meta"):
        network = build(sizes)
    named = converted(state)
    if isinstance(sizes, Sam2Sizes) and not sizes.memory:
        named = {key: t for key, t in named.items() if not key.startswith(MEMORY)}  # leftovers
    expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    _check(state, named, expected, path)
    network.load_state_dict({key: named[key].float() for key in expected}, assign=True)
    if isinstance(sizes, Sam2Sizes) and sizes.memory:  # it has buffers that no checkpoint holds
        former = network.get_submodule("memory_attention")
        attention = type(former)(network.config)
        attention.load_state_dict(former.state_dict())
        network.set_submodule("memory_attention", attention)
    return network.eval().requires_grad_(False)


def build(sizes: SamSizes | Sam2Sizes) -> SamNetwork:
    """Build a network of given sizes, with random weights."""
    transformers = need("transformers")
    side = published.SIDE
    prompts = {"image_size": side}
    if isinstance(sizes, SamSizes):
        vision = transformers.SamVisionConfig(
            hidden_size=sizes.width, num_hidden_layers=sizes.depth,
            num_attention_heads=sizes.heads, global_attn_indexes=list(sizes.whole),
            window_size=sizes.window, mlp_dim=4 * sizes.width, image_size=side,
        )  # fmt: skip
        return transformers.SamModel(
            transformers.SamConfig(vision_config=vision, prompt_encoder_config=prompts)
        )
    widths = [sizes.width * 2**stage for stage in range(4)]
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=sizes.width, num_attention_heads=sizes.heads,
        blocks_per_stage=list(sizes.stages), embed_dim_per_stage=widths,
        num_attention_heads_per_stage=[sizes.heads * 2**stage for stage in range(4)],
        global_attention_blocks=list(sizes.whole), window_size_per_stage=list(sizes.windows),
        window_positional_embedding_background_size=[sizes.background] * 2,
        image_size=[side, side],
    )  # fmt: skip
    cells = side // PATCH
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=widths[::-1],
        backbone_feature_sizes=[[cells * finer] * 2 for finer in (4, 2, 1)],
    )  # fmt: skip
    parts = {"vision_config": vision, "prompt_encoder_config": prompts}
    if not sizes.memory:
        return transformers.Sam2Model(transformers.Sam2Config(**parts))
    return transformers.Sam2VideoModel(
        transformers.Sam2VideoConfig(
            **parts, image_size=side, memory_attention_rope_feat_sizes=[cells, cells]
        )
    )


def _own(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict under its network's own keys, without what trainers put before them.

    A second state dict in the file, that of micro-sam's decoder, is left out. The tensors have any
    shape.
    """
    prefix = next((found[1] for key in state if (found := _ENCODER.match(key))), "")
    second = f"{tensor_files.SECOND}."
    own = {key: tensor for key, tensor in state.items() if not key.startswith(second)}
    return {key.removeprefix(prefix): tensor for key, tensor in own.items()}


def _check(
    state: Mapping[str, Tensor], named: Mapping[str, Tensor], expected: tensor_files.Shapes,
    path: Path,
) -> None:  # fmt: skip
    """Compare with the network; leave out, with a warning, what stands beside its own parts.

    What stands inside them, such as an adapter, takes part in its answers and is refused.
    """
    tensor_files.check_shapes({key: tuple(t.shape) for key, t in named.items()}, expected, path)
    further = {key for key in named if key not in expected}
    own = {key.split(".")[0] for key in expected}
    if inside := [
        key
        for key, name in names_of(state).items()
        if name in further and name.split(".")[0] in own
    ]:
        raise WeightsError(
            f"{path} has {len(inside)} weights more than the network, inside its parts "
            f"({inside[0]}, ...): it was changed before it was fine-tuned, and would answer "
            "otherwise without them; choose a checkpoint of the plain SAM"
        )
    if further:
        beside = sorted({key.split(".")[0] for key in further})
        warnings.warn(
            f"{path}: {len(further)} weights of parts that are not SAM's were left out: "
            f"{', '.join(beside[:SHOWN])}{', ...' if len(beside) > SHOWN else ''}", stacklevel=2,
        )  # fmt: skip
