"""Planes of image files that are labelled, with their labels."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import InvalidImage, InvalidLabels
from ..images import AnyArray
from ..intensity import IntensityWindow
from ..io.files import open_image
from ..io.grid import Grid
from ..io.images import with_channels
from ..planes import Plane
from ..sources.source import source_of_array
from .listing import SeriesImage, labels_for, list_images, open_labels_of

LOG = logging.getLogger(__name__)
MOST_SHARE = 0.25
"""Share of the room that is left which one image may take, even if there are many."""


@dataclass(frozen=True, eq=False)
class LabelledPlane:
    """A plane of an image file, and its labels.

    Attributes
    ----------
    name : str
        Of the file, for people.
    image : array (H, W) or (H, W, C)
        As a model gets it.
    labels : integer array (H, W)
    """

    name: str
    image: AnyArray = field(repr=False)
    labels: npt.NDArray[np.integer] = field(repr=False)


def labelled_planes(
    paths: Sequence[Path], labels: Path | None = None, window: IntensityWindow | None = None,
    most_pixels: float = inf,
) -> list[LabelledPlane]:  # fmt: skip
    """Read the labelled planes of images whose labels lie beside them, of any format.

    Labels are named `IMAGE_labels.*`, or lie in a folder of their own, named so or as the image.
    Of stacks those planes are read, across the first axis, that hold a label. Images without
    labels are left out.

    Parameters
    ----------
    paths : sequence of Path
        Images, and folders of images.
    labels : Path, optional
        The folder of the labels; by default that of the images.
    window : IntensityWindow, optional
        Intensities that the model is shown.
    most_pixels : float
        About as many pixels are read at most: images in the order of chance, but returned in that
        of their names, and of a stack a share of its labelled planes, evenly spaced.

    Raises
    ------
    InvalidLabels
        No image has labels, or labels lie on another grid.
    InvalidImage, FileTrouble
        There is no image, or a file that can't be read.
    """
    root, images = list_images(paths)
    home = root if labels is None else labels
    labelled = [image for image in images if labels_for(image, home).exists()]
    for name in {image.name for image in images} - {image.name for image in labelled}:
        LOG.info("%s has no labels and is left out", name)
    found: dict[int, list[LabelledPlane]] = {}
    left = most_pixels
    for index in np.random.default_rng(0).permutation(len(labelled)).tolist():
        if left <= 0:
            LOG.warning("%d of %d labelled images are read: there is room for %d million pixels",
                        len(found), len(labelled), most_pixels // (1 << 20))  # fmt: skip
            break
        image = labelled[index]
        room = max(left / (len(labelled) - len(found)), MOST_SHARE * left)
        planes = list(_planes(image, labels_for(image, home), window or IntensityWindow(), room))
        left -= sum(plane.labels.size for plane in planes)
        found[index] = planes
    every = [plane for _, planes in sorted(found.items()) for plane in planes]
    if not every:
        raise InvalidLabels(
            f"none of the {len(images)} images in '{root}' has labels with an object; they are "
            "looked for as IMAGE_labels.tif (or another format) beside the image, or in a folder "
            "that is named"
        )
    return every


def _planes(
    image: SeriesImage, place: Path, window: IntensityWindow, most_pixels: float
) -> Iterator[LabelledPlane]:
    assert image.path is not None  # only layers have none
    opened = open_image(image.path)
    data, colours = with_channels(opened)
    shape = tuple(data.shape[:-1] if colours else data.shape)
    grid = opened.grid if tuple(opened.grid.shape) == shape else Grid.plain(shape)
    try:
        ids = open_labels_of(image, place, grid).data
    except InvalidLabels as error:
        raise InvalidLabels(f"'{place}': {error}") from error
    if len(shape) not in (2, 3):
        raise InvalidImage(
            f"'{image.path}' has {len(shape)} axes; fine-tuning takes images and stacks"
        )
    planes = [None] if len(shape) == 2 else [Plane.across(0, k) for k in range(shape[0])]
    source = source_of_array(data, planes[0], window, colours=colours, name=image.name)
    used = [k for k, plane in enumerate(planes) if np.any(ids if plane is None else ids[k])]
    size = shape[-1] * shape[-2]
    count = int(max(1, min(len(used), most_pixels // size)))
    for number in [used[k * len(used) // count] for k in range(count) if used]:
        plane = planes[number]
        own = np.asarray(ids if plane is None else ids[number])
        at = source if plane is None else source.at(replace(plane, channels=colours))
        yield LabelledPlane(image.name, at.read(), own)
