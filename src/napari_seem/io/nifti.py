"""NIfTI images in, NIfTI labels out, on the same grid: affine, qform, sform and units are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import FileTrouble, InvalidLabels
from ..images import AnyArray
from .extras import need
from .grid import FloatArray, Grid, arranged, narrowest
from .guard import beginning, check_claim, reading
from .opened import FileArray, Opened

LARGE = 1 << 28
"""Pixels of more bytes are not read when they are opened, unless they are packed or rescaled."""
SUFFIXES = (".nii", ".nii.gz")
LABEL_INTENT = 1002
PAIRS = (".hdr", ".img")
"""Endings of the two files of an Analyze image, or of a NIfTI image with its header apart."""
_TIME = {"sec": "s", "msec": "ms", "usec": "us", "hz": "Hz"}
_SPACE = {"mm": "mm", "meter": "m", "micron": "um"}
_METRES = {
    "m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "angstrom": 1e-10, "inch": 0.0254,
    "in": 0.0254,
}  # fmt: skip
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
SEPARATE = 0.1
"""Forms that part by more than this share of a voxel say different places."""
FLAT = 1e-4
"""Directions of voxel axes whose smallest singular value is below this lie in one plane."""


class NiftiImage(Protocol):
    """What is used of an image of nibabel."""

    dataobj: Any
    header: Any
    affine: FloatArray | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, (x, y, z, t)."""

    def get_fdata(self, *, dtype: npt.DTypeLike) -> FloatArray:
        """The pixels as their header rescales them."""


def open_nifti(path: Path) -> Opened:
    """Open a NIfTI or Analyze image of space and time, with colours or vectors as channels.

    Arrays have the file's axes in reverse order, (t, z, y, x), then the channels, and the file's
    pixel order; axes of length one beyond the third are left out. The world is (inferior,
    posterior, left), so that axial, coronal and sagittal planes are shown as radiologists expect
    them. The place is that of the sform, else of the qform, else of the voxel sizes alone; a form
    that is singular or not finite is passed over. Large files
    without compression are read part by part.

    Raises
    ------
    FileTrouble
        A damaged file, one of other axes, or one of complex numbers.
    """
    nibabel = need("nibabel")
    with reading(path, "as NIfTI"):
        image = nibabel.load(path, mmap=False)
        packed = path.suffix.lower() == ".gz"
        check_claim(path, prod(image.shape) * image.get_data_dtype().itemsize, kept=packed)
        data: Any = _pixels(path, image)
        affine, about = _place(image)
    colour = data.dtype.fields is not None
    if colour:
        data = np.stack([data[name] for name in data.dtype.names or ()], axis=-1)
    count = data.ndim - colour
    kept = [axis for axis in range(count) if axis < 3 or data.shape[axis] > 1]
    inner = [axis for axis in kept if axis < 4]
    channels = [axis for axis in kept if axis > 3] + [count] * colour
    if count < 2 or len(channels) > 1:
        raise FileTrouble(
            f"'{path}' has {count} axes {data.shape}; x, y, z, time and one axis of channels can "
            "be opened"
        )
    gone = tuple(axis for axis in range(count) if axis not in kept)
    data = data.transpose(*inner[::-1], *channels, *gone)
    if gone:
        data = np.asarray(data).reshape(data.shape[: data.ndim - len(gone)])
    return Opened(
        _stem(path), (data,), _grid(image, affine, data.shape[: len(inner)]),
        len(inner) if channels else None,
        ("red", "green", "blue", "alpha")[: data.shape[-1] * colour], about,
    )  # fmt: skip


