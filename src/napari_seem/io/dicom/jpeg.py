"""Checks of JPEG streams, because GDCM ends the whole program at some that are damaged."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

FRAMES = {
    "1.2.840.10008.1.2.4.50": (0xC0, 0xC1), "1.2.840.10008.1.2.4.51": (0xC0, 0xC1),
    "1.2.840.10008.1.2.4.57": (0xC3,), "1.2.840.10008.1.2.4.70": (0xC3,),
}  # fmt: skip
"""Transfer syntaxes of JPEG -> the markers of a frame that they allow."""
_PLAIN = {0xC4, 0xDB, 0xDD, 0xDC, 0xFE, *range(0xE0, 0xF0)}
"""Markers of tables, intervals, comments and applications."""
_SCAN, _END, _TABLES, _QUANTA, _ADOBE = 0xDA, 0xD9, 0xC4, 0xDB, 0xEE
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)


def check_jpeg(
    stream: bytes, syntax: str, shape: tuple[int, int, int], bits_allocated: int
) -> None:
    """Raise `ValueError` for a JPEG stream that is not the frame that a DICOM header describes.

    Parameters
    ----------
    stream : bytes
    syntax : str
        A key of `FRAMES`.
    shape : (int, int, int)
        Rows, columns and samples of a pixel.
    bits_allocated : int
        Of a sample in memory.
    """
    components: dict[int, tuple[int, int]] = {}
    scans = 0
    for marker, body in _segments(stream):
        if marker in FRAMES[syntax] and not components:
            components = _frame(body, shape, bits_allocated, marker == 0xC3)
        elif marker == _SCAN and components:
            _check_scan(body, components, 0xC3 in FRAMES[syntax])
            scans += 1
        elif marker == _TABLES:
            _check_tables(body)
        elif marker == _QUANTA:
            _check_quanta(body)
        elif marker == _ADOBE and body.startswith(b"Adobe"):
            if body[11] > 1:  # no transform of colours, or YCbCr
                raise ValueError("its JPEG stream has unknown colours")
        elif marker not in _PLAIN:
            raise ValueError(f"its JPEG stream has an unexpected marker {marker:#x}")
    if not scans:
        raise ValueError("its JPEG stream has no pixels")


def _segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the body of each segment, up to the end of the image."""
    if stream[:2] != b"\xff\xd8":
        raise ValueError("its JPEG stream does not begin as one")
    at = 2
    while (found := _MARKER.match(stream, at)) is not None:
        marker = found[1][0]
        if marker == _END:
            return
        length = int.from_bytes(stream[found.end() : found.end() + 2], "big")
        end = found.end() + length
        if length < 2 or end > len(stream):
            raise ValueError("its JPEG stream is cut")
        yield marker, stream[found.end() + 2 : end]
        at = end
        if marker == _SCAN:
            after = _MARKER.search(stream, end)
            if after is None:
                raise ValueError("its JPEG stream is cut")
            at = after.start()
    raise ValueError("its JPEG stream is damaged between two markers")


def _frame(
    body: bytes, shape: tuple[int, int, int], bits_allocated: int, lossless: bool
) -> dict[int, tuple[int, int]]:
    """Return the components of a frame: id -> sampling factors."""
    bits, rows, columns, count = struct.unpack_from(">BHHB", body)
    if (rows, columns, count) != shape or len(body) != 6 + 3 * count:
        raise ValueError(f"its JPEG stream has {count} samples of {columns} x {rows} pixels")
    if not (2 if lossless else 8) <= bits <= min(16 if lossless else 12, bits_allocated):
        raise ValueError(f"its JPEG stream has {bits} bits a sample")
    found = {}
    for index in range(count):
        number, sampling, table = body[6 + 3 * index : 9 + 3 * index]
        found[number] = (sampling >> 4, sampling & 15)
        if not (1 <= sampling >> 4 <= 4 and 1 <= sampling & 15 <= 4) or table > 3:
            raise ValueError("its JPEG stream samples in an unknown way")
    if len(found) != count:
        raise ValueError("its JPEG stream has two components of one name")
    return found


def _check_scan(body: bytes, components: dict[int, tuple[int, int]], lossless: bool) -> None:
    count = body[0]
    if len(body) != 4 + 2 * count or not 1 <= count <= len(components):
        raise ValueError("its JPEG stream has a damaged scan")
    named = body[1 : 1 + 2 * count : 2]
    tables = body[2 : 2 + 2 * count : 2]
    predictor, last = body[-3:-1]
    fits = not lossless or (1 <= predictor <= 7 and last == 0)
    known = set(named) <= set(components) and len(set(named)) == count
    if not (fits and known and all(one >> 4 < 4 and one & 15 < 4 for one in tables)):
        raise ValueError("its JPEG stream has a damaged scan")


def _check_tables(body: bytes) -> None:
    """Raise `ValueError` for Huffman tables that overflow."""
    while body:
        kind, counts = body[0], body[1:17]
        codes, total = 0, sum(counts)
        for size, count in enumerate(counts, 1):
            codes += count << (16 - size)
        if kind & 0xEC or len(counts) < 16 or total > 256 or codes > 1 << 16:
            raise ValueError("its JPEG stream has damaged tables")
        if len(body) < 17 + total:
            raise ValueError("its JPEG stream has tables that are cut")
        body = body[17 + total :]


def _check_quanta(body: bytes) -> None:
    """Raise `ValueError` for quantisation tables that are cut or unknown."""
    while body:
        size = 65 + 64 * (body[0] >> 4)
        if body[0] & 0xEC or len(body) < size:
            raise ValueError("its JPEG stream has damaged tables")
        body = body[size:]
