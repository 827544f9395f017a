"""Objects of the pixels that are of one class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..checks import check_flag, check_type, whole_number
from ..errors import InvalidLabels
from .answers import PixelClasses

if TYPE_CHECKING:
    from .classifier import PixelClassifier

IntArray = npt.NDArray[np.int32]
SPLIT_SIGMA = 1.0
"""Pixels by which distances to the border are smoothed before objects are split."""


def objects_of(
    classes: PixelClasses, of: int | str | Sequence[int | str], *, smallest: int = 1,
    split: bool = False,
) -> IntArray:  # fmt: skip
    """Make objects of the pixels that are of some classes.

    Parameters
    ----------
    classes : PixelClasses
    of : int, str or a sequence of them
        The classes, by id or name; objects are of one class each.
    smallest : int
        Objects of fewer pixels are left out.
    split : bool
        Split objects at narrow places, by a watershed on the distance to their border.

    Returns
    -------
    int32 array (H, W)
        The objects' ids from 1; 0 elsewhere.

    Raises
    ------
    InvalidLabels
        There is no such class.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> light = np.float16([[1, 0, 1, 1]])
    >>> classes = ns.PixelClasses((1, 2), np.stack([light, 1 - light]), {1: "light"})
    >>> ns.objects_of(classes, "light").tolist()
    [[1, 0, 2, 2]]
    """
    check_type(classes, PixelClasses, "the classes", "what PixelClassifier.predict returns")
    least, split = whole_number(smallest, "smallest", 1), check_flag(split, "split")
    chosen = [of] if isinstance(of, (int, str, np.integer)) else list(of)
    ids = [class_id_of(classes, one) for one in chosen]
    return objects_in(classes.labels, ids, least, split)[0]


def objects_in(
    labels: npt.NDArray[np.integer], ids: Sequence[int], smallest: int = 1,
    split: bool = False, first: int = 1,
) -> tuple[IntArray, dict[int, int]]:  # fmt: skip
    """Make objects of the pixels that are of some classes; see `objects_of`.

    Parameters
    ----------
    labels : integer array (H, W)
        Ids of the classes.
    ids : sequence of int
        The classes.
    smallest, split
        As for `objects_of`.
    first : int
        The first object's id.

    Returns
    -------
    objects : int32 array (H, W)
    class_of : dict of int to int
        The class of each object.
    """
    out = np.zeros(labels.shape, np.int32)
    class_of: dict[int, int] = {}
    for class_id in dict.fromkeys(ids):
        kept = _large(_parts(labels == class_id, split), smallest)
        inside = kept > 0
        start = first + len(class_of)
        out[inside] = kept[inside] + start - 1
        class_of.update(dict.fromkeys(range(start, start + int(kept.max(initial=0))), class_id))
    return out, class_of


def class_id_of(classes: PixelClasses | PixelClassifier, one: int | str) -> int:
    """Return the id of a class that is named or numbered; `InvalidLabels` where there is none."""
    for class_id in classes.ids:
        if one == class_id or (isinstance(one, str) and classes.names.get(class_id) == one):
            return class_id
    known = ", ".join(f"{one} '{classes.names[one]}'" if one in classes.names else f"{one}"
                      for one in classes.ids)  # fmt: skip
    raise InvalidLabels(f"there is no class {one!r}; choose one of: {known}")


def _parts(mask: npt.NDArray[np.bool_], split: bool) -> IntArray:
    """Number the connected parts of a mask (H, W), or those left when narrow places are cut."""
    parts, _ = ndimage.label(mask, np.ones((3, 3)), output=np.int32)
    if not split or not mask.any():
        return parts
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    inner = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), SPLIT_SIGMA)
    peaks = peak_local_max(inner, min_distance=3, labels=parts, exclude_border=False)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-inner, seeds, mask=mask).astype(np.int32)


def _large(parts: IntArray, least: int) -> IntArray:
    """Number the parts (H, W) of at least `least` pixels anew from 1, and leave out the others."""
    areas = np.bincount(parts.ravel())
    keep = areas >= least
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[parts]