def write_nifti(path: Path, labels: npt.NDArray[np.integer], grid: Grid) -> None:
    """Write labels on a grid; one that came from NIfTI keeps every number of its header.

    Time is the fourth axis, with its step and its start.

    Parameters
    ----------
    path : Path
        Written as it is named.
    labels : integer array (y, x), (z, y, x), (t, y, x) or (t, z, y, x)
        On the grid.
    grid : Grid
        Of two to four axes, in any order.

    Raises
    ------
    InvalidLabels
        There are more than four axes.
    """
    nibabel = need("nibabel")
    values, grid = arranged(narrowest(labels), grid)
    if "t" in grid.axes and values.ndim == 3:
        values = values[:, None]
    if values.ndim > 4:
        raise InvalidLabels(
            f"NIfTI holds no labels of {values.ndim} axes {grid.axes}; write .zarr, or one volume "
            "at a time"
        )
    if values.dtype == np.uint64:
        values = values.astype(np.int64)
    kind = grid.native.get("kind") if grid.format == "nifti" else None
    if kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        image = kind(values.T, None, grid.native["header"].copy())
    else:
        image = _fresh(values.T, grid)
    image.header.set_data_dtype(values.dtype)
    image.header.set_slope_inter(1, 0)
    image.header["cal_min"], image.header["cal_max"] = 0, 0
    image.header.set_intent(LABEL_INTENT, (), "napari-seem", allow_unknown=True)
    nibabel.save(image, path)


def holds_labels(path: Path) -> bool:
    """Return whether a NIfTI file says by its intent that it holds ids; its header is read."""
    nibabel = need("nibabel")
    with suppress(FileTrouble), reading(path):
        header = nibabel.load(path).header
        real = header.get_data_dtype().kind in "uif"
        return real and header.get_intent(code_repr="code")[0] == LABEL_INTENT
    return False


def is_pair(path: Path) -> bool:
    """Return whether a file is one of the two of an Analyze or NIfTI pair, by its header."""
    if path.suffix.lower() not in PAIRS:
        return False
    header = next((h for h in (path.with_suffix(e) for e in (".hdr", ".HDR")) if h.is_file()), path)
    return beginning(header, 4) in (
        b"\x5c\x01\0\0",
        b"\0\0\x01\x5c",
        b"\x1c\x02\0\0",
        b"\0\0\x02\x1c",
    )


def _stem(path: Path) -> str:
    ending = next((e for e in (".nii.gz", ".nii", *PAIRS) if path.name.lower().endswith(e)), "")
    return path.name[: len(path.name) - len(ending)]


def _pixels(path: Path, image: NiftiImage) -> AnyArray | FileArray:
    """Read the pixels, rescaled where the header says so; integers stay what they are."""
    proxy = image.dataobj
    stored = np.dtype(proxy.dtype)
    if stored.kind == "c":
        raise FileTrouble(
            f"'{path}' holds complex numbers ({stored}), which can't be shown; save their "
            "magnitude, phase or real part, and open that"
        )
    slope, inter = float(proxy.slope), float(proxy.inter)
    if (slope, inter) == (1.0, 0.0) or stored.fields is not None:
        large = prod(proxy.shape) * stored.itemsize > LARGE and stored.kind in "uif"
        if large and not path.name.lower().endswith(".gz"):
            return FileArray(Path(proxy.file_like), stored, proxy.shape, proxy.offset, proxy.order)
        values = np.asanyarray(proxy.get_unscaled())
        return values.astype(np.float64) if stored.kind == "f" and stored.itemsize > 8 else values
    if slope.is_integer() and inter.is_integer() and stored.kind in "ui":
        raw = np.asanyarray(proxy.get_unscaled())
        ends = sorted(float(end) * slope + inter for end in (raw.min(), raw.max()))
        for kind in (np.int16, np.int32, np.int64):
            if np.iinfo(kind).min <= ends[0] and ends[1] <= np.iinfo(kind).max // 2:
                return (raw.astype(np.int64) * int(slope) + int(inter)).astype(kind)
    return image.get_fdata(dtype=np.float32)


