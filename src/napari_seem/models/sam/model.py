"""SAM and SAM 2.1 as a `Model` of the project: numpy arrays in, numpy arrays out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...errors import InvalidPrompt
from ...images import ArraySource, to_rgb
from ...prompts import Prompt, check_prompts
from ..base import (
    OUTSIDE,
    Capability,
    Embedding,
    Prediction,
    Segmentation,
    check_capabilities,
    check_embedding,
    check_memory,
)
from ..registry import capabilities_by_model
from ..running.pace import Pace
from ..running.patience import checkpoint
from ..teachable import NotTeachable
from ..tensors import signature
from ..turns import SAME
from .decoder import InstanceDecoder, find_decoder
from .memory import Remembering
from .network import load_network
from .prompting import SamMemory, TurnInput, read
from .square import Square, overlap

if TYPE_CHECKING:
    from .network import SamNetwork

CAPABILITIES = frozenset(
    {
        Capability.POINT, Capability.BOX, Capability.POLYGON, Capability.SCRIBBLE, Capability.MASK,
        Capability.NEGATIVE, Capability.MEMORY, Capability.EVERYTHING,
    }
)  # fmt: skip
WHOLE = 2.0
"""Work of a block that attends to the whole image, over that of one with windows."""
LARGEST_LOGIT = 32.0
"""Bound of the logits that SAM 2.1 is given of the turn before, as in its authors' predictor."""


class SamModel(Remembering, NotTeachable):
    """SAM or SAM 2.1: clicks, boxes, scribbles, outlines and masks, with memory from turn to turn.

    Parameters
    ----------
    network : transformers.SamModel or transformers.Sam2VideoModel
        With its weights, in evaluation mode.
    name : str
        Its name in the registry.
    device : str
        A torch device.
    decoder : InstanceDecoder, optional
        micro-sam's, of which everything is found; a grid of clicks does without.

    Attributes
    ----------
    finds_by : str
        "grid", or "decoder-" and a checksum of the decoder's weights.
    """

    capabilities: frozenset[Capability] = CAPABILITIES
    instead = ": it knows no words"

    def __init__(
        self, network: SamNetwork, name: str = "sam", device: str = "cpu",
        decoder: InstanceDecoder | None = None,
    ) -> None:  # fmt: skip
        self.name, self.decoder, self.network = name, decoder, network
        self.use_device(device)
        self.identity = f"{name}-{signature(network):08x}"
        self.finds_by = f"decoder-{signature(decoder):08x}" if decoder else "grid"
        self.keeps_aspect = network.config.model_type == "sam"
        blocks = "layers" if self.keeps_aspect else "backbone.blocks"
        layers = list(network.get_submodule(f"vision_encoder.{blocks}").children())
        self.pace = Pace(name, [WHOLE if block.window_size == 0 else 1.0 for block in layers])
        for part, block in enumerate(layers):
            block.register_forward_pre_hook(lambda *_, part=part: self.pace.reached(part))
        if self.has_memory:
            self.capabilities = CAPABILITIES | {Capability.PROPAGATE}
            for block in network.get_submodule("memory_attention.layers").children():
                block.register_forward_pre_hook(lambda *_: checkpoint())

    def use_device(self, device: str) -> None:
        """Compute on another torch device from now on."""
        self.device = device
        self.network.to(device)  # type: ignore[arg-type]
        if self.decoder is not None:
            self.decoder.to(device)

    @torch.inference_mode()
    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Encode an image (H, W) or (H, W, C) of any real dtype, once; see `Model.encode`."""
        rgb = to_rgb(image, channels=channels)
        shape = (int(rgb.shape[0]), int(rgb.shape[1]))
        pixels = Square(shape, self.keeps_aspect).pixels(rgb).to(self.device)
        with self.pace.picture():
            found = self.network.get_image_embeddings(pixels)
        maps = [found] if isinstance(found, Tensor) else found
        return Embedding(self.identity, shape, {f"level.{n}": m for n, m in enumerate(maps)})

    @torch.inference_mode()
    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: object = None
    ) -> Prediction:
        """Answer one turn.

        One click is answered by three masks, of which the best is shown and the others are its
        alternatives. Negative prompts alone give an empty mask.

        Raises
        ------
        InvalidPrompt
            A prompt outside the image, no prompt at all, or an embedding or a memory of another
            model.
        UnsupportedPrompt
            A word or a reference region.
        """
        before = self._check(embedding, prompts, memory)
        square = Square(embedding.shape, self.keeps_aspect)
        if not any(prompt.positive for prompt in prompts):
            return Prediction(np.full(embedding.shape, OUTSIDE, np.float32), 0.0)
        turn = read(prompts, square, before)
        masks, scores = self.decode(embedding, [turn], several=turn.is_ambiguous)
        order = scores[0].argsort(descending=True)
        answers = [(masks[0, k], float(scores[0, k])) for k in order]
        return _answer(answers, square, len(prompts))

    def segment(
        self, embedding: Embedding, names: Sequence[str] | None = None, *, prompted: bool = True
    ) -> Segmentation:
        """Find all objects; see `Model.segment`. Words are not taken.

        With micro-sam's decoder, `prompted` objects are those that its maps suggest and a click in
        each finds; where it is False, they are the regions of its maps.
        """
        from .everything import find_objects

        return find_objects(self, embedding, names, prompted)

    def vocabulary(self) -> tuple[str, ...]:
        """Return no words: the model knows none."""
        return ()

    @torch.inference_mode()
    def decode(
        self, embedding: Embedding, turns: Sequence[TurnInput], several: bool
    ) -> tuple[Tensor, Tensor]:
        """Decode one turn of several objects whose prompts are as many, and of the same kinds.

        Parameters
        ----------
        embedding : Embedding
        turns : sequence of TurnInput
        several : bool
            Whether three answers are asked for, rather than one.

        Returns
        -------
        masks : float32 (N, M, grid, grid)
            Logits in the square.
        scores : float32 (N, M)
        """
        network = self.network
        maps = [embedding.tensors[key].to(self.device) for key in sorted(embedding.tensors)]
        objects = len(turns)
        # with masks every object is an entry of the batch, and may be so without, too
        levels = [m.float().expand(objects, -1, -1, -1) for m in maps]
        sparse, dense = network.prompt_encoder(
            input_points=self._stack(t.points for t in turns if len(t.labels)),
            input_labels=self._stack(t.labels for t in turns if len(t.labels)),
            input_boxes=self._stack(t.box for t in turns),
            input_masks=self._stack(t.mask for t in turns),
        )
        places = network.get_image_wide_positional_embeddings().expand(objects, -1, -1, -1)
        finer = {} if len(levels) == 1 else {"high_resolution_features": levels[:-1]}
        found = network.mask_decoder(
            image_embeddings=levels[-1], image_positional_embeddings=places,
            sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
            multimask_output=several, **finer,
        )  # fmt: skip
        return found[0][:, 0], found[1][:, 0]

    def _stack(self, tensors: Iterable[Tensor | None]) -> Tensor | None:
        """Join what each object has to (N, 1, ...); None where they have nothing."""
        there = [tensor for tensor in tensors if tensor is not None]
        return torch.stack(there)[:, None].to(self.device) if there else None

    def _check(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: object
    ) -> SamMemory | None:
        """Return what is known of the turn before; raise for what can't be taken."""
        check_embedding(self.identity, embedding)
        check_capabilities(self, prompts, capabilities_by_model)
        check_prompts(prompts, embedding.shape)
        if not prompts:
            raise InvalidPrompt("there is no prompt; give a point, a box, an outline or a mask")
        if memory is None:
            return None
        before = check_memory(memory, SamMemory)
        logits = before.logits.to(self.device)
        if not self.keeps_aspect:
            logits = logits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
        return SamMemory(logits, before.prompts)


