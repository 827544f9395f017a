"""The compact model: numpy arrays in, numpy arrays out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InvalidPrompt
from ...images import AnyArray, ArraySource, to_rgb
from ...progress import Progress
from ...prompts import Prompt, check_prompts
from ..base import Capability, Embedding, Prediction, Segmentation, words_of
from ..context import Context
from ..cropped import cropped
from ..pixel_features import FeatureMap
from ..running.mps import layout
from ..teachable import Word
from . import magnify, pixel_features, pyramid, turn, windows
from .adapt import FEWEST, STEPS, Accepted, accepted_in, adapted
from .choice import Decoded
from .lessons.in_context import InContextMixin
from .network import CompactNetwork, compute_type
from .prompt_maps.canvas import View
from .prompt_maps.evidence import WindowPrompts, gather, strokes
from .words.concept import ConceptVectors, best_level
from .words.vocabulary import VocabularyMixin

TOGETHER = 8
"""Objects that are answered in step, so that few batches of windows are not full."""
NAME_AT, CLEAR_BY = 0.75, 0.2
"""Least probability of a word that names an object, and least distance to the next best word."""
CAPABILITIES = frozenset(Capability)


class CompactModel(InContextMixin, VocabularyMixin):
    """The compact model: every prompt of the package, on a laptop, from one small file.

    Parameters
    ----------
    network : CompactNetwork
        With its weights, in evaluation mode.
    words : sequence of str
        The vocabulary, in the order of the network's word vectors.
    identity : str
        Name and weights of the model; embeddings carry it.
    device : str
        A torch device.
    """

    name = "compact"
    sha256 = ""
    """Of the weights file."""
    capabilities = CAPABILITIES

    def __init__(
        self, network: CompactNetwork, words: Sequence[str], identity: str, device: str = "cpu"
    ) -> None:
        self.first_decoder: torch.nn.Module | None = None
        self.accepted: Accepted | None = None
        self.context = Context()
        VocabularyMixin.__init__(self, network, words)
        InContextMixin.__init__(self, network, identity)
        self.use_device(device)

    def use_device(self, device: str) -> None:
        """Compute on another torch device from now on; its type of numbers is that device's."""
        self.device = device
        self.compute = compute_type(device)
        self._storage = torch.float16 if self.compute == torch.float32 else self.compute
        self._layout = layout(torch.device(device))
        for part in (self.network, self.first_decoder):
            for parameter in part.to(device, self.compute).parameters() if part else ():
                if parameter.ndim == 4:
                    parameter.data = parameter.data.contiguous(memory_format=self._layout)

    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Encode an image once, for every turn on it.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array of any real dtype
            Brought to RGB by `napari_seem.images.to_rgb`.
        channels : int, optional
            Axis of the channels, where it is not a short last one.

        Raises
        ------
        InvalidImage
            Where the array is no image.
        """
        rgb = to_rgb(image, channels=channels)
        return self._encoded(rgb, rgb, pyramid.encode)

    def encode_part(self, image: npt.NDArray[np.uint8], sample: npt.NDArray[np.uint8]) -> Embedding:
        """Encode a part of an image with the brightness of the whole.

        Parameters
        ----------
        image : uint8 array (H, W, 3)
            The part.
        sample : uint8 array (h, w, 3)
            Pixels of the whole, whose mean and deviation count.
        """
        return self._encoded(image, sample, pyramid.encode)

    def encode_lazily(
        self, image: AnyArray, sample: npt.NDArray[np.uint8] | None = None
    ) -> Embedding:
        """Prepare an image (H, W) or (H, W, C) to be encoded where turns look; see `LazyEncoder`.

        `sample` (h, w, 3) shows the whole, where the image is a part of it.
        """
        rgb = to_rgb(image)
        return self._encoded(rgb, rgb if sample is None else sample, pyramid.encode_lazily)

    def _encoded(
        self, rgb: npt.NDArray[np.uint8], sample: npt.NDArray[np.uint8],
        encode: Callable[..., Embedding],
    ) -> Embedding:  # fmt: skip
        """Encode pixels (H, W, 3), normalised by the brightness of `sample` (h, w, 3)."""
        brightness = pyramid.brightness(sample)
        normal = pyramid.normalize(rgb, brightness).to(self.device)
        embedding = encode(self.network, normal, self.identity, self._storage)
        return magnify.with_pixels(embedding, rgb, brightness, self.device)

    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: object = None
    ) -> Prediction:
        """Answer one turn.

        Parameters
        ----------
        embedding : Embedding
            From this model's `encode`.
        prompts : sequence of Prompt
            All prompts of the object so far, in any mix.
        memory : optional
            `Prediction.memory` of the turn before.

        Raises
        ------
        InvalidPrompt
            A prompt outside the image, empty, of the wrong shape, or of another model's embedding.
        UnknownWord
            A text that is no word of the vocabulary, and was not taught.
        """
        self._check_turn(embedding, prompts)
        previous = turn.check_memory(memory, embedding.shape)
        model = self._seeing(embedding)
        return turn.run(model, [turn.answer(model, embedding, prompts, previous)])[0]

    def predict_many(
        self, embedding: Embedding, objects: Sequence[Sequence[Prompt]]
    ) -> Iterator[Prediction]:
        """Answer the first turn of many objects, several at a time; see `BatchPredictor`."""
        self.check(embedding)
        model = self._seeing(embedding)
        for start in range(0, len(objects), TOGETHER):
            some = objects[start : start + TOGETHER]
            for prompts in some:
                self._check_turn(embedding, prompts)
            turns = [turn.answer(model, embedding, prompts, None) for prompts in some]
            for prediction in turn.run(model, turns):
                yield cropped(prediction)

    def _check_turn(self, embedding: Embedding, prompts: Sequence[Prompt]) -> None:
        self.check(embedding)
        check_prompts(prompts, embedding.shape)
        if not prompts:
            raise InvalidPrompt("there is no prompt; give at least one")

    def segment(self, embedding: Embedding, names: Sequence[str] | None = None) -> Segmentation:
        """Find all objects, or all objects that `names` name.

        Parameters
        ----------
        embedding : Embedding
        names : str or sequence of str, optional
            Words it was trained on or taught (`UnknownWord` otherwise).

        Returns
        -------
        Segmentation
            Instances best first, each with a score and, where one fits, a name.
        """
        from .everything import find_objects
        from .words.recognize import segmented, with_names

        self.check(embedding)
        wanted = words_of(names)
        if wanted is None:
            found = find_objects(self, embedding, None)
            return replace(found, instances=tuple(with_names(self, embedding, found.instances)))
        chosen = [self.meaning_of(name) for name in wanted]
        own = [one for one in chosen if isinstance(one, int)]
        taught = [one for one in chosen if isinstance(one, Word)]
        if taught:
            return segmented(self, embedding, own, taught)
        return find_objects(self, embedding, own)

    def pixel_features(self, embedding: Embedding) -> list[FeatureMap]:
        """Return features of pixels at six resolutions; see `PixelFeatureModel`."""
        self.check(embedding)
        return pixel_features.feature_maps(embedding)

    def adapted(
        self, embedding: Embedding, masks: Sequence[npt.NDArray[np.bool_]], steps: int = STEPS,
        *, progress: bool | Progress | None = None,
    ) -> Self:  # fmt: skip
        """Return a model fitted to accepted objects (H, W) on an image; see `adapt.adapted`."""
        return adapted(self.plain(), embedding, masks, steps, progress=progress)

    @property
    def fewest_objects(self) -> int:
        """Least number of objects that `adapted` makes any use of."""
        return FEWEST

    @property
    def is_adapted(self) -> bool:
        """Whether the model answers otherwise than as shipped, after `adapted`."""
        return self.first_decoder is not None or self.accepted is not None

    def with_context(self, context: Context | None) -> Self:
        """Return the same model, steered by objects that were accepted; see `ContextModel`."""
        new = copy(self)
        new.context = context or Context()
        return new

    @property
    def reads_appearance(self) -> bool:
        """Whether `Context.spots` are of use: in a network of the second generation."""
        return bool(self.network.config.context)

    def _seeing(self, embedding: Embedding) -> Self:
        """Return the model with the appearance of the context's objects on an image.

        Nothing is encoded for it: on a plane that is encoded in parts their sizes have to do.
        """
        lazy = isinstance(embedding, pyramid.LazyEmbedding)
        if lazy or not (self.reads_appearance and any(self.context.spots)):
            return self
        new = copy(self)
        new.accepted = accepted_in(self, embedding, self.context)
        return new

    def plain(self) -> Self:
        """Return the model as it was before it was adapted."""
        new = copy(self)
        new.first_decoder = new.accepted = None
        return new

    def decode(
        self, views: Sequence[View], maps: npt.NDArray[np.float32],
        concept: ConceptVectors | Sequence[ConceptVectors], decoder: torch.nn.Module | None = None,
    ) -> list[Decoded]:  # fmt: skip
        """Decode a batch of windows.

        Parameters
        ----------
        views : sequence of View
        maps : float32 (B, M, S, S)
            The drawn prompts, M = len(MAPS) and S = FINE_GRID, or half of it for answers on a grid
            of half the cells; see `canvas.draw`.
        concept : ConceptVectors, or one for each window
        decoder : Module, optional
            By default the network's own.
        """
        decoder = decoder or self.network.decoder
        with torch.inference_mode():
            coarse, evidence, fine, drawn = self.decoder_inputs(views, maps, concept)
            logits, _, quality = decoder(
                coarse.to(self.compute), evidence.to(self.compute),
                fine.to(self.compute).contiguous(memory_format=self._layout),
                drawn.to(self.compute),
            )  # fmt: skip
            scores = torch.sigmoid(quality.float()).tolist()
            grids = logits.float().cpu().numpy()
        return [Decoded(v, g, s) for v, g, s in zip(views, grids, scores, strict=True)]

    def decoder_inputs(
        self, views: Sequence[View], maps: npt.NDArray[np.float32],
        concept: ConceptVectors | Sequence[ConceptVectors],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        """Return the decoder's inputs for a batch of windows.

        Parameters
        ----------
        views, maps, concept
            As for `decode`.

        Returns
        -------
        features : (B, C, S / 2, S / 2)
        evidence : (B, config.evidence, S / 2, S / 2)
        fine : (B, D, S, S)
        drawn : (B, 3, S, S)
        """
        config = self.network.config
        concepts = [concept] * len(views) if isinstance(concept, ConceptVectors) else concept
        cut = [view.features(maps.shape[-1] // 2) for view in views]
        coarse = windows.together([c for c, _ in cut]).to(self.device)
        fine = windows.together([f for _, f in cut]).to(self.device)
        prompts = WindowPrompts(
            torch.from_numpy(maps).to(self.device),
            torch.stack([one.instance for one in concepts]).to(self.device),
            torch.stack([one.semantic for one in concepts]).to(self.device),
            torch.stack([one.other_semantic for one in concepts]).to(self.device),
            torch.stack([one.word for one in concepts]).to(self.device),
            torch.tensor([windows.relative_cells(v.window) for v in views], device=self.device),
            None if self.accepted is None else self.accepted.as_context(views, self.device),
        )
        evidence = gather(coarse, fine, prompts, config)
        return coarse[:, config.coarse_slices["features"]], evidence, fine, strokes(prompts)

    def name_of(
        self, embedding: Embedding, mask: npt.NDArray[np.bool_], corner: tuple[int, int] = (0, 0)
    ) -> str | None:
        """Return the word that fits a region best, or None if no word fits well.

        Parameters
        ----------
        embedding : Embedding
        mask : bool array (h, w)
            The region.
        corner : (int, int)
            Of the mask in the image.
        """
        inside = np.flatnonzero(mask)
        if not len(inside) or not self._words:
            return None
        side = float(np.sqrt(len(inside)))
        level = best_level(pyramid.levels(embedding), side)
        some = np.divmod(inside[:: max(1, len(inside) // 512)], mask.shape[1])
        rows, cols = (
            np.clip(((at + start + 0.5) * scale / 4).astype(int), 0, size - 1)
            for at, start, scale, size in zip(some, corner, level.scale, level.cells, strict=True)
        )
        box = int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1
        there = level.part(box)
        top, left = there.corner or (0, 0)
        semantic = there.coarse[self.network.config.coarse_slices["semantic"]]
        vectors = semantic[:, rows - top, cols - left].float()
        fit = self.word_probabilities(F.normalize(vectors.mean(1), dim=0).cpu())
        best = int(fit.argmax())
        rivals = fit.clone()
        rivals[best] = 0
        clear = float(fit[best] - rivals.max()) >= CLEAR_BY
        return self._words[best] if clear and float(fit[best]) >= NAME_AT else None