def _place(image: NiftiImage) -> tuple[FloatArray, dict[str, str]]:
    """Return the affine (4, 4) of an image, which form it is, and what is to be said of it."""
    nibabel = need("nibabel")
    solid = min(len(image.shape), 3)
    forms = dict(_forms(image))
    usable = [name for name, affine in forms.items() if _usable(affine, solid)]
    about = {"form": usable[0] if usable else "voxel sizes"}
    affine = forms[usable[0]] if usable else _by_voxel_sizes(image)
    if bad := [name for name in forms if name not in usable]:
        instead = f"the {about['form']}" if usable else "only its voxel sizes"
        about["warning"] = (
            f"its {' and '.join(bad)} can't be used, being singular or not finite; {instead} "
            f"{'is' if usable else 'are'} used"
        )
    elif len(usable) > 1 and (apart := _apart(forms, image.shape)) > 0:
        unit = _SPACE.get(image.header.get_xyzt_units()[0], "units")
        about["warning"] = (
            f"its sform and its qform say places that are up to {apart:.3g} {unit} apart; the "
            "sform is used, as the standard prefers it, and other programs may use the qform"
        )
    letters = nibabel.aff2axcodes(affine)[:solid]
    return affine, {"orientation": "".join(one or "?" for one in letters), **about}


def _forms(image: NiftiImage) -> Iterator[tuple[str, FloatArray]]:
    """Yield the forms that a header declares, the preferred one first; NaN where one is broken."""
    header = image.header
    if "sform_code" not in header:  # Analyze
        yield "affine", np.asarray(image.affine, float)
        return
    for name, get in (("sform", header.get_sform), ("qform", header.get_qform)):
        if int(header[f"{name}_code"]) > 0:
            try:
                yield name, np.asarray(get(), float)
            except ValueError:  # a quaternion longer than one
                yield name, np.full((4, 4), np.nan)


