"""Looking for words in plane after plane."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_names, check_type, real_number
from ..embeddings import EmbeddingCache, key_of
from ..embeddings.ahead import StorageQuota
from ..errors import InvalidImage, InvalidPrompt, NapariSeemError, StoreTrouble
from ..images import AnyArray, to_rgb
from ..models.base import Capability, Embedding, Instance, Model, Segmentation
from ..models.in_context import InContextModel
from ..models.registry import unable
from ..models.teachable import TeachableModel
from ..progress import Progress, tracked
from ..sources import PlanePixels
from ..sources.frames import Frame
from ..sources.source import OpenPlane, PlaneSource, open_plane
from .finding import (
    SIDE,
    Area,
    BoolArray,
    Finding,
    Picture,
    PlaneFindings,
    frame_of,
    outlined,
)
from .sources import Unreadable, as_sources, plane_ref

LOG = logging.getLogger(__name__)
LONGEST_WORD = 100
IN_MEMORY = 1 << 26
"""Planes of more pixels are labelled in a file that goes away again."""
BLANK = 32
Searcher = Model | InContextModel | TeachableModel
"""A model that can be asked by words, as `load_model` and `with_words` give it."""


Searched = PlaneSource | Unreadable | AnyArray | str | PathLike[str]
"""A plane to be searched, an image or a stack, or the path of one."""


def find(
    model: Searcher, sources: Searched | Iterable[Searched], words: Sequence[str] | str, *,
    least: float = 0.0, cache: EmbeddingCache | None = None,
    progress: bool | Progress | None = None,
) -> Iterator[Finding]:  # fmt: skip
    """Find everything that words name, plane by plane; stop iterating to cancel.

    Parameters
    ----------
    model : Model
    sources : PlaneSource, image or path, or an iterable of them
        From `plane_sources_of_array`, `plane_sources_of_file` or `plane_sources_of_files`; or
        arrays (H, W), (H, W, C) or (Z, H, W), or paths of such images.
    words : str or sequence of str
    least : float
        Least score of a finding, 0..1.
    cache : EmbeddingCache, optional
        Where planes are encoded already, or kept as far as there is room.
    progress : bool or callable, optional
        True for a bar; a callable gets (done, total, what) after every plane, and cancels by an
        exception.

    Yields
    ------
    Finding
        Those of a plane best first.

    Raises
    ------
    UnknownWord, InvalidPrompt, UnsupportedPrompt, InvalidArgument
        At once, before anything is read; see `check_words`.
    InvalidImage
        At the end, if not a single plane could be searched. One that can't be read ends nothing: a
        warning is logged, and the search goes on. `search` yields the reasons.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> image = np.random.default_rng(0).normal(50, 3, (96, 96))
    >>> image[30:50, 30:50] += 100
    >>> all(0 <= one.score <= 1 for one in ns.find(ns.load_model("compact"), image, "nucleus"))
    True
    """
    results = search(model, sources, words, least=least, cache=cache, progress=progress)
    return _findings(results)


def _findings(results: Iterable[PlaneFindings]) -> Iterator[Finding]:
    searched, problem = False, ""
    for result in results:
        if result.problem:
            problem = f"{result.place.title}: {result.problem}"
            LOG.warning("not searched: %s", problem)
            continue
        searched = True
        yield from result.findings
    if problem and not searched:
        raise InvalidImage(f"no plane could be searched; give others ({problem})")


def search(
    model: Searcher, sources: Searched | Iterable[Searched], words: Sequence[str] | str, *,
    least: float = 0.0, cache: EmbeddingCache | None = None,
    may_go_on: Callable[[], bool] = lambda: True, progress: bool | Progress | None = None,
) -> Iterator[PlaneFindings]:  # fmt: skip
    """As `find`, plane by plane; what can't be read is told and ends nothing.

    Parameters
    ----------
    model, sources, words, least, cache, progress
        As for `find`.
    may_go_on : callable
        Asked before every plane, and before every frame of a big one; it may wait. False ends.

    Yields
    ------
    PlaneFindings
        One for each plane.
    """
    wanted = check_words(model, words)
    real_number(least, "least", 0, 1)
    every = as_sources(sources)
    encode = _Encoder(_searcher(model), cache)
    return _searched(encode, tracked(every, progress, "find"), wanted, least, may_go_on)


def _searched(
    encode: _Encoder, sources: Iterable[PlaneSource | Unreadable], words: Sequence[str],
    least: float, may_go_on: Callable[[], bool],
) -> Iterator[PlaneFindings]:  # fmt: skip
    for source in sources:
        if not may_go_on():
            return
        if isinstance(source, Unreadable):
            yield PlaneFindings(source.ref, (), source.problem)
            continue
        findings: tuple[Finding, ...] | None = ()
        problem = ""
        try:
            findings = _on_plane(source, words, least, encode, may_go_on)
        except _Unread as error:
            problem = str(error)
        except (NapariSeemError, OSError, ValueError, MemoryError) as error:
            problem = _message(error)
        if findings is None:
            return
        yield PlaneFindings(plane_ref(source), findings, problem)


class _Unread(Exception):
    """Why a plane's pixels can't be read."""


def _message(error: Exception) -> str:
    return str(error) or type(error).__name__


def check_words(model: Searcher, words: Sequence[str] | str) -> list[str]:
    """Words as a model is to be asked, blanks around them gone.

    Raises
    ------
    UnknownWord
        The model does not know one; the nearest are named.
    InvalidPrompt
        No word, or one that is too long.
    InvalidArgument
        Something else than words, or than a model.
    UnsupportedPrompt
        The model takes no words.
    """
    able = _searcher(model)
    given = as_names(words, "words")
    wanted = [" ".join(word.split()) for word in given if word.strip()]
    if not wanted:
        known = ", ".join(able.vocabulary()[:8])
        raise InvalidPrompt(f"there is no word; type one{f', such as {known}' if known else ''}")
    for word in wanted:
        if len(word) > LONGEST_WORD:
            raise InvalidPrompt(
                f"'{word[:40]}...' has {len(word)} characters; name what to look for in at most "
                f"{LONGEST_WORD}"
            )
    # asked of nothing, a model says at once which word it does not know
    able.segment(able.encode(np.zeros((BLANK, BLANK), np.uint8)), wanted)
    return wanted


def _searcher(model: object) -> Model:
    """Return the model; raise `UnsupportedPrompt` for one that takes no words."""
    if isinstance(model, Model) and Capability.TEXT in model.capabilities:
        return model
    raise unable(model, Capability.TEXT, "take words")


def _on_plane(
    source: PlaneSource, words: Sequence[str], least: float, encode: _Encoder,
    may_go_on: Callable[[], bool],
) -> tuple[Finding, ...] | None:  # fmt: skip
    """What words name on a plane, best first; None where the run was stopped."""
    with tempfile.TemporaryFile(prefix="napari-seem-") as file:
        opened, picture_of = encode.open(source)
        out: Any = None
        if source.is_big and math.prod(source.shape) > IN_MEMORY:
            out = np.memmap(file, np.uint32, "w+", shape=source.shape)
        found = None
        for found in opened.segment(words, out=out):
            if isinstance(found, int) and not may_go_on():
                return None
    assert isinstance(found, Segmentation)
    numbered = enumerate(found.instances, start=1)
    chosen = [(k, one) for k, one in numbered if one.score >= least and one.mask.any()]
    ref = plane_ref(source)
    return tuple(
        Finding.of(
            ref,
            one.label or words[0],
            one.score,
            one.bbox,
            one.mask,
            picture_of(one),
            number,
            opened.content,
        )
        for number, one in sorted(chosen, key=lambda pair: -pair[1].score)
    )


def _small_picture(pixels: npt.NDArray[np.generic]) -> Callable[[Instance], Picture]:
    """What gives pictures of objects on a plane of pixels (H, W) or (H, W, C)."""
    shape = int(pixels.shape[0]), int(pixels.shape[1])
    shown: list[Picture] = []

    def picture_of(one: Instance) -> Picture:
        if not shown:
            shown.append(to_rgb(pixels))
        y0, x0, y1, x1 = frame = frame_of(one.bbox, shape)
        return outlined(shown[0][y0:y1, x0:x1], _within(one.mask, one.bbox, frame))

    return picture_of


def _big_picture(pixels: PlanePixels) -> Callable[[Instance], Picture]:
    """What gives pictures of objects on a big plane, of which only the parts are read."""

    def picture_of(one: Instance) -> Picture:
        area = frame_of(one.bbox, pixels.shape)
        factor = max(1, max(area[2] - area[0], area[3] - area[1]) // (2 * SIDE))
        top, left = area[0] // factor * factor, area[1] // factor * factor
        frame = Frame(factor, top, left, area[2], area[3])
        shown = pixels.appearance.show(pixels.read(frame))
        return outlined(shown, _within(one.mask, one.bbox, frame.area, factor))

    return picture_of


def _within(mask: BoolArray, bbox: Area, frame: Area, step: int = 1) -> BoolArray:
    """Return an object's mask, bool (H, W), in the frame of its picture, at every `step` pixels."""
    y0, x0, y1, x1 = frame
    rows = np.arange(y0 + step // 2, max(y1, y0 + step // 2 + 1), step) - bbox[0]
    cols = np.arange(x0 + step // 2, max(x1, x0 + step // 2 + 1), step) - bbox[1]
    out = np.zeros((len(rows), len(cols)), bool)
    inner_rows = (rows >= 0) & (rows < mask.shape[0])
    inner_cols = (cols >= 0) & (cols < mask.shape[1])
    out[np.ix_(inner_rows, inner_cols)] = mask[np.ix_(rows[inner_rows], cols[inner_cols])]
    return out


class _Encoder:
    """Opens planes: encoded ones from the cache, and kept there while it has room for more.

    Nothing that is in memory goes for them: what a person works on stays ready.
    """

    def __init__(self, model: Model, cache: EmbeddingCache | None) -> None:
        self._model, self._cache = model, cache
        if cache is not None:
            check_type(cache, EmbeddingCache, "cache", "an EmbeddingCache")
        self._quota = None if cache is None else StorageQuota(cache)

    def open(self, source: PlaneSource) -> tuple[OpenPlane, Callable[[Instance], Picture]]:
        """A plane ready to be asked about, and what gives pictures of its objects."""
        if source.is_big:
            pixels = source.pixels()
            return open_plane(self._model, source, pixels=pixels), _big_picture(pixels)
        try:
            plane = source.read()
        except Exception as error:  # readers of damaged files raise anything
            raise _Unread(_message(error)) from error
        embedding, content = self._encoded(plane)
        return OpenPlane(self._model, embedding, source, content), _small_picture(plane)

    def _encoded(self, pixels: npt.NDArray[np.generic]) -> tuple[Embedding, str]:
        """A plane (H, W) or (H, W, C) as the model encodes it, and the name of its content."""
        key, fresh = key_of(self._model, pixels), []
        if self._cache is None:
            return self._model.encode(pixels), key[1]

        def encode() -> Embedding:
            fresh.append(True)
            return self._model.encode(pixels)

        embedding = self._cache.get_or_encode(key, encode, need="ahead")
        if fresh and self._quota is not None:
            try:
                self._quota.check()
                self._quota.fill(key, embedding)
            except StoreTrouble:  # it is full: the search goes on without keeping
                self._quota = None
        return embedding, key[1]
