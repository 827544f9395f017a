"""One turn of the compact model, as steps that one object or many take together.

A turn is a generator: it yields windows that it needs decoded, is sent what the decoder made of
them, and returns the answer. `run` drives any number of turns in step, so that windows of several
objects go through the decoder at once; each object is answered as it would be alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...checks import said
from ...errors import InvalidPrompt
from ...prompts import Extent, Point, Prompt, Scribble, extent, union
from ...values import read_only
from ..base import OUTSIDE, Embedding, Prediction
from ..context import Context
from ..turns import SAME
from . import corrections, focus, magnify, pyramid, windows
from .choice import SURE, SURE_RIM, Decoded, agreement, area, certainty, ranked
from .prompt_maps import canvas
from .prompt_maps.canvas import View
from .windows import PartLogits, PartPrediction
from .words.concept import ConceptVectors
from .words.meaning import PromptMeaning, meaning_of_prompts

if TYPE_CHECKING:
    from .model import CompactModel

BATCH = 5
"""Most windows that a processor decodes at once: more take no less time each, and more memory."""

FloatArray = npt.NDArray[np.float32]
Others = Callable[[], Sequence[Prediction]]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one object that are to be decoded.

    Attributes
    ----------
    views : sequence of View
    maps : float32 (N, M, S, S)
        The drawn prompts in each, M = len(MAPS) and S = FINE_GRID; see `canvas.draw`.
    concept : ConceptVectors
    opening : bool
        Whether a model that was adapted uses the decoder of its first answers.
    """

    views: Sequence[View]
    maps: FloatArray
    concept: ConceptVectors
    opening: bool = False


Step = Generator[Windows, list[Decoded], Decoded]
Turn = Generator[Windows, list[Decoded], Prediction]


def run(model: CompactModel, turns: Sequence[Turn]) -> list[Prediction]:
    """Take turns to their ends, decoding the windows of all of them together.

    Parameters
    ----------
    model : CompactModel
    turns : sequence of Turn
        See `answer`.

    Returns
    -------
    list of Prediction
        In the order of the turns.
    """
    answers: dict[int, Prediction] = {}
    waiting: dict[int, Windows] = {}

    def go_on(number: int, found: list[Decoded] | None) -> None:
        try:
            waiting[number] = turns[number].send(found)  # type: ignore[arg-type]
        except StopIteration as end:
            answers[number] = end.value

    for number in range(len(turns)):
        go_on(number, None)
    while waiting:
        asked, waiting = waiting, {}
        for number, found in zip(asked, _decoded(model, list(asked.values())), strict=True):
            go_on(number, found)
    return [answers[number] for number in range(len(turns))]


def _decoded(model: CompactModel, asked: Sequence[Windows]) -> list[list[Decoded]]:
    """Decode the windows that several turns ask for: all at once, or by `BATCH` on a processor."""
    found: list[list[Decoded]] = [[] for _ in asked]
    for opening in (False, True):
        flat = [
            (number, index)
            for number, one in enumerate(asked)
            if one.opening == opening
            for index in range(len(one.views))
        ]
        on_cpu = model.network.words.device.type == "cpu"
        size = BATCH if on_cpu else max(1, len(flat))
        for start in range(0, len(flat), size):
            some = flat[start : start + size]
            answers = model.decode(
                [asked[number].views[index] for number, index in some],
                np.stack([asked[number].maps[index] for number, index in some]),
                [asked[number].concept for number, _ in some],
                model.first_decoder if opening else None,
            )
            for (number, _), answer in zip(some, answers, strict=True):
                found[number].append(answer)
    return found