def _usable(affine: FloatArray, solid: int) -> bool:
    """Return whether an affine (4, 4) gives voxels of some size a place."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        directions = affine[:3, :solid] / np.linalg.norm(affine[:3, :solid], axis=0)
    if not np.isfinite(affine).all() or not np.isfinite(directions).all():
        return False
    return bool(np.linalg.svd(directions, compute_uv=False)[-1] > FLAT)


def _apart(forms: dict[str, FloatArray], shape: Sequence[int]) -> float:
    """Return how far two forms (4, 4) put a corner of the image apart; 0 for next to nothing."""
    ends = [(0, n - 1) for n in (*shape[:3], 1, 1)[:3]]
    corners = np.array([(*corner, 1) for corner in product(*ends)], float)
    first, second = (corners @ affine[:3].T for affine in forms.values())
    apart = float(np.linalg.norm(first - second, axis=1).max())
    solid = min(len(shape), 3)
    voxel = np.linalg.norm(forms["sform"][:3, :solid], axis=0).min()
    return apart if apart > SEPARATE * voxel else 0.0


def _by_voxel_sizes(image: NiftiImage) -> FloatArray:
    """Return the affine of an image of which only the sizes of voxels are known."""
    sizes = np.abs(np.resize([float(n) for n in image.header.get_zooms()[:3]] + [1.0] * 3, 3))
    sizes[~np.isfinite(sizes) | (sizes == 0)] = 1.0
    middle = [(n - 1) / 2 for n in (*image.shape[:3], 1, 1)[:3]]
    affine = np.diag([-sizes[0], sizes[1], sizes[2], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ middle
    return affine


def _grid(image: NiftiImage, affine: FloatArray, shape: tuple[int, ...]) -> Grid:
    """Return the grid of an image with the affine (4, 4), time first and axes of space after it."""
    nibabel = need("nibabel")
    solid = min(len(shape), 3)
    matrix, names = world_of(affine, nibabel.io_orientation(affine)[:solid])
    header = image.header
    space, time = header.get_xyzt_units() if "xyzt_units" in header else ("mm", "sec")
    units = [_SPACE.get(space, "pixel")] * solid
    if len(shape) == 4:
        step = abs(float(header.get_zooms()[3]))
        start = float(header["toffset"]) if "toffset" in header else 0.0
        matrix = _with_time(
            matrix, step if 0 < step < np.inf else 1.0, start if np.isfinite(start) else 0.0
        )
        names, units = ("t", *names), [_TIME.get(time, "pixel"), *units]
    native = {"header": header.copy(), "kind": type(image), "affine": affine}
    return Grid(shape, names, matrix, tuple(units), "nifti", native)


def world_of(affine: npt.ArrayLike, codes: npt.ArrayLike) -> tuple[FloatArray, tuple[str, ...]]:
    """Turn an anatomical affine into what a viewer shows.

    Parameters
    ----------
    affine : (4, 4)
        From voxel (i, j, k) to right, anterior, superior.
    codes : (n, 2)
        Per voxel axis the anatomical axis it runs along most, as `nibabel.io_orientation` has it.

    Returns
    -------
    matrix : float array (n + 1, n + 1)
        From array index (k, j, i) to the world; turned in the plane of rows and columns only. What
        is oblique otherwise is shown by its voxel axes, because napari can't slice it.
    names : tuple of str
        x, y or z per array axis.
    """
    turned = -np.asarray(affine, float)
    runs = [int(code) for code in np.asarray(codes)[:, 0]][::-1]
    count = len(runs)
    matrix = np.eye(count + 1)
    matrix[:count, :count] = turned[np.ix_(runs, range(count))][:, ::-1]
    matrix[:count, count] = turned[runs, 3]
    linear = matrix[:count, :count]
    off = linear - np.diag(np.diag(linear))
    off[-2:, -2:] = 0
    if np.abs(off).max(initial=0) > 1e-4 * np.abs(linear).max():
        sizes = np.linalg.norm(turned[:3, :count], axis=0)[::-1]
        matrix[:count, :count] = np.diag(np.copysign(sizes, np.diag(linear)))
    return matrix + 0.0, tuple("xyz"[axis] for axis in runs)  # no negative zeros


def _with_time(matrix: FloatArray, step: float, start: float) -> FloatArray:
    """Add a time axis of a step and a start to a matrix (n, n), as the first one."""
    count = len(matrix)
    out = np.eye(count + 1)
    out[1:, 1:] = matrix
    out[0, 0], out[0, -1] = step, start
    return out


def _fresh(values: npt.NDArray[np.integer], grid: Grid) -> NiftiImage:
    """Return an image of values (x, y, z, t) on a grid (t, z, y, x) of another format."""
    solid = [axis for axis, name in enumerate(grid.axes) if name != "t"][-3:]
    if grid.format in ("dicom", "nifti") and "affine" in grid.native:
        affine, space = np.asarray(grid.native["affine"], float), "mm"
    else:
        units = [grid.units[axis] for axis in solid]
        space, factors = _in_common(units, _METRES, _SPACE, ("mm", "micron"))
        affine = _affine_of(grid, solid, factors)
    image = need("nibabel").Nifti1Image(values, affine)
    time = "unknown"
    if values.ndim == 4:
        first = grid.units[0] if grid.axes[0] == "t" else "pixel"
        time, (factor,) = _in_common([first], _SECONDS, _TIME, ("sec", "usec"))
        image.header.set_zooms((*image.header.get_zooms()[:3], grid.spacing[0] * factor))
        image.header["toffset"] = grid.origin[0] * factor
    image.header.set_xyzt_units(space, time)
    return image


def _affine_of(grid: Grid, solid: Sequence[int], factors: Sequence[float]) -> FloatArray:
    """Return a NIfTI affine (4, 4) for some axes of a grid, the world as napari shows it."""
    inner = np.diag([*factors, 1.0]) @ grid.matrix[np.ix_([*solid, grid.ndim], [*solid, grid.ndim])]
    count = len(solid)
    affine = np.eye(4)
    rows = range(count)
    affine[np.ix_(rows, rows)] = -inner[:count, :count][::-1, ::-1]
    affine[:count, 3] = -inner[:count, -1][::-1]
    return affine


def _in_common(
    units: Sequence[str],
    sizes: dict[str, float],
    names: dict[str, str],
    usual: tuple[str, str],
) -> tuple[str, list[float]]:
    """Return the NIfTI unit that some units are written in, and a factor for each.

    Units of no known size keep their numbers, and are called unknown.
    """
    short = {short: name for name, short in names.items()}
    if len(set(units)) == 1 and units[0] in short:
        return short[units[0]], [1.0] * len(units)
    if not set(units) <= set(sizes):
        return "unknown", [1.0] * len(units)
    large = max(sizes[unit] for unit in units) >= sizes[names[usual[0]]]
    target = usual[0] if large else usual[1]
    return target, [sizes[unit] / sizes[names[target]] for unit in units]
