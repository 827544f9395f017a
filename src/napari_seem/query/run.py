"""Looking for a word in plane after plane."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..embeddings import EmbeddingCache, key_of
from ..embeddings.ahead import StorageQuota
from ..errors import InvalidImage, InvalidPrompt, NapariSeemError, StoreTrouble, UnsupportedPrompt
from ..images import to_rgb
from ..models.base import Capability, Embedding, Model
from ..sources import PlanePixels, PlaneRun
from ..sources.frames import Frame
from .finding import SIDE, Area, BoolArray, Finding, PlaneFindings, PlaneRef, frame_of, outlined
from .sources import PlaneSource

if TYPE_CHECKING:
    from ..sources import FoundObject

LONGEST_WORD = 100
IN_MEMORY = 1 << 26
"""Planes of more pixels are labelled in a file that goes away again."""
BLANK = 32


def find(
    model: Model, sources: Iterable[PlaneSource], words: Sequence[str] | str, *, least: float = 0.0,
    cache: EmbeddingCache | None = None,
) -> Iterator[Finding]:  # fmt: skip
    """Find everything that words name, plane by plane; stop iterating to cancel.

    Parameters
    ----------
    model : Model
    sources : iterable of PlaneSource
        From `plane_sources_of_array`, `plane_sources_of_file` or `plane_sources_of_files`.
    words : str or sequence of str
    least : float
        Least score of a finding.
    cache : EmbeddingCache, optional
        Where planes are encoded already, or kept as far as there is room.

    Yields
    ------
    Finding
        Those of a plane best first.

    Raises
    ------
    UnknownWord, InvalidPrompt, UnsupportedPrompt
        Before anything is read; see `check_words`.
    InvalidImage
        A plane that can't be read or shown to a model; `search` goes on instead.
    """
    for seen in search(model, sources, words, least=least, cache=cache):
        if seen.problem:
            raise InvalidImage(f"{seen.place.title}: {seen.problem}")
        yield from seen.findings


def search(
    model: Model, sources: Iterable[PlaneSource], words: Sequence[str] | str, *, least: float = 0.0,
    cache: EmbeddingCache | None = None, may_go_on: Callable[[], bool] = lambda: True,
) -> Iterator[PlaneFindings]:  # fmt: skip
    """As `find`, plane by plane; what can't be read is told and ends nothing.

    Parameters
    ----------
    model, sources, words, least, cache
        As for `find`.
    may_go_on : callable
        Asked before every plane, and before every frame of a big one; it may wait. False ends.

    Yields
    ------
    PlaneFindings
        One for each plane.
    """
    wanted = check_words(model, words)
    kept = _Kept(cache)

    def search_plane(place: PlaneRef, pixels: Any) -> tuple[Finding, ...] | None:
        if isinstance(pixels, PlanePixels):
            return _on_big(model, place, pixels, wanted, least, may_go_on)
        return _on_plane(model, place, pixels, wanted, least, kept)

    for source in sources:
        if not may_go_on():
            return
        pixels, problem = _read(source)
        findings: tuple[Finding, ...] | None = ()
        if not problem:
            try:
                findings = search_plane(source.place, pixels)
            except (NapariSeemError, OSError, ValueError, MemoryError) as error:
                problem = _message(error)
        if findings is None:
            return
        yield PlaneFindings(source.place, findings, problem)


def _read(source: PlaneSource) -> tuple[Any, str]:
    """A plane's pixels, or why there are none."""
    try:
        return source.read(), ""
    except Exception as error:  # noqa: BLE001  (readers of damaged files raise anything)
        return None, _message(error)


def _message(error: Exception) -> str:
    return str(error) or type(error).__name__


def check_words(model: Model, words: Sequence[str] | str) -> list[str]:
    """Words as a model is to be asked, blanks around them gone.

    Raises
    ------
    UnknownWord
        The model does not know one; the nearest are named.
    InvalidPrompt
        No word, or one that is too long.
    UnsupportedPrompt
        The model takes no words.
    """
    given = [words] if isinstance(words, str) else list(words)
    wanted = [" ".join(word.split()) for word in given if word.strip()]
    if not wanted:
        known = ", ".join(model.vocabulary()[:8])
        raise InvalidPrompt(f"type a word to look for{f', such as {known}' if known else ''}")
    for word in wanted:
        if len(word) > LONGEST_WORD:
            raise InvalidPrompt(
                f"'{word[:40]}...' has {len(word)} characters; name what to look for in at most "
                f"{LONGEST_WORD}"
            )
    if Capability.TEXT not in model.capabilities:
        from ..models.registry import able_models

        able = ", ".join(able_models(Capability.TEXT))
        raise UnsupportedPrompt(f"model '{model.name}' takes no words; choose one of: {able}")
    # asked of nothing, a model says at once which word it does not know
    model.segment(model.encode(np.zeros((BLANK, BLANK), np.uint8)), wanted)
    return wanted