def answer(
    model: CompactModel,
    embedding: Embedding,
    prompts: Sequence[Prompt],
    previous: PartLogits | None,
) -> Turn:
    """Answer one turn; see `CompactModel.predict`.

    Parameters
    ----------
    model : CompactModel
    embedding : Embedding
    prompts : sequence of Prompt
    previous : PartLogits, optional
        Logits of the turn before; see `check_memory`.

    Yields
    ------
    Windows
        To be decoded; the generator is sent a list of `Decoded`.
    """
    wanted = meaning_of_prompts(model, prompts, embedding)
    where = extent(prompts, embedding.shape)
    if where is None and not wanted.concept.given:
        return Prediction(np.full(embedding.shape, OUTSIDE, np.float32), 0.0)
    if where is None:
        return _named(model, embedding, wanted, *_everywhere(model, embedding, wanted, prompts))
    levels = pyramid.levels(embedding)
    known = union(where, None if previous is None else previous.bbox)
    smallest = windows.SMALLEST
    if focus.gives_size(prompts, previous):
        levels = magnify.around(model.network, embedding, known) + levels
        smallest = windows.CLOSEST
    there = _Object(levels, prompts, wanted.concept, known, previous, smallest)

    def finished(decoded: Decoded, others: Others | None = None) -> Prediction:
        part = _settled(model, there, _keep_prompted(decoded, prompts), embedding.shape)
        return _named(model, embedding, wanted, part, decoded.score, others)

    if previous is not None or not _only_hints(prompts):
        return finished((yield from there.decoded(model)))
    ladder = _Ladder(there, focus.ladder(levels, known, model.network.config), model.context)
    decoded = yield from ladder.decoded()

    def others() -> list[Prediction]:
        found = ladder.others(model, decoded)
        return [finished(one).on(embedding.picture) for one in found]

    return finished(decoded, others)


@dataclass(frozen=True, eq=False)
class _Object:
    """An object that has a place in the image, and how to decode it.

    `previous` holds the logits of the turn before, or is None.
    """

    levels: list[pyramid.Level]
    prompts: Sequence[Prompt]
    concept: ConceptVectors
    known: Extent
    previous: PartLogits | None
    smallest: int

    def decoded(self, model: CompactModel) -> Step:
        """Choose windows and decode; enlarge the window while the object runs out of it."""
        if self.previous is None:
            return (yield from self._decoded_twice(model))
        (decoded,) = yield self.drawn([self._around(focus.REACH)])
        for _ in range(2):
            if focus.rim_share(decoded.view, decoded.logits > 0) < focus.GROW_AT:
                break
            larger = self._around(2 * decoded.view.side / max(focus.lengths(self.known)))
            if larger == decoded.view:
                break
            (decoded,) = yield self.drawn([larger])
        return decoded

    def drawn(self, views: Sequence[View]) -> Windows:
        """Draw the prompts, and the answer of the turn before, into windows."""
        maps = np.stack([canvas.draw(self.prompts, view, self.previous) for view in views])
        return Windows(views, maps, self.concept, self.previous is None)

    def _around(self, reach: float) -> View:
        return focus.around_extent(self.levels, self.known, reach, self.smallest)

    def _decoded_twice(self, model: CompactModel) -> Step:
        """Decode a region, then again beside the first answer, which settles its border."""
        asked = self.drawn([self._around(focus.REGION_REACH)])
        (first,) = yield asked
        if model.first_decoder is not None or asked.maps[0, canvas.PREVIOUS].any():
            return first
        canvas.remember(asked.maps[0], first.logits)
        (again,) = yield Windows(asked.views, asked.maps, self.concept)
        return again


@dataclass(frozen=True, eq=False)
class _Ladder:
    """Windows of several sizes around the clicks on an object, the likeliest first.

    `found` holds the answers of the first of them, as far as they were decoded.
    """

    there: _Object
    candidates: Sequence[focus.Candidate]
    context: Context
    found: list[Decoded] = field(default_factory=list)

    def decoded(self) -> Step:
        """Decode windows until an answer is sure, then one fitted to the best answer."""
        for count, sure in (*SURE, (len(self.candidates), 0.0)):
            if self._lacking(count):
                self.found.extend((yield self.there.drawn(self._lacking(count))))
            best = self._ranked()[0]
            rim = focus.rim_share(best.view, best.logits > 0)
            if rim < SURE_RIM and certainty(best) >= sure:
                break
        closer = focus.tight_view(self.there.levels, best, self.there.known)
        if closer is not None:
            (again,) = yield self.there.drawn([closer])
            best = max(best, again, key=lambda d: d.score)
        return best

    def others(self, model: CompactModel, answer: Decoded) -> Iterator[Decoded]:
        """Decode the windows that lack; yield what differs from `answer` and from one another.

        The surest is the first: of the orders tried on training images, the best of the first two
        and of the first three are best in this one.
        """
        lacking = self._lacking(len(self.candidates))
        if lacking:
            self.found.extend(_decoded(model, [self.there.drawn(lacking)])[0])
        surest = sorted(self.found, key=certainty, reverse=True)
        some = [answer, *(one for one in surest if (one.logits > 0).any())]
        some = [_keep_prompted(one, self.there.prompts) for one in some]
        alike = agreement(some) >= SAME
        taken = [0]
        for index in range(1, len(some)):
            if not alike[index, taken].any():
                taken.append(index)
                yield some[index]

    def _lacking(self, count: int) -> list[View]:
        return [candidate.view for candidate in self.candidates[len(self.found) : count]]

    def _ranked(self) -> list[Decoded]:
        priors = [
            candidate.prior + self.context.bonus(area(one))
            for candidate, one in zip(self.candidates, self.found, strict=False)
        ]
        return ranked(self.found, priors)


