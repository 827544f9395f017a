"""SegGPT as an in-context model of the project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ...checks import check_choice, whole_number
from ...errors import InvalidPrompt, UnsupportedPrompt
from ...images import ArraySource, to_rgb
from ...prompts import Prompt
from ..base import (
    Capability,
    Embedding,
    Prediction,
    Segmentation,
    check_capabilities,
    check_embedding,
)
from ..files import tensor_files
from ..in_context import (
    BoolArray,
    Box2D,
    Example,
    FloatArray,
    IntArray,
    Kind,
    Labelled,
    Tuned,
    by_largest_share,
    check_examples,
    check_kind,
    check_lesson,
    lesson_line,
    scores_by_id,
)
from ..teachable import NotTeachable
from . import colours
from .config import VIT_L, SegGptConfig
from .network import SegGpt

Ensemble = Literal["feature", "spatial"]


@dataclass(frozen=True, eq=False, repr=False)
class SegGPTLesson:
    """Examples, prepared for SegGPT.

    Attributes
    ----------
    images : float32 (N, 3, S, S)
        Normalised.
    paintings : list of float32 (N, 3, S, S)
        Painted masks, one for each draw of colours.
    palettes : list of float32 (K + 1, 3)
        The colours of each draw.
    ids : tuple of int
        Label of each colour but the first; (1,) where objects of one kind are wanted.
    kind : str
    model : str
        Identity of the model.
    """

    images: Tensor
    paintings: list[Tensor]
    palettes: list[Tensor]
    ids: tuple[int, ...]
    kind: Kind
    model: str = ""

    __repr__ = lesson_line


class SegGptModel(NotTeachable):
    """SegGPT: any segmentation, given by labelled examples.

    Parameters
    ----------
    network : SegGpt
        With its weights, in evaluation mode.
    identity : str
        Name and weights.
    device : str
        A torch device.
    bfloat16 : bool
        Compute in bfloat16: about twice as fast where the processor can.
    """

    name = "seggpt-vit-l"
    capabilities = frozenset({Capability.IN_CONTEXT, Capability.PROPAGATE})
    lesson_type = SegGPTLesson
    instead = ": it takes no words, and needs examples every time"

    def __init__(
        self, network: SegGpt, identity: str, device: str = "cpu", *, bfloat16: bool = False
    ) -> None:
        self.compute = torch.bfloat16 if bfloat16 else torch.float32
        self.network = network
        self.identity = identity
        self.use_device(device)

    def use_device(self, device: str) -> None:
        """Compute on another torch device from now on."""
        self.device = device
        self.network.to(device, self.compute)
        self._read: WeakKeyDictionary[SegGPTLesson, list[Tensor]] = WeakKeyDictionary()

    def vocabulary(self) -> tuple[str, ...]:
        """Return no words."""
        return ()

    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Resize an image to the network's square; the network runs once there are examples.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array of any real dtype
        channels : int, optional
            Axis of the channels, where it is not a short last one.
        """
        rgb = to_rgb(image, channels=channels)
        side = self.network.config.side
        whole = torch.tensor(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255
        small = F.interpolate(
            whole, (side, side), mode="bicubic", antialias=True, align_corners=False
        ).clamp(0, 1)
        shape = (int(rgb.shape[0]), int(rgb.shape[1]))
        tensors = {"image": colours.normalise(small[0])}  # a resized picture, made in a moment
        return Embedding(self.identity, shape, tensors, lasting=False)

    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: object = None
    ) -> Prediction:
        """Raise `UnsupportedPrompt`: SegGPT takes labelled examples only."""
        from ..registry import capabilities_by_model

        check_capabilities(self, prompts, capabilities_by_model)
        raise InvalidPrompt("SegGPT takes no prompts; give it labelled examples (ns.label_like)")

    def segment(self, embedding: Embedding, names: Sequence[str] | None = None) -> Segmentation:
        """Raise `UnsupportedPrompt`: SegGPT needs examples."""
        raise UnsupportedPrompt(
            "SegGPT finds nothing without examples; label one and call ns.label_like, or choose "
            "another model to segment everything"
        )

    def learn(
        self, examples: Sequence[Example], kind: Kind = "semantic", *,
        ensemble: Ensemble = "feature", draws: int = 1, seed: int = 0,
    ) -> SegGPTLesson:  # fmt: skip
        """Prepare examples.

        Parameters
        ----------
        examples : sequence of Example
        kind : str
            'semantic': ids are classes; 'instance': every id is an object of one kind.
        ensemble : str
            'feature': the examples side by side in the batch; 'spatial': as tiles of one picture.
        draws : int
            Number of random colourings to average.
        seed : int

        Raises
        ------
        InvalidLabels
            No labels, labels of another shape, or more classes than distinguishable colours.
        InvalidArgument
            A kind or an ensemble that does not exist, or no draw.
        """
        check_kind(kind)
        check_choice(ensemble, get_args(Ensemble), "ensemble")
        draws, seed = whole_number(draws, "draws", 1), whole_number(seed, "seed")
        ids = check_examples(examples)
        if kind == "instance":
            ids = (1,)
        images = torch.stack([self._image(example.embedding) for example in examples])
        side = self.network.config.side
        paintings, palettes = [], []
        for draw in range(draws):
            palette = colours.palette(len(ids), draw, seed)
            painted = torch.stack([
                colours.paint(_as_classes(example, kind), ids, palette, side)
                for example in examples
            ])  # fmt: skip
            paintings.append(colours.normalise(painted))
            palettes.append(palette)
        if ensemble == "spatial" and len(examples) > 1:
            images = _tiled(images, "bilinear")
            paintings = [_tiled(painting, "nearest-exact") for painting in paintings]
        return SegGPTLesson(images, paintings, palettes, ids, kind, self.identity)

    def tune(
        self, examples: Sequence[Example], kind: Kind = "semantic", steps: int = 0
    ) -> Iterator[Tuned]:
        """Learn, and fit the prompt, not the network, by gradient steps; see `teaching`."""
        from .teaching import STEPS, tune

        return tune(self, self.learn(examples, kind), steps or STEPS)

    def shares(
        self, lesson: SegGPTLesson, embedding: Embedding, within: Box2D | None = None,
        where: BoolArray | None = None,
    ) -> FloatArray:  # fmt: skip
        """Compute the share of each colour at every pixel: float32 (K + 1, h, w).

        The painted picture is brought to the target's size first; distances are averaged over
        several draws of colours.
        """
        check_lesson(lesson, self)
        target = self._image(embedding)
        y0, x0, y1, x1 = within or (0, 0, *embedding.shape)
        total = torch.zeros(())
        for painted, palette in zip(self.paint(lesson, target), lesson.palettes, strict=True):
            whole = F.interpolate(
                colours.restore(painted)[None], embedding.shape, mode="bilinear",
                align_corners=False,
            )[0]  # fmt: skip
            total = total + colours.distances(whole[:, y0:y1, x0:x1], palette)
        return np.asarray(colours.shares(total / len(lesson.palettes)).numpy(), np.float32)

    def label(self, lesson: SegGPTLesson, embedding: Embedding) -> Labelled:
        """Label an image by a lesson."""
        found = by_largest_share(self.shares(lesson, embedding), lesson.ids)
        if lesson.kind == "semantic":
            return found
        labels = _separate(found.labels)
        return Labelled(labels, found.confidence, scores_by_id(labels, found.confidence))

    @torch.inference_mode()
    def paint(self, lesson: SegGPTLesson, target: Tensor) -> list[Tensor]:
        """Paint a normalised target (3, S, S) by each draw of a lesson.

        What the network reads in the painted masks holds for any target, and is kept with the
        lesson. What it sees in the images holds for any draw of colours.

        Returns
        -------
        list of float32 (3, S, S)
            On the processor.
        """
        if lesson not in self._read:
            self._read[lesson] = [
                self.network.read(self._placed(each), lesson.kind) for each in lesson.paintings
            ]
        images, whole = self._placed(lesson.images), self._placed(target[None])
        pictures = self.network.look(images, whole, lesson.kind)
        painted = [self.network.paint(pictures, read) for read in self._read[lesson]]
        return [each.to("cpu", torch.float32).clone() for each in painted]

    def _placed(self, x: Tensor) -> Tensor:
        """Move a tensor of any shape to the model's device, in the type it computes in."""
        return x.to(self.device, self.compute)

    def _image(self, embedding: Embedding) -> Tensor:
        image: Tensor = check_embedding(self.identity, embedding).tensors["image"]
        return image


