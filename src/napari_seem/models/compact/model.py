"""The compact model: numpy arrays in, numpy arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ...errors import InvalidPrompt
from ...images import AnyArray, to_rgb
from ...prompts import Extent, Point, Prompt, Scribble, check_prompts, extent
from ..base import OUTSIDE, Capability, Embedding, Prediction, Segmentation, mask_bbox
from ..teachable import Word
from . import canvas, corrections, focus, magnify, pyramid, windows
from .adapt import STEPS, Accepted, adapted
from .canvas import View
from .choice import Decoded, choose
from .concept import Concept, best_level
from .evidence import WindowPrompts, gather, strokes
from .in_context import InContextMixin
from .meaning import PromptMeaning, meaning_of_prompts
from .network import CompactNetwork, compute_type
from .vocabulary import VocabularyMixin

GROW_AT = 0.06
"""Share of a window's rim inside the object from which a larger window is tried."""
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
    capabilities = CAPABILITIES

    def __init__(
        self, network: CompactNetwork, words: Sequence[str], identity: str, device: str = "cpu"
    ) -> None:
        self.compute = compute_type(device)
        self._storage = torch.float16 if self.compute == torch.float32 else self.compute
        self._device = device
        self.first_decoder: torch.nn.Module | None = None
        self.accepted: Accepted | None = None
        VocabularyMixin.__init__(self, network, words)
        InContextMixin.__init__(self, network.to(device, self.compute), identity)
        for parameter in self.network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def encode(self, image: AnyArray) -> Embedding:
        """Encode an image once, for every turn on it.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array of any real dtype
            Brought to RGB by `napari_seem.images.to_rgb`.

        Raises
        ------
        InvalidImage
            Where the array is no image.
        """
        rgb = to_rgb(image)
        return self._encoded(rgb, rgb)

    def encode_part(self, image: npt.NDArray[np.uint8], sample: npt.NDArray[np.uint8]) -> Embedding:
        """Encode a part of an image with the brightness of the whole.

        Parameters
        ----------
        image : uint8 array (H, W, 3)
            The part.
        sample : uint8 array (h, w, 3)
            Pixels of the whole, whose mean and deviation count.
        """
        return self._encoded(image, sample)

    def _encoded(self, rgb: npt.NDArray[np.uint8], sample: npt.NDArray[np.uint8]) -> Embedding:
        """Encode pixels (H, W, 3), normalised by the brightness of `sample` (h, w, 3)."""
        brightness = pyramid.brightness(sample)
        normal = pyramid.normalize(rgb, brightness).to(self._device)
        embedding = pyramid.encode(self.network, normal, self.identity, self.compute, self._storage)
        return magnify.with_pixels(embedding, rgb, brightness, self._device)

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
        self.check(embedding)
        check_prompts(prompts, embedding.shape)
        if not prompts:
            raise InvalidPrompt("there is no prompt; give at least one")
        wanted = meaning_of_prompts(self, prompts, embedding)
        levels, concept = pyramid.levels(embedding), wanted.concept
        where = extent(prompts, embedding.shape)
        previous = None if memory is None else np.asarray(memory, np.float32)
        if where is None and not concept.given:
            return _nothing(embedding.shape)
        if where is None:
            return self._finish(embedding, wanted, *self._everywhere(wanted, prompts, embedding))
        known = focus.known_extent(where, previous)
        smallest = windows.SMALLEST
        if focus.gives_size(prompts, known, previous):
            levels = magnify.around(self.network, embedding, known, self.compute) + levels
            smallest = windows.CLOSEST
        decoded = self._decode_object(levels, prompts, concept, known, previous, smallest)
        decoded = _keep_prompted(decoded, prompts)

        def closer(center: tuple[float, float], side: float) -> npt.NDArray[np.float32]:
            view = focus.view_around(levels, center, side, smallest)
            found = self._decode_views([view], prompts, concept, previous)[0]
            return _pasted(found, embedding.shape)

        answer = _pasted(decoded, embedding.shape)
        given = corrections.hints(prompts, embedding.shape)
        logits = corrections.corrected(answer, previous, given, decoded.view.side, closer)
        return self._finish(embedding, wanted, logits, decoded.score)

    def segment(self, embedding: Embedding, names: Sequence[str] | None = None) -> Segmentation:
        """Find all objects, or all objects that `names` name.

        Parameters
        ----------
        embedding : Embedding
        names : sequence of str, optional
            Words it was trained on or taught (`UnknownWord` otherwise).

        Returns
        -------
        Segmentation
            Instances best first, each with a score and, where one fits, a name.
        """
        from .everything import find_objects
        from .recognize import segmented, with_names

        self.check(embedding)
        if names is None:
            found = find_objects(self, embedding, None)
            return replace(found, instances=tuple(with_names(self, embedding, found.instances)))
        chosen = [self.meaning_of(name) for name in names]
        own = [one for one in chosen if isinstance(one, int)]
        taught = [one for one in chosen if isinstance(one, Word)]
        if taught:
            return segmented(self, embedding, own, taught)
        return find_objects(self, embedding, own)

    def adapted(
        self, embedding: Embedding, masks: Sequence[npt.NDArray[np.bool_]], steps: int = STEPS
    ) -> CompactModel:
        """Return a model fitted to accepted objects (H, W) on an image; see `adapt.adapted`."""
        return adapted(self.plain(), embedding, masks, steps)

    @property
    def is_adapted(self) -> bool:
        """Whether the model answers otherwise than as shipped, after `adapted`."""
        return self.first_decoder is not None or self.accepted is not None

    def plain(self) -> CompactModel:
        """Return the model as it was before it was adapted."""
        new = copy(self)
        new.first_decoder = new.accepted = None
        return new

    def decode(
        self, views: Sequence[View], maps: npt.NDArray[np.float32], concept: Concept,
        decoder: torch.nn.Module | None = None,
    ) -> list[Decoded]:  # fmt: skip
        """Decode a batch of windows.

        Parameters
        ----------
        views : sequence of View
        maps : float32 (B, M, S, S)
            The drawn prompts, M = len(MAPS) and S = FINE_GRID; see `canvas.draw`.
        concept : Concept
        decoder : Module, optional
            By default the network's own.
        """
        decoder = decoder or self.network.decoder
        with torch.inference_mode():
            coarse, evidence, fine, drawn = self.decoder_inputs(views, maps, concept)
            logits, _, quality = decoder(
                coarse.to(self.compute), evidence.to(self.compute),
                fine.to(self.compute).contiguous(memory_format=torch.channels_last),
                drawn.to(self.compute),
            )  # fmt: skip
            scores = torch.sigmoid(quality.float()).tolist()
            grids = logits.float().cpu().numpy()
        return [Decoded(v, g, s) for v, g, s in zip(views, grids, scores, strict=True)]

    def decoder_inputs(
        self, views: Sequence[View], maps: npt.NDArray[np.float32], concept: Concept
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the decoder's inputs for a batch of windows.

        Parameters
        ----------
        views, maps, concept
            As for `decode`.

        Returns
        -------
        features : (B, C, GRID, GRID)
        evidence : (B, config.evidence, GRID, GRID)
        fine : (B, D, FINE_GRID, FINE_GRID)
        drawn : (B, 3, FINE_GRID, FINE_GRID)
        """
        config, count = self.network.config, len(views)
        cut = [view.features() for view in views]
        coarse = windows.together([c for c, _ in cut]).to(self._device)
        fine = windows.together([f for _, f in cut]).to(self._device)
        prompts = WindowPrompts(
            torch.from_numpy(maps).to(self._device),
            self._repeated(concept.instance, count),
            self._repeated(concept.semantic, count),
            self._repeated(concept.other_semantic, count),
            self._repeated(concept.word, count),
            torch.tensor([windows.relative_cells(v.window) for v in views], device=self._device),
            None if self.accepted is None else self.accepted.as_context(views, self._device),
        )
        evidence = gather(coarse, fine, prompts, config)
        return coarse[:, config.coarse_slices["features"]], evidence, fine, strokes(prompts)

    def _repeated(self, vector: Tensor, count: int) -> Tensor:
        """Repeat a vector (D,) for a batch: (count, D)."""
        return vector.to(self._device).expand(count, -1)

    def _everywhere(
        self, wanted: PromptMeaning, prompts: Sequence[Prompt], embedding: Embedding
    ) -> tuple[npt.NDArray[np.float32], float]:
        """Find all pixels of what is wanted: logits (H, W), and a score."""
        from .everything import sweep
        from .recognize import region

        if wanted.only_taught:
            return region(self, wanted, prompts, embedding)
        levels = pyramid.levels(embedding)
        return sweep(self, levels, prompts, wanted.concept, embedding.shape)

    def _decode_object(
        self, levels: list[pyramid.Level], prompts: Sequence[Prompt], concept: Concept,
        known: Extent, previous: npt.NDArray[np.float32] | None, smallest: int,
    ) -> Decoded:  # fmt: skip
        """Choose windows and decode; enlarge the window while the object runs out of it.

        `previous` holds the logits (H, W) of the turn before, or is None.
        """
        if previous is None and _only_hints(prompts):
            candidates = focus.ladder(levels, known, self.network.config)
            found = self._decode_views([c.view for c in candidates], prompts, concept, previous)
            decoded = choose(found, [c.prior for c in candidates])
            closer = focus.tight_view(levels, decoded, known)
            if closer is not None:
                again = self._decode_views([closer], prompts, concept, previous)[0]
                decoded = max(decoded, again, key=lambda d: d.score)
            return decoded
        if previous is None:
            view = focus.around_extent(levels, known, focus.REGION_REACH, smallest)
            return self._decode_twice(view, prompts, concept)
        view = focus.around_extent(levels, known, focus.REACH, smallest)
        decoded = self._decode_views([view], prompts, concept, previous)[0]
        for _ in range(2):
            if focus.rim_share(decoded.view, decoded.logits > 0) < GROW_AT:
                break
            reach = 2 * decoded.view.side / max(focus.lengths(known))
            larger = focus.around_extent(levels, known, reach, smallest)
            if larger == decoded.view:
                break
            decoded = self._decode_views([larger], prompts, concept, previous)[0]
        return decoded

    def _decode_twice(self, view: View, prompts: Sequence[Prompt], concept: Concept) -> Decoded:
        """Decode a region, then again beside the first answer, which settles its border."""
        maps = canvas.draw(prompts, view, None)[None]
        first = self.decode([view], maps, concept, self.first_decoder)[0]
        if self.first_decoder is not None or maps[0, canvas.PREVIOUS].any():
            return first
        canvas.remember(maps[0], first.logits)
        return self.decode([view], maps, concept)[0]

    def _decode_views(
        self, views: Sequence[View], prompts: Sequence[Prompt], concept: Concept,
        previous: npt.NDArray[np.float32] | None,
    ) -> list[Decoded]:  # fmt: skip
        """Decode windows with the drawn prompts and the logits (H, W) of the turn before."""
        maps = np.stack([canvas.draw(prompts, view, previous) for view in views])
        decoder = self.first_decoder if previous is None else None
        return self.decode(views, maps, concept, decoder)

    def _finish(
        self,
        embedding: Embedding,
        wanted: PromptMeaning,
        logits: npt.NDArray[np.float32],
        score: float,
    ) -> Prediction:
        """Name the object of these logits (H, W), and wrap them up."""
        from .recognize import name_of

        mask = logits > 0
        name = wanted.taught[0].name if wanted.taught and mask.any() else None
        if name is None and self.taught:
            name = name_of(self, embedding, mask)
        return Prediction(logits, float(score), name or self.name_of(embedding, mask), logits)

    def name_of(self, embedding: Embedding, mask: npt.NDArray[np.bool_]) -> str | None:
        """Return the word that fits a region (H, W) best, or None if no word fits well."""
        bbox = mask_bbox(mask)
        if bbox is None or not self._words:
            return None
        side = float(np.sqrt(mask[bbox[0] : bbox[2], bbox[1] : bbox[3]].sum()))
        level = best_level(pyramid.levels(embedding), side)
        semantic = level.coarse[self.network.config.coarse_slices["semantic"]]
        rows, cols = (
            np.clip(((np.arange(bbox[a], bbox[a + 2]) + 0.5) * level.scale[a] / 4).astype(int),
                    0, semantic.shape[1 + a] - 1)
            for a in (0, 1)
        )  # fmt: skip
        ys, xs = np.nonzero(mask[bbox[0] : bbox[2], bbox[1] : bbox[3]])
        step = max(1, len(ys) // 512)
        vectors = semantic[:, rows[ys[::step]], cols[xs[::step]]].float()
        fit = self.word_probabilities(F.normalize(vectors.mean(1), dim=0).cpu())
        best = int(fit.argmax())
        rivals = fit.clone()
        rivals[best] = 0
        clear = float(fit[best] - rivals.max()) >= CLEAR_BY
        return self._words[best] if clear and float(fit[best]) >= NAME_AT else None


def _pasted(decoded: Decoded, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return a window's logits in the image: (H, W), `OUTSIDE` around the window."""
    values, (y0, x0, y1, x1) = decoded.view.paste(decoded.logits, shape)
    logits = np.full(shape, OUTSIDE, np.float32)
    logits[y0:y1, x0:x1] = values.clamp(min=OUTSIDE + 0.1).numpy()
    return logits


def _only_hints(prompts: Sequence[Prompt]) -> bool:
    """Return whether only clicks and strokes say where the object is: its size is unknown."""
    return all(isinstance(p, (Point, Scribble)) for p in canvas.spatial(prompts))


def _nothing(shape: tuple[int, int]) -> Prediction:
    """Return an empty mask without memory, for negative prompts only."""
    return Prediction(np.full(shape, OUTSIDE, np.float32), 0.0)


def _keep_prompted(decoded: Decoded, prompts: Sequence[Prompt]) -> Decoded:
    """Drop parts of the mask that no positive prompt touches, if any part is touched."""
    positive = canvas.draw([p for p in canvas.spatial(prompts) if p.positive], decoded.view, None)
    touched = (positive[[canvas.POSITIVE, canvas.BOX, canvas.LASSO, canvas.PREVIOUS]] > 0).any(0)
    parts, count = ndimage.label(decoded.logits > 0, np.ones((3, 3)))
    if count < 2:
        return decoded
    wanted = np.unique(parts[touched & (parts > 0)])
    if not len(wanted):
        return decoded
    dropped = (parts > 0) & ~np.isin(parts, wanted)
    logits = np.where(dropped, np.minimum(decoded.logits, -0.5), decoded.logits)
    return Decoded(decoded.view, logits.astype(np.float32), decoded.score)
