"""TIFF, ImageJ and OME-TIFF images in, labels out with the same spacing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from ..errors import FileTrouble
from ..images import AnyArray, ArraySource
from .extras import need
from .grid import Grid, arranged, narrowest
from .guard import GuardedArray, beginning, check_claim, reading
from .opened import FileArray, Opened, check_unchanged, lazy, stamp_of
from .pictures import TURN, coloured, of_cmyk, of_lab, of_palette, turned
from .tiff_notes import Spacing, check_whole, described

LARGE = 1 << 30
"""Files with more bytes of pixels are not read when they are opened."""
ENDINGS = (
    ".tif", ".tiff", ".btf", ".tf8", ".tf2", ".lsm", ".stk", ".svs", ".ndpi", ".scn", ".qptiff",
)  # fmt: skip
"""Endings of TIFF files; others are known by their first bytes."""
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PICTURES = (b"\x89PNG", b"\xff\xd8", b"GIF8", b"BM", b"RIFF")
_BESIDE = ("label", "macro", "thumbnail", "overview", "map", "localization", "focus")
"""Names of images that slide scanners put beside the one that is wanted."""
_ALPHA = (1, 2)
_JPEG = (6, 7, 34892, 33007)
_GUESSED = (
    "its planes are tagged as red, green and blue, as tifffile tags any array of three or four "
    "planes; they are opened as a stack. If they are colours, save the array with metadata="
    "{'axes': 'CYX'}, or with its colours last"
)
_RAW = (32803, 34892, 32844, 32845)
Page = tifffile.TiffPage
Series = tifffile.TiffPageSeries


def is_tiff(path: Path) -> bool:
    """Return whether a file is a TIFF, by its first bytes or its name."""
    head = beginning(path, 4)
    named = path.name.lower().endswith(ENDINGS) and not head.startswith(_PICTURES)
    return head in _MAGIC or named


def open_tiff(path: Path, series: str | None = None, as_stored: bool = False) -> Opened:
    """Open an image of a TIFF, with the spacing that OME, ImageJ, LSM or TIFF itself states.

    Axes of length one are dropped but for rows and columns; the others come in the order t, z, y,
    x, and channels stay where they are among them. Pixels are as people see them: white is high,
    palettes and CMYK are colours, and a plain TIFF is turned as its orientation says. Large files
    are read part by part, compressed ones by the extra `zarr`.

    Parameters
    ----------
    path : Path
    series : str, optional
        The number of one of several images, as `series_of` gives them; by default the largest.
    as_stored : bool
        Leave palettes, inverted values and the orientation as the file holds them.

    Raises
    ------
    FileTrouble
        No TIFF, a damaged one, or one of a set that is not complete.
    MissingPackage
        The compression needs imagecodecs.
    """
    with _file(path) as file:
        number = _chosen(path, file.series, series)
        one = file.series[number]
        page, (letters, kept) = one.keyframe, _letters(one)
        _refuse_values(path, one)
        levels = [_pixels(path, level, kept) for level in one.levels]
        spacing, names = described(file, one, number)
        warnings = check_whole(path, file, one)
        warnings += _others(file.series, number) if series is None else []
        if "S" in letters and _guessed(page):
            letters = letters.replace("S", "Q" if "Z" in letters else "Z")
            warnings.append(_GUESSED)
        plain = not (file.is_ome or file.is_imagej or file.is_lsm or file.is_stk)
        turn = int(page.tags.valueof("Orientation", 1)) if plain and not as_stored else 1
        if not as_stored:
            levels, letters = _as_seen(levels, letters, page, plain)
    levels, letters = _in_order(levels, letters)
    about: dict[str, Any] = {"warning": "; ".join(warnings)} if warnings else {}
    if turn in range(2, 9):
        levels, about[TURN] = [turned(_part(one), turn, letters.index("Y")) for one in levels], turn
        if turn >= 5:
            swapped = {new: spacing[old] for new, old in ("xy", "yx") if old in spacing}
            spacing = {**spacing, **swapped}
    return _opened(path, levels, letters, spacing, names or _colours(letters, page), about)


def _opened(
    path: Path, levels: Sequence[ArraySource], letters: str, spacing: Spacing,
    names: Sequence[str], about: Mapping[str, object],
) -> Opened:  # fmt: skip
    """Put pixels, whose axes the letters name, such as (Z, Y, X, S), onto their grid."""
    colour = [i for i, letter in enumerate(letters) if letter in "SC"]
    if len(colour) > 1:
        raise FileTrouble(f"'{path}' has channels of colours ({letters}); save it with one of them")
    axes = tuple(letter.lower() for letter in letters if letter not in "SC")
    shape = [n for i, n in enumerate(levels[0].shape) if i not in colour]
    sizes = [spacing.get(letter, (1.0, "pixel")) for letter in axes]
    grid = Grid.scaled(
        shape, _world_names(axes), [size for size, _ in sizes], units=[unit for _, unit in sizes],
        file_format="tiff",
    )  # fmt: skip
    channel = colour[0] if colour else None
    count = 0 if channel is None else levels[0].shape[channel]
    return Opened(_stem(path), tuple(levels), grid, channel, tuple(names)[:count], about)


def series_of(path: Path) -> dict[str, str]:
    """Return the images of a TIFF that a person may want: number as text -> description."""
    with _file(path) as file:
        wanted = [n for n, one in enumerate(file.series) if not _is_beside(one)]
        return {str(n): _description(n, file.series[n]) for n in wanted}


def write_tiff(path: Path, labels: npt.NDArray[np.integer], grid: Grid, flavour: str) -> None:
    """Write labels; 16-bit where their ids allow.

    Parameters
    ----------
    path : Path
        Written as it is named.
    labels : integer array (y, x), (z, y, x) or (t, z, y, x)
        On the grid.
    grid : Grid
    flavour : str
        "ome", "imagej" (8- and 16-bit only, else plain) or "plain".
    """
    values, grid = arranged(narrowest(labels, least=16), grid)
    sizes = dict(zip(grid.axes, zip(grid.spacing, grid.units, strict=True), strict=True))
    options: dict[str, Any] = {"compression": "zlib"}
    known = set(grid.axes) <= set("tzyx") and len(set(grid.axes)) == grid.ndim
    if flavour == "ome" and known:
        options |= {"ome": True, "metadata": _ome(grid, sizes)}
    elif flavour == "imagej" and known and values.dtype == np.uint16:
        options |= {"imagej": True, "metadata": _imagej(grid, sizes)}
    else:
        options |= {"metadata": {"axes": "".join(grid.axes).upper()} if known else {}}
    if flavour != "ome" and {"x", "y"} <= set(sizes) and sizes["x"][1] != "pixel":
        options |= _resolution(sizes)
    if values.nbytes > LARGE:
        options |= {"bigtiff": not options.get("imagej", False)}
    tifffile.imwrite(path, values, **options)


@contextmanager
def _file(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF to be read; a compression that can't be is refused by its name."""
    with reading(path, "as TIFF"):
        try:
            with tifffile.TiffFile(path) as file:
                yield file
        except (ValueError, KeyError, RuntimeError, ImportError) as error:
            if "imagecodecs" not in str(error) and not isinstance(error, ImportError):
                raise
            need("imagecodecs")
            raise FileTrouble(
                f"'{path}' is compressed in a way that can't be read here ({error}); save it with "
                "LZW or deflate"
            ) from error


