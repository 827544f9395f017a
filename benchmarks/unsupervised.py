"""Classical tools that find all objects of an image without any hint, for comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_seem.errors import UnsupportedPrompt
from napari_seem.images import to_rgb
from napari_seem.models.base import Capability, Embedding, Instance, Prediction, Segmentation
from napari_seem.prompts import Prompt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
SMALLEST = 16
"""Found objects of fewer pixels are noise."""
PEAK_DISTANCE = 7
"""Pixels that two markers of the distance watershed keep between them at least."""
FELZENSZWALB_SCALE, FELZENSZWALB_SIGMA, FELZENSZWALB_LEAST = 300, 0.8, 50
"""Larger regions than by scikit-image's own numbers, which cut every object into crumbs."""
BACKGROUND_RIM = 0.25
"""A felzenszwalb region that holds more of the image's rim than this is background."""


class UnsupervisedTool:
    """A tool that maps a picture to labels, behind the models' door.

    Parameters
    ----------
    name : str
    tool : callable
        Takes an image (H, W, 3) in 0..1 and gives int32 labels (H, W).
    """

    capabilities = frozenset({Capability.EVERYTHING})

    def __init__(self, name: str, tool: Callable[[FloatArray], IntArray]) -> None:
        self.name = self.identity = name
        self._tool = tool

    def vocabulary(self) -> tuple[str, ...]:
        """No words."""
        return ()

    def encode(self, image: npt.NDArray[Any]) -> Embedding:
        """Keep the picture; nothing is learned from it."""
        picture = (to_rgb(image) / 255).astype(np.float32)
        return Embedding(self.name, picture.shape[:2], {}, {"picture": picture})

    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: Any = None
    ) -> Prediction:
        """Refuse: these tools take no prompts; see `bench.classical` for those that do."""
        raise UnsupportedPrompt(f"'{self.name}' takes no prompts; it only finds everything")

    def segment(self, embedding: Embedding, names: Sequence[str] | None = None) -> Segmentation:
        """Every region that the tool sees, larger ones first, all with the score 1."""
        labels = self._tool(embedding.meta["picture"])
        found = []
        for number, where in enumerate(ndimage.find_objects(labels), start=1):
            if where is None:
                continue
            mask = labels[where] == number
            box = where[0].start, where[1].start, where[0].stop, where[1].stop
            if mask.sum() >= SMALLEST:
                found.append(Instance(mask, box, 1.0))
        return Segmentation(embedding.shape, tuple(sorted(found, key=lambda i: -i.area)))


def otsu_watershed(picture: FloatArray) -> IntArray:
    """Otsu's threshold, then a watershed from the peaks of the distance to the background.

    Objects are bright or dark: they are taken to be the side that holds less of the image's rim;
    where both hold the same, the smaller side.
    """
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    gray = ndimage.gaussian_filter(picture.mean(2), 1)
    if np.ptp(gray) == 0:
        return np.zeros(gray.shape, np.int32)
    bright = gray > threshold_otsu(gray)
    rim = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]]).mean()
    dark_objects = rim > 0.5 if rim != 0.5 else bright.mean() > 0.5
    objects = ~bright if dark_objects else bright
    objects = ndimage.binary_fill_holes(ndimage.binary_opening(objects))
    depth = ndimage.distance_transform_edt(objects)
    parts, _ = ndimage.label(objects)
    smooth = ndimage.gaussian_filter(depth, 1)
    peaks = peak_local_max(smooth, min_distance=PEAK_DISTANCE, labels=parts, exclude_border=False)
    markers = np.zeros(gray.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-smooth, markers, mask=objects).astype(np.int32)


def felzenszwalb(picture: FloatArray) -> IntArray:
    """Graph-based regions (Felzenszwalb and Huttenlocher 2004), background left out.

    Every pixel gets a region; one that holds more than `BACKGROUND_RIM` of the image's rim is no
    object.
    """
    from skimage.segmentation import felzenszwalb as regions

    labels = regions(
        picture, scale=FELZENSZWALB_SCALE, sigma=FELZENSZWALB_SIGMA, min_size=FELZENSZWALB_LEAST
    ).astype(np.int32) + 1  # fmt: skip
    rim = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    share = np.bincount(rim, minlength=labels.max() + 1) / rim.size
    labels[share[labels] > BACKGROUND_RIM] = 0
    return labels


TOOLS: dict[str, Callable[[FloatArray], IntArray]] = {
    "otsu-watershed": otsu_watershed,
    "felzenszwalb": felzenszwalb,
}