def _on_plane(
    model: Model, place: PlaneRef, pixels: npt.NDArray[Any], words: Sequence[str], least: float,
    kept: _Kept,
) -> tuple[Finding, ...]:  # fmt: skip
    embedding, content = kept.encoded(model, pixels)
    instances = enumerate(model.segment(embedding, words).instances, start=1)
    chosen = [(k, one) for k, one in instances if one.score >= least and one.mask.any()]
    if not chosen:
        return ()
    shown, shape = to_rgb(pixels), (int(pixels.shape[0]), int(pixels.shape[1]))
    found = []
    for number, one in sorted(chosen, key=lambda pair: -pair[1].score):
        frame = frame_of(one.bbox, shape)
        part = shown[frame[0] : frame[2], frame[1] : frame[3]]
        picture = outlined(part, _within(one.mask, one.bbox, frame))
        word = one.label or words[0]
        found.append(
            Finding.of(place, word, one.score, one.bbox, one.mask, picture, number, content)
        )
    return tuple(found)


def _on_big(
    model: Model, place: PlaneRef, pixels: PlanePixels, words: Sequence[str], least: float,
    may_go_on: Callable[[], bool],
) -> tuple[Finding, ...] | None:  # fmt: skip
    """What a big plane holds; None where the run was stopped."""
    height, width = pixels.shape
    with tempfile.TemporaryFile(prefix="napari-seem-") as file:
        out: Any = None
        if height * width > IN_MEMORY:
            out = np.memmap(file, np.uint32, "w+", shape=pixels.shape)
        work = PlaneRun(model, pixels, words, out=out)
        for _ in work.run():
            if not may_go_on():
                return None
        best = sorted(work.objects, key=lambda one: (-one.score, one.label_id))
        return tuple(
            _of_big(place, pixels, work.labels, one, words[0], number)
            for number, one in enumerate(best, start=1)
            if one.score >= least
        )


def _of_big(
    place: PlaneRef, pixels: PlanePixels, labels: Any, one: FoundObject, word: str, number: int
) -> Finding:
    y0, x0, y1, x1 = one.bbox
    mask = np.asarray(labels[y0:y1, x0:x1]) == one.label_id
    area = frame_of(one.bbox, pixels.shape)
    factor = max(1, max(area[2] - area[0], area[3] - area[1]) // (2 * SIDE))
    top, left = area[0] // factor * factor, area[1] // factor * factor
    frame = Frame(factor, top, left, area[2], area[3])
    shown = pixels.appearance.show(pixels.read(frame))
    picture = outlined(shown, _within(mask, one.bbox, frame.area, factor))
    return Finding.of(place, one.name or word, one.score, one.bbox, mask, picture, number)


def _within(mask: BoolArray, bbox: Area, frame: Area, step: int = 1) -> BoolArray:
    """A mask within the frame of its picture, taking every so many pixels."""
    y0, x0, y1, x1 = frame
    rows = np.arange(y0 + step // 2, max(y1, y0 + step // 2 + 1), step) - bbox[0]
    cols = np.arange(x0 + step // 2, max(x1, x0 + step // 2 + 1), step) - bbox[1]
    out = np.zeros((len(rows), len(cols)), bool)
    inner_rows = (rows >= 0) & (rows < mask.shape[0])
    inner_cols = (cols >= 0) & (cols < mask.shape[1])
    out[np.ix_(inner_rows, inner_cols)] = mask[np.ix_(rows[inner_rows], cols[inner_cols])]
    return out


class _Kept:
    """Encoded planes: taken from the cache, and kept there while it has room for more.

    Nothing that is in memory goes for them: what a person works on stays ready.
    """

    def __init__(self, cache: EmbeddingCache | None) -> None:
        self._cache = cache
        self._room = None if cache is None else StorageQuota(cache)

    def encoded(self, model: Model, pixels: npt.NDArray[Any]) -> tuple[Embedding, str]:
        """A plane as the model encodes it, and the name of its content."""
        key, fresh = key_of(model, pixels), []
        if self._cache is None:
            return model.encode(pixels), key[1]

        def encode() -> Embedding:
            fresh.append(True)
            return model.encode(pixels)

        embedding = self._cache.get_or_encode(key, encode, ahead=True)
        if fresh and self._room is not None:
            try:
                self._room.check()
                self._room.fill(key, embedding)
            except StoreTrouble:  # it is full: the search goes on without keeping
                self._room = None
        return embedding, key[1]