def build(
    path: Path, device: str = "cpu", name: str = "seggpt-vit-l", config: SegGptConfig = VIT_L
) -> SegGptModel:
    """Load SegGPT from its published safetensors file.

    Raises `WeightsError`, naming the first key that is lacking or has another shape.
    """
    with torch.device("meta"):
        network = SegGpt(config)
    expected = {key: tuple(t.shape) for key, t in network.state_dict().items()}
    tensors = tensor_files.load(path, expected, device)
    network.load_state_dict({key: t.float() for key, t in tensors.items()}, assign=True)
    return SegGptModel(network.eval().requires_grad_(False), f"{name}:{path.name}", device)


def _as_classes(example: Example, kind: Kind) -> Tensor:
    labels = np.asarray(example.labels)
    return torch.from_numpy((labels > 0 if kind == "instance" else labels).astype(np.int64))


def _tiled(images: Tensor, mode: str) -> Tensor:
    """Arrange N pictures (N, 3, S, S) as one grid (1, 3, S, S); the last fills empty tiles."""
    per_side = int(np.ceil(np.sqrt(len(images))))
    side = images.shape[-1]
    tiles = torch.cat([images, images[-1:].expand(per_side**2 - len(images), -1, -1, -1)])
    grid = tiles.unflatten(0, (per_side, per_side)).permute(2, 0, 3, 1, 4)
    whole = grid.reshape(1, 3, per_side * side, per_side * side)
    return F.interpolate(whole, (side, side), mode=mode)


def _separate(classes: IntArray) -> IntArray:
    """Separate touching objects (H, W) where they are narrowest, by a distance watershed."""
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    inside = classes > 0
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), 1)
    widest = max(3, int(np.median(depth[inside]))) if inside.any() else 3
    peaks = peak_local_max(depth, min_distance=widest, labels=inside.astype(int))
    seeds = np.zeros(classes.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-depth, seeds, mask=inside), np.int32)