def _chosen(path: Path, listed: Sequence[Series], wanted: str | None) -> int:
    """Return the number of the wanted image of a file, or that of its largest."""
    if not listed:
        raise FileTrouble(f"'{path}' holds no image; copy it again from where it came")
    if wanted is None:
        return max(range(len(listed)), key=lambda number: listed[number].size)
    if wanted.isdecimal() and int(wanted) < len(listed):
        return int(wanted)
    found = [number for number, one in enumerate(listed) if one.name == wanted]
    if len(found) == 1:
        return found[0]
    every = "; ".join(_description(n, one) for n, one in enumerate(listed))
    raise FileTrouble(f"'{path}' has no image '{wanted}'; it has {every}")


def _others(listed: Sequence[Series], number: int) -> list[str]:
    """Say which image was opened where a file holds several that a person may want."""
    if all(n == number or _is_beside(one) for n, one in enumerate(listed)):
        return []
    every = "; ".join(_description(n, one) for n, one in enumerate(listed[:8]))
    more = ", ..." if len(listed) > 8 else ""
    return [f"the file holds {len(listed)} images ({every}{more}), of which {number} is opened"]


def _is_beside(one: Series) -> bool:
    """Return whether an image is a label or a small copy beside the one that is wanted."""
    return one.name.lower() in _BESIDE or bool(one.keyframe.is_reduced)