def _answer(answers: Sequence[tuple[Tensor, float]], square: Square, prompts: int) -> Prediction:
    """Make a prediction of the first of several masks (grid, grid) with scores, the best first.

    `prompts` is how many it answers.
    """
    mask, score = answers[0]
    others = partial(_others, answers, square, prompts) if len(answers) > 1 else None
    memory = SamMemory(mask.cpu(), prompts)
    logits = square.logits(mask[None])[0]
    return Prediction(logits, float(np.clip(score, 0, 1)), None, memory, others=others)


def _others(
    answers: Sequence[tuple[Tensor, float]], square: Square, prompts: int
) -> Iterator[Prediction]:
    """Yield the answers after the first, of logits (grid, grid), that differ from those before."""
    kept = [answers[0][0] > 0]
    for mask, score in answers[1:]:
        inside = mask > 0
        if inside.any() and all(overlap(inside, other) < SAME for other in kept):
            kept.append(inside)
            yield _answer([(mask, score)], square, prompts)


def build(
    weights: Path, device: str, name: str, kind: type[SamModel] = SamModel,
    decoder: Path | None = None,
) -> SamModel:  # fmt: skip
    """Load a SAM or SAM 2.1 of any size from a state dict of its authors or of transformers.

    `decoder` is the file of micro-sam's decoder, where none is in the file of the weights or beside
    it; see `find_decoder`.
    """
    network = load_network(weights, device)
    first = network.config.model_type == "sam"
    return kind(network, name, device, find_decoder(weights, decoder, device) if first else None)
