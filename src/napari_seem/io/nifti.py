"""NIfTI images in, NIfTI labels out, on the same grid: affine, qform, sform and units are kept."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FileTrouble
from .extras import need
from .grid import FloatArray, Grid, narrowest
from .opened import Opened

SUFFIXES = (".nii", ".nii.gz")
LABEL_INTENT = 1002
_TIME = {"sec": "s", "msec": "ms", "usec": "us", "hz": "Hz"}
_SPACE = {"mm": "mm", "meter": "m", "micron": "um"}


def open_nifti(path: Path) -> Opened:
    """Open a NIfTI image of two to four axes, or one of colours.

    Arrays have the file's axes in reverse order, (t, z, y, x), and the file's pixel order; the
    world is (inferior, posterior, left), so that axial, coronal and sagittal planes are shown as
    radiologists expect them. Uncompressed files are mapped, not read.

    Raises
    ------
    FileTrouble
        A damaged file, or one of other axes.
    """
    nibabel = need("nibabel")
    try:
        image = nibabel.load(path)
        data = _pixels(image)
    except (OSError, EOFError, ValueError, zlib.error, nibabel.filebasedimages.ImageFileError,
            nibabel.spatialimages.HeaderDataError) as error:  # fmt: skip
        raise FileTrouble(
            f"'{path}' can't be read as NIfTI ({error}); copy it again from where it came"
        ) from error
    colour = data.dtype.fields is not None
    if colour:
        data = np.stack([data[name] for name in data.dtype.names or ()], axis=-1)
    spatial = data.ndim - colour
    if not 2 <= spatial <= 4:
        raise FileTrouble(
            f"'{path}' has {spatial} axes {data.shape}; two to four can be opened (x, y, z, time)"
        )
    order = (*reversed(range(spatial)), spatial)[: data.ndim]
    grid = _grid(image, spatial)
    about = {"orientation": "".join(nibabel.aff2axcodes(image.affine))}
    return Opened(
        path.name.removesuffix(".gz").removesuffix(".nii"), (data.transpose(order),), grid,
        spatial if colour else None, ("red", "green", "blue", "alpha")[: data.shape[-1] * colour],
        about,
    )  # fmt: skip


def write_nifti(path: Path, labels: npt.NDArray[np.integer], grid: Grid) -> None:
    """Write labels on a grid; one that came from NIfTI keeps every number of its header.

    Parameters
    ----------
    path : Path
        Written as it is named.
    labels : integer array (y, x), (z, y, x) or (t, z, y, x)
        On the grid.
    grid : Grid
        Of two to four axes.
    """
    nibabel = need("nibabel")
    values = narrowest(labels).transpose()
    if grid.format == "nifti":
        header = grid.native["header"].copy()
        kind, affine = grid.native["kind"], None
    else:
        kind, header = nibabel.Nifti1Image, None
        affine = _affine_of(grid)
    if values.dtype == np.uint64:
        values = values.astype(np.int64)
    image = kind(values, affine, header)
    if header is None:
        image.header.set_xyzt_units(*_nifti_units(grid))
    elif grid.native["shape"] != image.shape:
        image.header.set_data_shape(image.shape)
    image.header.set_data_dtype(values.dtype)
    image.header.set_slope_inter(1, 0)
    image.header["cal_min"], image.header["cal_max"] = 0, 0
    image.header.set_intent(LABEL_INTENT, (), "napari-seem", allow_unknown=True)
    nibabel.save(image, path)


def holds_labels(path: Path) -> bool:
    """Return whether a NIfTI file says by its intent that it holds ids; its header is read."""
    nibabel = need("nibabel")
    try:
        header = nibabel.load(path).header
        whole = header.get_data_dtype().kind in "ui"
        return whole and header.get_intent(code_repr="code")[0] == LABEL_INTENT
    except (OSError, EOFError, ValueError, zlib.error, AttributeError,
            nibabel.filebasedimages.ImageFileError):  # fmt: skip
        return False


def _pixels(image: Any) -> Any:
    """Read the pixels, rescaled where the header says so; integers stay what they are."""
    proxy = image.dataobj
    slope, inter = float(proxy.slope), float(proxy.inter)
    if (slope, inter) == (1.0, 0.0):
        return np.asanyarray(proxy)
    whole = slope.is_integer() and inter.is_integer() and np.dtype(proxy.dtype).kind in "ui"
    if whole:
        raw = np.asanyarray(proxy.get_unscaled())
        ends = [float(raw.min()) * slope + inter, float(raw.max()) * slope + inter]
        kind = np.int16 if min(ends) >= -(2**15) and max(ends) < 2**15 else np.int32
        return (raw.astype(np.int64) * int(slope) + int(inter)).astype(kind)
    return image.get_fdata(dtype=np.float32)


def _grid(image: Any, spatial: int) -> Grid:
    nibabel = need("nibabel")
    file_shape = tuple(image.shape[:spatial])
    solid = min(spatial, 3)
    codes = nibabel.io_orientation(image.affine)[:solid]
    matrix, names = world_of(image.affine, codes)
    space, time = image.header.get_xyzt_units()
    units = [_SPACE.get(space, "pixel")] * solid
    if spatial == 4:
        zoom = float(image.header.get_zooms()[3]) or 1.0
        matrix = _with_time(matrix, zoom, float(image.header["toffset"]))
        names, units = ("t", *names), [_TIME.get(time, "pixel"), *units]
    native = {
        "header": image.header.copy(), "kind": type(image), "shape": tuple(image.shape),
        "affine": image.affine.copy(),
    }  # fmt: skip
    return Grid(file_shape[::-1], names, matrix, tuple(units), "nifti", native)


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


def _affine_of(grid: Grid) -> FloatArray:
    """Return a NIfTI affine (4, 4) for a grid of another format, the world as napari shows it."""
    if grid.format == "dicom" and "affine" in grid.native:
        return np.asarray(grid.native["affine"], float)
    solid = [axis for axis, name in enumerate(grid.axes) if name != "t"][-3:]
    inner = grid.matrix[np.ix_([*solid, grid.ndim], [*solid, grid.ndim])]
    count = len(solid)
    affine = np.eye(4)
    rows = range(count)
    affine[np.ix_(rows, rows)] = -inner[:count, :count][::-1, ::-1]
    affine[:count, 3] = -inner[:count, -1][::-1]
    return affine


def _nifti_units(grid: Grid) -> tuple[str, str]:
    space = {short: name for name, short in _SPACE.items()}
    time = {short: name for name, short in _TIME.items()}
    first = time.get(grid.units[0], "unknown") if grid.axes[0] == "t" else "unknown"
    return space.get(grid.units[-1], "unknown"), first
