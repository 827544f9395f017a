"""Pixels of DICOM frames: decoded one at a time, rescaled, and inverted where films are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import FileTrouble, MissingPackage
from ...images import AnyArray
from ..extras import need
from ..guard import BoundedFile, check_claim, reading
from .decoders import PACKAGES, add_decoders, plugin_for
from .frames import DicomFrame
from .headers import DEFLATED, number, read_dataset

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

LARGE = 1 << 30
"""Images of more bytes are read when their pixels are needed."""
CUT = "it is damaged or cut: copy it again"


def is_inverted(header: Dataset) -> bool:
    """Return whether the smallest values of an image are to be shown white."""
    return str(header.get("PhotometricInterpretation", "")).strip() == "MONOCHROME1"


def read_pixels(frames: Sequence[DicomFrame], inverted: bool = False) -> AnyArray:
    """Decode frames, each once: integers where the rescaling leaves them so.

    Parameters
    ----------
    frames : sequence of DicomFrame
        In the order wanted, of one size.
    inverted : bool
        Whether stored values are turned round, so that what was the largest is 0.

    Returns
    -------
    array (frame, y, x), or (frame, y, x, 3) of colours
        numpy, or dask where there are more than `LARGE` bytes.

    Raises
    ------
    FileTrouble
        A damaged file.
    MissingPackage
        A compression needs a package that is not installed.
    """
    add_decoders()
    wanted: dict[Path, list[int]] = {}
    for place, frame in enumerate(frames):
        wanted.setdefault(frame.file, []).append(place)
    header = frames[0].header
    size = number(header, "BitsAllocated", frames[0].file) or 16.0
    samples = number(header, "SamplesPerPixel", frames[0].file) or 1.0
    each = int(header.Rows * header.Columns * samples * size) // 8
    lazily = each * len(frames) > LARGE and len(frames) > 1
    for file, places in wanted.items():
        check_claim(file, each * len(places), kept=not lazily)
    if lazily:
        return _lazy(frames, inverted)
    whole = all(value.is_integer() for frame in frames for value in frame.scale)
    plain = not inverted and {frame.scale for frame in frames} == {(1.0, 0.0)}
    out: AnyArray | None = None
    for places in wanted.values():
        places.sort(key=lambda place: frames[place].index)
        for place, raw in zip(places, decode([frames[at] for at in places]), strict=True):
            values = raw if plain else _rescaled(raw, frames[place], inverted, whole)
            if out is None:
                out = np.empty((len(frames), *values.shape), _kind(values, plain))
            elif out.shape[1:] != values.shape:
                raise FileTrouble(
                    f"'{frames[place].file}' has pixels of shape {values.shape}, the others "
                    f"{out.shape[1:]}; keep those of one scan"
                )
            out = _widened(out, values)
            out[place] = values
    assert out is not None
    return out


def _kind(values: AnyArray, plain: bool) -> np.dtype[np.generic]:
    """Return the type of the whole array, by its first frame (y, x) or (y, x, 3)."""
    if plain:
        return values.dtype.newbyteorder("=")
    narrow = values.dtype.kind == "i" and abs(values).max(initial=0) < 2**14
    return np.dtype(np.int16) if narrow else values.dtype


def _widened(out: AnyArray, values: AnyArray) -> AnyArray:
    """Return an array (frame, y, x), or (frame, y, x, 3), that holds the values of one more frame.

    Those in int32 mostly fit int16.
    """
    fits = out.dtype == np.int16 and values.dtype == np.int32
    if fits and abs(values).max(initial=0) < 2**15:
        return out
    return out.astype(np.result_type(out, values), copy=False)


def _rescaled(raw: AnyArray, frame: DicomFrame, inverted: bool, whole: bool) -> AnyArray:
    """Rescale a frame (y, x), or (y, x, 3), of stored values."""
    slope, offset = frame.scale
    values = raw.astype(np.float64)
    if inverted:
        values = sum(_ends(frame.header)) - values
    values = values * slope + offset
    return values.astype(np.int32 if whole and abs(values).max(initial=0) < 2**31 else np.float32)


def _ends(header: Dataset) -> tuple[int, int]:
    """Return the smallest and the largest value that can be stored."""
    bits = int(number(header, "BitsStored", header.filename) or 8)
    half = 2 ** (bits - 1) if header.get("PixelRepresentation") == 1 else 0
    return -half, 2**bits - 1 - half


def window_of(frame: DicomFrame, inverted: bool = False) -> tuple[float, float] | None:
    """Return the first intensity window that a file names, as its ends."""
    item, shared = frame.header, frame.header.get("SharedFunctionalGroupsSequence")
    groups = frame.header.get("PerFrameFunctionalGroupsSequence")
    for one in (*(groups[frame.index : frame.index + 1] if groups else ()), *(shared or ())):
        if one.get("FrameVOILUTSequence"):
            item = one.FrameVOILUTSequence[0]
            break
    centre, width = item.get("WindowCenter"), item.get("WindowWidth")
    try:
        middle, wide = (float(np.ravel(np.asarray(one, float))[0]) for one in (centre, width))
    except (TypeError, ValueError, IndexError):  # none, or no numbers
        return None
    if not wide > 1:
        return None
    low, high = middle - wide / 2, middle + wide / 2
    if inverted:
        total = sum(_ends(frame.header)) * frame.scale[0] + 2 * frame.scale[1]
        low, high = total - high, total - low
    return low, high


def decode(frames: Sequence[DicomFrame]) -> Iterator[AnyArray]:
    """Decode frames of one file, in the order of the file: (y, x), or (y, x, 3) in RGB.

    Raises
    ------
    FileTrouble
        A damaged file, or a compression that is not known here.
    MissingPackage
        Its compression needs a package that is not installed.
    """
    header, file = frames[0].header, frames[0].file
    _check_decoder(header, file)
    palette = str(header.get("PhotometricInterpretation", "")).strip() == "PALETTE COLOR"
    done = 0
    with reading(file, "in its pixels", remedy=CUT), BoundedFile(file) as stream:
        for raw in _decoded(header, stream, [frame.index for frame in frames]):
            done += 1
            yield _coloured(raw, header) if palette else raw
    if done < len(frames):
        raise FileTrouble(f"'{file}' ends after {done} of its {len(frames)} frames; copy it again")


def _decoded(header: Dataset, stream: BoundedFile, indices: list[int]) -> Iterator[AnyArray]:
    """Decode frames of a file as its transfer syntax needs it."""
    syntax, file = _syntax(header), Path(str(header.filename))
    coded = bool(syntax and syntax.is_encapsulated)
    if header.get("BitsAllocated") == 1 and not coded:
        yield from _bits(header, file, indices)
        return
    alone = syntax and not coded and syntax.encode() != DEFLATED
    every = len(indices) == header.get("NumberOfFrames") == indices[-1] + 1
    try:
        yield from need("pydicom.pixels").iter_pixels(
            stream if alone else _whole(file), indices=None if every else indices,
            decoding_plugin=plugin_for(str(syntax), header.get("BitsStored")),
        )  # fmt: skip
    except RuntimeError as error:  # what each plugin said, a line each
        raise ValueError(str(error).splitlines()[-1].partition(": ")[2] or str(error)) from error


def _bits(header: Dataset, file: Path, indices: Sequence[int]) -> Iterator[AnyArray]:
    """Read frames (y, x) of one bit a pixel, which need not begin at a whole byte."""
    whole = read_dataset(file, force=True)
    data = np.frombuffer(whole.PixelData, np.uint8)
    if not whole.original_encoding[1] and whole["PixelData"].VR == "OW":  # big-endian
        data = data[: data.size // 2 * 2].view(">u2").astype("<u2").view(np.uint8)
    size = header.Rows * header.Columns
    for index in indices:
        start, end = index * size, (index + 1) * size
        bits = np.unpackbits(data[start // 8 : -(-end // 8)], bitorder="little")
        yield bits[start % 8 : start % 8 + size].reshape(header.Rows, header.Columns)


def _syntax(header: Dataset) -> UID | None:
    """Return the transfer syntax of a file, or None where it does not say it."""
    meta = getattr(header, "file_meta", None) or {}
    return meta.get("TransferSyntaxUID") or None


def _whole(file: Path) -> Dataset:
    """Read a file whole: compressed, or of no stated transfer syntax."""
    whole = read_dataset(file, force=True)
    if not _syntax(whole):
        uid, (implicit, little) = need("pydicom.uid"), whole.original_encoding
        explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
        if getattr(whole, "file_meta", None) is None:
            whole.file_meta = need("pydicom.dataset").FileMetaDataset()
        whole.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    return whole


def _check_decoder(header: Dataset, file: Path) -> None:
    """Raise an error that names the package, or the way out, where nothing decodes a file."""
    syntax = _syntax(header)
    if not syntax:
        return
    try:
        decoder = need("pydicom.pixels").get_decoder(syntax)
    except NotImplementedError as error:
        raise FileTrouble(
            f"'{file}' is compressed as {syntax.name}, which isn't read here; decompress it first "
            "(dcmconv or gdcmconv --raw; films: ffmpeg)"
        ) from error
    if not decoder.is_available:
        package, extra = PACKAGES.get(str(syntax), PACKAGES[""])
        raise MissingPackage(
            f"'{file}' is compressed as {syntax.name}, which needs the package {package}; install "
            f'it with pip install "napari-seem[{extra}]"'
        )


def _coloured(raw: AnyArray, header: Dataset) -> AnyArray:
    """Look up the colours (y, x, 3), 8-bit, of indices (y, x) into a palette."""
    colours = np.asarray(need("pydicom.pixels").apply_color_lut(raw, header))
    return colours if colours.dtype == np.uint8 else (colours >> 8).astype(np.uint8)


def _lazy(frames: Sequence[DicomFrame], inverted: bool) -> AnyArray:
    """Return a dask array of frames, a block each, that are decoded when they are needed."""
    import dask
    import dask.array

    first = read_pixels(frames[:1], inverted)
    ends = np.array([_ends(frame.header) for frame in frames], float)
    scales = np.array([frame.scale for frame in frames])
    values = ends * scales[:, :1] + scales[:, 1:]
    kind: np.dtype[np.generic] = first.dtype
    if kind.kind == "i":
        kind = np.dtype(np.int16 if abs(values).max() < 2**15 else np.int32)

    def block(frame: DicomFrame) -> AnyArray:
        return read_pixels([frame], inverted).astype(kind, copy=False)

    blocks = [
        dask.array.from_delayed(dask.delayed(block)(frame), first.shape, kind) for frame in frames
    ]
    return dask.array.concatenate(blocks)  # type: ignore[no-any-return]