def _description(number: int, one: Series) -> str:
    sizes = " x ".join(map(str, one.get_shape(True)))
    return f"{number}: {one.name} {sizes}".replace("  ", " ")


def _letters(one: Series) -> tuple[str, list[int]]:
    """Return a letter for every axis that is kept, and the axes that are."""
    axes, shape = one.get_axes(False), one.get_shape(False)
    kept = [i for i, (a, n) in enumerate(zip(axes, shape, strict=True)) if n > 1 or a in "YX"]
    letters = "".join(axes[i] for i in kept)
    unnamed = [letter for letter in letters if letter in "QI"]
    if len(unnamed) == 1 and "Z" not in letters:
        letters = letters.replace(unnamed[0], "Z")
    return letters, kept


def _pixels(path: Path, level: Series, kept: Sequence[int]) -> ArraySource:
    """Read the kept axes of an image, or make them ready to be read where they are large."""
    shape = level.get_shape(False)
    small = tuple(shape[i] for i in kept)
    check_claim(path, level.nbytes, kept=level.nbytes <= LARGE)
    check_claim(path, prod(level.keyframe.chunks) * level.dtype.itemsize, kept=False)
    if level.nbytes <= LARGE:
        return level.asarray(squeeze=False).reshape(small)
    offset = None if level.is_multifile else level.dataoffset
    if offset is not None and level.dtype.kind != "b":
        dtype = level.dtype.newbyteorder(level.keyframe.parent.byteorder)
        if offset + level.nbytes > path.stat().st_size:
            raise FileTrouble(f"'{path}' was cut off; copy it again from where it came")
        return FileArray(path, dtype, small, offset)
    need("zarr")
    import zarr

    # a file that stays open between two parts could not be replaced on Windows
    stored: Any = zarr.open_array(level.aszarr(squeeze=False, _openfiles=0), mode="r")
    whole = lazy(_Chunks(stored, path))
    return whole[tuple(slice(None) if i in kept else 0 for i in range(whole.ndim))]


class _Chunks(GuardedArray):
    """The chunks of a TIFF, which is opened for each; `FileTrouble` where it is another by then."""

    def __init__(self, array: ArraySource, path: Path) -> None:
        super().__init__(array, path)
        self._stamp = stamp_of(path)

    def __getitem__(self, index: object) -> AnyArray:
        """Read a part."""
        with reading(self._path, remedy="open it again"):
            check_unchanged(self._path, self._stamp)
        return super().__getitem__(index)


def _refuse_values(path: Path, one: Series) -> None:
    """Raise `FileTrouble` for pixels that are no intensities or colours."""
    page = one.keyframe
    if one.dtype is None or one.dtype.kind not in "buif":
        raise FileTrouble(
            f"'{path}' holds values of type {one.dtype}, which can't be shown; save real numbers, "
            "such as the magnitude of complex ones"
        )
    if page.photometric in _RAW:
        raise FileTrouble(f"'{path}' is a camera's raw image; develop it to an ordinary TIFF")
    if page.photometric == 6 and page.compression not in _JPEG:
        raise FileTrouble(f"'{path}' holds YCbCr without JPEG; save it as RGB")


def _guessed(page: Page) -> bool:
    """Return whether tifffile called the first axis of an array colours by its length alone."""
    text = page.description.lstrip()
    shaped = text.startswith(('{"shape"', "shape=")) and "axes" not in text
    return shaped and page.photometric == 2 and page.planarconfig == 2


