"""SEEM as a `Model` of the project: numpy arrays in, numpy arrays out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InvalidPrompt
from ...images import ArraySource, to_rgb
from ...prompts import Prompt, Reference, check_prompts
from ..base import (
    Capability,
    Embedding,
    Prediction,
    Segmentation,
    check_embedding,
    check_memory,
    words_of,
)
from ..files.weights import cache_folder
from ..teachable import NotTeachable
from ..tensors import signature
from ..turns import SAME
from . import coco, outputs, prompting, turns
from .checkpoint import load_network
from .config import SeemConfig
from .decoder import SCALES, Features
from .names import Vocabulary
from .network import STRIDE, Seem
from .outputs import OutputSizes
from .strokes import Strokes, points_of
from .tokenizer import Tokenizer

SHORT_SIDE, LONG_SIDE = 512, 1024
"""Sides in pixels to which images are resized, as in the authors' demo."""
OUTSIDE = -10.0
"""Logit of an empty mask."""
TOGETHER = 8
"""Objects that `predict_many` decodes together."""
CAPABILITIES = frozenset(Capability) - {
    Capability.IN_CONTEXT, Capability.CONCEPTS, Capability.PROPAGATE
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class SeemMemory:
    """The state that one turn passes to the next.

    Attributes
    ----------
    logits : Tensor (H / 4, W / 4)
        Mask logits of the turn.
    row : Tensor (1, C)
        The chosen query.
    """

    logits: Tensor
    row: Tensor


class SeemModel(NotTeachable):
    """SEEM: every prompt, open vocabulary, memory from turn to turn.

    Parameters
    ----------
    network : Seem
    tokenizer : Tokenizer
    name : str
        Its name in the registry.
    device : str
        A torch device.
    short_side, long_side : int
        Images are resized to `short_side` pixels unless that makes the other side longer than
        `long_side`. The authors evaluate clicks at 800 and 1333.
    bfloat16 : bool
        Encode in bfloat16 where that is faster; the decoder stays in float32.
    """

    capabilities = CAPABILITIES
    instead = ": it takes any word of natural images as it is"

    def __init__(
        self,
        network: Seem,
        tokenizer: Tokenizer,
        name: str = "seem",
        device: str = "cpu",
        *,
        short_side: int = SHORT_SIDE,
        long_side: int = LONG_SIDE,
        bfloat16: bool = False,
    ) -> None:
        self.name, self.network = name, network
        self.short_side, self.long_side, self.bfloat16 = short_side, long_side, bfloat16
        self.tokenizer = tokenizer
        self.use_device(device)
        self.identity = (
            f"{name}-{signature(network):08x}-{short_side}-{long_side}" + "-bf16" * bfloat16
        )

    def use_device(self, device: str) -> None:
        """Compute on another torch device from now on."""
        self.device = device
        self.network.to(device)
        self.embed_names: Callable[[Sequence[str]], Tensor] = Vocabulary(
            self.network, self.tokenizer
        )

    def at_size(self, short_side: int, long_side: int) -> SeemModel:
        """Return a model of the same network that resizes its images to another size in pixels."""
        return type(self)(
            self.network,
            self.tokenizer,
            self.name,
            self.device,
            short_side=short_side,
            long_side=long_side,
            bfloat16=self.bfloat16,
        )

    @torch.inference_mode()
    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Encode an image (H, W) or (H, W, C) of any real dtype, once; see `Model.encode`."""
        rgb = to_rgb(image, channels=channels)
        pixels = torch.tensor(np.ascontiguousarray(rgb)).to(self.device)
        x = pixels.permute(2, 0, 1)[None].float()  # (1, 3, H, W)
        shape = (int(rgb.shape[0]), int(rgb.shape[1]))
        size = self._input_size(shape)
        if size != shape:
            x = F.interpolate(x, size=size, mode="bicubic", antialias=True).clamp(0, 255)
        with torch.autocast(self.device.partition(":")[0], torch.bfloat16, self.bfloat16):
            features = self.network.encode(x[0])
        return Embedding(self.identity, shape, _tensors(features), {"resized": size})

    @torch.inference_mode()
    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: object = None
    ) -> Prediction:
        """Answer one turn.

        Strokes alone follow the rules of SEEM v1, with memory; text alone is grounded; any mix of
        strokes, text and reference regions follows the rules of the authors' demo. Negative prompts
        alone give an empty mask.

        Raises
        ------
        InvalidPrompt
            A prompt outside the image, no prompt at all, a text of more than 77 tokens, or an
            embedding or a memory of another model.
        UnsupportedPrompt
            A negative word or reference region.
        WeightsError
            A word is given, and the tokenizer's vocabulary is missing.
        """
        features, frame = self._open(embedding)
        check_prompts(prompts, embedding.shape)
        prompting.refuse_negative_meaning(prompts)
        if not prompts:
            raise InvalidPrompt("there is no prompt; give a point, a box, a scribble or a word")
        text = prompting.sentence_of(prompts)
        reference = prompting.joined([self._reference(r) for r in prompting.references_of(prompts)])
        strokes = self._strokes(features, frame, prompts)
        if text is None and reference is None:
            (answer,) = self._strokes_turn(features, [strokes], [memory])
        elif strokes is None and reference is None:
            answer, _ = turns.text_turn(self.network.decoder, features, self._sentence(text))
        else:
            sentence = None if text is None else self._sentence(text)
            answer = turns.mixed_turn(self.network.decoder, features, strokes, sentence, reference)
        others = None if answer is None else partial(self._others, answer, features, frame, text)
        return self._prediction(answer, frame, text, others)

    @torch.inference_mode()
    def predict_objects(
        self,
        embedding: Embedding,
        objects: Sequence[Sequence[Prompt]],
        memories: Sequence[object] | None = None,
        *,
        alike: bool = False,
    ) -> list[Prediction]:
        """Answer one turn for several objects at once; each has visual prompts only.

        `memories` are those of the objects' previous predictions, in order. The authors start each
        object from other queries; `alike` starts all from the first's, as `predict` does.
        """
        features, frame = self._open(embedding)
        for prompts in objects:
            check_prompts(prompts, embedding.shape)
            if prompting.sentence_of(prompts) or prompting.references_of(prompts):
                raise InvalidPrompt(
                    "several objects at once take points, boxes, polygons, scribbles and masks; "
                    "segment objects with a word or a reference region one at a time"
                )
        strokes = [self._strokes(features, frame, prompts) for prompts in objects]
        before = memories or [None] * len(objects)
        answers = self._strokes_turn(features, strokes, before, alike)
        return [self._prediction(answer, frame, None) for answer in answers]

    def predict_many(
        self, embedding: Embedding, objects: Sequence[Sequence[Prompt]]
    ) -> Iterator[Prediction]:
        """Answer the first turn of many objects, several at a time; see `BatchPredictor`.

        Objects with a word or a reference region are answered one at a time.
        """
        for start in range(0, len(objects), TOGETHER):
            some = objects[start : start + TOGETHER]
            if any(prompting.sentence_of(p) or prompting.references_of(p) for p in some):
                yield from (self.predict(embedding, prompts) for prompts in some)
            else:
                yield from self.predict_objects(embedding, some, alike=True)

    def segment(
        self, embedding: Embedding, names: Sequence[str] | None = None, *, threshold: float = 0.4
    ) -> Segmentation:
        """Find panoptic regions and the semantic map of `names` (of COCO's 133 classes if None).

        `threshold` is the class score above which a region counts; the authors' demo uses 0.4,
        their evaluation 0.8.
        """
        names, classes, masks, frame = self._everything(embedding, names)
        found = outputs.panoptic(classes, masks, frame, names, coco.STUFF, threshold=threshold)
        semantic = outputs.semantic(classes, masks, frame)
        return Segmentation(embedding.shape, found, semantic, names)

    def instances(
        self, embedding: Embedding, names: Sequence[str] | None = None, limit: int = 100
    ) -> Segmentation:
        """Find the `limit` best objects of `names` (of COCO's things if None); they may overlap."""
        chosen = coco.THINGS if names is None else names
        chosen, classes, masks, frame = self._everything(embedding, chosen)
        found = outputs.instances(classes, masks, frame, chosen, limit)
        return Segmentation(embedding.shape, found, None, chosen)

    @torch.inference_mode()
    def name_of(self, prediction: Prediction, names: Sequence[str]) -> tuple[str | None, float]:
        """Return which of `names` a predicted object is, or None, and the probability."""
        row = self._memory(prediction.memory).row
        scores = self.network.decoder.class_logits(row, self.embed_names(names)).softmax(dim=1)[0]
        best = int(scores.argmax())
        return (names[best] if best < len(names) else None), float(scores[best])

    def vocabulary(self) -> tuple[str, ...]:
        """Return no words: the model takes any word."""
        return ()

    @torch.inference_mode()
    def _everything(
        self, embedding: Embedding, names: Sequence[str] | None
    ) -> tuple[tuple[str, ...], Tensor, Tensor, OutputSizes]:
        """Return names, class logits (Q, K + 1) and mask logits (Q, h, w) of all object queries."""
        features, frame = self._open(embedding)
        chosen = words_of(names) or tuple(coco.NAMES)
        vocabulary = self.embed_names(chosen)
        decoder = self.network.decoder
        rows = turns.object_queries(decoder, features)
        classes = decoder.class_logits(rows, vocabulary)
        return chosen, classes, turns.mask_logits(decoder, features, rows), frame

    def _input_size(self, shape: tuple[int, int]) -> tuple[int, int]:
        scale = min(self.short_side / min(shape), self.long_side / max(shape))
        return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))

    def _open(self, embedding: Embedding) -> tuple[Features, OutputSizes]:
        check_embedding(self.identity, embedding)
        height, width = embedding.meta["resized"]
        padded = (height + -height % STRIDE, width + -width % STRIDE)
        frame = OutputSizes(padded, (height, width), embedding.shape)
        return _features(embedding, padded, self.device), frame

    def _strokes(
        self, features: Features, frame: OutputSizes, prompts: Sequence[Prompt]
    ) -> Strokes | None:
        """Sample features under the visual prompts; None without any."""
        points = []
        for positive in (True, False):
            drawn = prompting.drawn(
                prompts, frame.shape, frame.resized, frame.padded, positive=positive
            )
            points.append(None if drawn is None else points_of(drawn.to(self.device)))
        if points == [None, None]:
            return None
        return self.network.decoder.strokes(features, *points)

    def _reference(self, prompt: Reference) -> Strokes:
        features, frame = self._open(prompt.embedding)
        region = prompting.region(prompt.mask, frame.resized, frame.padded)
        return self.network.decoder.strokes(features, points_of(region.to(self.device)), None)

    def _sentence(self, text: str | None) -> turns.Sentence:
        (sentence,) = self.network.read(self.tokenizer([text or ""]).to(self.device))
        return sentence

    def _strokes_turn(
        self, features: Features, objects: Sequence[Strokes | None], memories: Sequence[object],
        alike: bool = False,
    ) -> list[turns.ChosenQuery | None]:  # fmt: skip
        """Answer by the rules of v1, first turns apart from later ones; None for no object."""
        answers: list[turns.ChosenQuery | None] = [None] * len(objects)
        shown = [
            k for k, each in enumerate(objects) if each is not None and each.embedding is not None
        ]
        for again in (False, True):
            chosen = [k for k in shown if (memories[k] is not None) is again]
            if not chosen:
                continue
            strokes = [each for k in chosen if (each := objects[k]) is not None]
            before = [self._memory(memories[k]).logits for k in chosen] if again else None
            done = turns.strokes_turn(self.network.decoder, features, strokes, before, alike=alike)
            for k, answer in zip(chosen, done, strict=True):
                answers[k] = answer
        return answers

    def _memory(self, memory: object) -> SeemMemory:
        before = check_memory(memory, SeemMemory)
        return SeemMemory(before.logits.to(self.device), before.row.to(self.device))

    @torch.inference_mode()
    def _others(
        self, answer: turns.ChosenQuery, features: Features, frame: OutputSizes, label: str | None
    ) -> list[Prediction]:
        """The masks of the rivals of a query that differ from its own and from one another."""
        masks, found = [answer.logits > 0], []
        logits = turns.mask_logits(self.network.decoder, features, answer.rivals)
        for mask, row in zip(logits, answer.rivals, strict=True):
            inside = mask > 0
            overlaps = [float((inside & m).sum() / (inside | m).sum().clamp(min=1)) for m in masks]
            if inside.any() and max(overlaps) < SAME:
                masks.append(inside)
                other = replace(answer, logits=mask, row=row[None])
                found.append(self._prediction(other, frame, label))
        return found

    def _prediction(
        self, answer: turns.ChosenQuery | None, frame: OutputSizes, label: str | None,
        others: Callable[[], list[Prediction]] | None = None,
    ) -> Prediction:  # fmt: skip
        if answer is None:
            return Prediction(np.full(frame.shape, OUTSIDE, np.float32), 0.0)
        logits = frame.resize(answer.logits[None])[0]
        memory = SeemMemory(answer.logits, answer.row)
        score = outputs.certainty(logits)
        return Prediction(logits.cpu().numpy(), score, label, memory, others=others)


def build(
    weights: Path, device: str, config: SeemConfig, name: str, kind: type[SeemModel] = SeemModel
) -> SeemModel:
    """Load SEEM; the tokenizer's files lie beside the weights or in the cache folder."""
    network = load_network(weights, config, device)
    folders = (weights.parent, cache_folder() / "clip-vit-base-patch32")
    return kind(network, Tokenizer(folders, config.text_length), name, device)


def _tensors(features: Features) -> dict[str, Tensor]:
    tensors = {"mask_features": features.mask_features.float()}
    for kind in ("sources", "places", "coarse"):
        for scale, tensor in enumerate(getattr(features, kind)):
            tensors[f"{kind}.{scale}"] = tensor.float()
    return tensors


def _features(embedding: Embedding, padded: tuple[int, int], device: str) -> Features:
    def per_scale(kind: str) -> tuple[Tensor, ...]:
        return tuple(embedding.tensors[f"{kind}.{scale}"].to(device) for scale in range(SCALES))

    return Features(
        embedding.tensors["mask_features"].to(device),
        per_scale("sources"),
        per_scale("places"),
        per_scale("coarse"),
        tuple(_strided(padded, (32, 16, 8, 4))),
    )


def _strided(size: tuple[int, int], strides: Iterable[int]) -> Iterable[tuple[int, int]]:
    return ((size[0] // stride, size[1] // stride) for stride in strides)