def check_memory(memory: object, shape: tuple[int, int]) -> PartLogits | None:
    """Return the logits of an answer on an image of `shape`; raise `InvalidPrompt` for others."""
    if isinstance(memory, np.ndarray) and memory.dtype == np.float32 and memory.shape == shape:
        return PartLogits(read_only(memory), (0, 0), shape)
    if memory is None or (isinstance(memory, PartLogits) and memory.shape == shape):
        return memory
    raise InvalidPrompt(
        f"the memory is {said(memory)}, not that of an answer on this image of {shape[0]} x "
        f"{shape[1]} pixels; give the `memory` of its last prediction, or None"
    )


def _everywhere(
    model: CompactModel, embedding: Embedding, wanted: PromptMeaning, prompts: Sequence[Prompt]
) -> tuple[PartLogits, float]:
    """Find all pixels of what is wanted: their logits, and a score."""
    from .everything import sweep
    from .words.recognize import region

    if wanted.only_taught:
        logits, score = region(model, wanted, prompts, embedding)
    else:
        levels = pyramid.levels(embedding)
        logits, score = sweep(model, levels, prompts, wanted.concept, embedding.shape)
    return PartLogits(logits, (0, 0), embedding.shape), score


def _settled(
    model: CompactModel, there: _Object, decoded: Decoded, shape: tuple[int, int]
) -> PartLogits:
    """Return an answer's logits in the image, as far as clicks allow; see `corrections`."""
    part, side = _pasted(decoded, shape), decoded.view.side
    given = corrections.hints(there.prompts, shape)
    previous = there.previous
    area = corrections.frame([one.area for one in (part, previous) if one], given, 2, shape)
    found = part.within(area)
    if any(hint.seen_from(area).broken_by(found) for hint in given):
        area = corrections.frame([area], given, side / 2, shape)  # closer windows lie there

    def closer(center: tuple[float, float], side: float) -> FloatArray:
        middle = center[0] + area[0], center[1] + area[1]
        view = focus.view_around(there.levels, middle, side, there.smallest)
        return _pasted(_decoded(model, [there.drawn([view])])[0][0], shape).within(area)

    before = None if previous is None else previous.within(area)
    given = [hint.seen_from(area) for hint in given]
    logits = corrections.corrected(part.within(area), before, given, side, closer)
    return PartLogits(logits, area[:2], shape)


def _named(
    model: CompactModel, embedding: Embedding, wanted: PromptMeaning, part: PartLogits,
    score: float, others: Others | None = None,
) -> Prediction:  # fmt: skip
    """Name the object of these logits, and wrap them up."""
    from .words.recognize import name_of

    name = wanted.taught[0].name if wanted.taught and part.bbox else None
    if name is None and model.taught:
        name = name_of(model, embedding, PartPrediction(part, score).mask)
    name = name or model.name_of(embedding, part.values > 0, part.corner)
    return PartPrediction(part, float(score), name, others)


def _pasted(decoded: Decoded, shape: tuple[int, int]) -> PartLogits:
    """Return a window's logits in an image of `shape` (H, W)."""
    values, (y0, x0, _, _) = decoded.view.paste(decoded.logits, shape)
    return PartLogits(values.clamp(min=OUTSIDE + 0.1).numpy(), (y0, x0), shape)


def _only_hints(prompts: Sequence[Prompt]) -> bool:
    """Return whether only clicks and strokes say where the object is: its size is unknown."""
    return all(isinstance(p, (Point, Scribble)) for p in canvas.spatial(prompts))


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