def _as_seen(
    levels: list[ArraySource], letters: str, page: Page, plain: bool
) -> tuple[list[ArraySource], str]:
    """Bring values and colours to what people see, and leave out alpha where it is no RGBA.

    Colours come last, as in (Z, Y, X, S).
    """
    kind, eight = page.photometric, levels[0].dtype == np.uint8
    alpha = [extra in _ALPHA for extra in page.extrasamples or ()]
    if "S" in letters and (kind in (2, 5, 6, 8) or any(alpha)):
        last = letters.index("S")
        order = [*(axis for axis in range(len(letters)) if axis != last), last]
        levels = [level.transpose(order) for level in levels]  # type: ignore[attr-defined]
        letters = letters.replace("S", "") + "S"
    # a mask that tifffile wrote is tagged as inverted, and is not
    mask = levels[0].dtype == bool
    if kind == 0 and levels[0].dtype.kind in "bu" and not (mask and page.is_shaped):
        top = True if mask else (1 << page.bitspersample) - 1
        levels = [np.bitwise_xor(_part(level), levels[0].dtype.type(top)) for level in levels]
    elif kind == 3 and plain and page.colormap is not None and "S" not in letters:
        levels = [coloured(level, of_palette(page.colormap), more=True) for level in levels]
        return levels, letters + "S"
    elif kind == 5 and levels[0].dtype in (np.uint8, np.uint16) and letters.endswith("S"):
        return [coloured(level, of_cmyk) for level in levels], letters
    elif kind == 8 and eight and letters.endswith("S"):
        return [coloured(level, of_lab) for level in levels], letters
    if any(alpha) and letters.endswith("S"):
        count = levels[0].shape[-1]
        rest = [i for i in range(count) if not (count - i <= len(alpha) and alpha[i - count])]
        if len(rest) == 1:
            return [_part(level)[..., rest[0]] for level in levels], letters[:-1]
        if not (eight and count == 4):
            return [_part(level)[..., rest] for level in levels], letters
    return levels, letters


def _in_order(levels: list[ArraySource], letters: str) -> tuple[list[ArraySource], str]:
    """Bring the axes into the order (t, others, z, y, x); channels keep their place."""
    slots = [axis for axis, letter in enumerate(letters) if letter not in "SC"]
    ranks = {"T": 0, "Z": 2, "Y": 3, "X": 4}
    order = list(range(len(letters)))
    ranked = sorted(slots, key=lambda axis: ranks.get(letters[axis], 1))
    for slot, axis in zip(slots, ranked, strict=True):
        order[slot] = axis
    if order == sorted(order):
        return levels, letters
    turned_levels = [level.transpose(order) for level in levels]  # type: ignore[attr-defined]
    return turned_levels, "".join(letters[axis] for axis in order)


def _part(data: ArraySource) -> Any:
    """Return an array of any shape in memory as it is, and any other as a dask array."""
    return data if isinstance(data, np.ndarray) else lazy(data)


def _colours(letters: str, page: Page) -> tuple[str, ...]:
    """Name the samples of an image of colours; one that is not said to be alpha may be infrared."""
    if "S" not in letters or page.photometric != 2:
        return ()
    extra = page.extrasamples or _ALPHA[:1]
    names = ["alpha" if kind in _ALPHA else f"band {n}" for n, kind in enumerate(extra, 4)]
    return ("red", "green", "blue", *names)


def _world_names(axes: tuple[str, ...]) -> tuple[str, ...]:
    """Return axis names that differ from each other."""
    return tuple(
        name if axes.count(name) == 1 and name in "tzyx" else f"axis{i}"
        for i, name in enumerate(axes)
    )


def _ome(grid: Grid, sizes: dict[str, tuple[float, str]]) -> dict[str, object]:
    about: dict[str, object] = {"axes": "".join(grid.axes).upper()}
    for letter in "xyz":
        if letter in sizes and sizes[letter][1] != "pixel":
            size, unit = sizes[letter]
            about[f"PhysicalSize{letter.upper()}"] = size
            about[f"PhysicalSize{letter.upper()}Unit"] = "µm" if unit == "um" else unit
    if "t" in sizes and sizes["t"][1] != "pixel":
        about["TimeIncrement"], about["TimeIncrementUnit"] = sizes["t"]
    return about


def _imagej(grid: Grid, sizes: dict[str, tuple[float, str]]) -> dict[str, object]:
    about: dict[str, object] = {"axes": "".join(grid.axes).upper()}
    if sizes.get("x", (1.0, "pixel"))[1] != "pixel":
        about["unit"] = sizes["x"][1]
        if "z" in sizes:
            about["spacing"] = sizes["z"][0]
    if sizes.get("t", (1.0, "pixel"))[1] != "pixel":
        about["finterval"] = sizes["t"][0]
    return about


def _resolution(sizes: dict[str, tuple[float, str]]) -> dict[str, object]:
    unit = sizes["x"][1]
    code = {"inch": 2, "cm": 3}.get(unit, 1)
    return {"resolution": (1 / sizes["x"][0], 1 / sizes["y"][0]), "resolutionunit": code}


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".ome.tiff", ".ome.tif", ".tiff", ".tif"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem
