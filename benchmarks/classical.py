"""Classical interactive tools behind the same door as the models, for comparison.

Each answers the same prompts. Strokes and clicks are seeds; a box or an outline forbids what lies
outside it. Where there is none, the image's rim is taken for background, as users of these
tools do (without it they leak over the whole image after the first negative click).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_seem.errors import InvalidPrompt, UnknownModel
from napari_seem.images import to_rgb
from napari_seem.models.base import Capability, Embedding, Prediction, Segmentation
from napari_seem.prompts import Box, Mask, Polygon, Prompt, Reference, Text, rasterize

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
LONGEST = 256
"""Images are shrunk to this longest side, or the slowest of the tools would take minutes."""
CAPABILITIES = frozenset(
    {Capability.POINT, Capability.BOX, Capability.POLYGON, Capability.SCRIBBLE, Capability.MASK,
     Capability.NEGATIVE}
)  # fmt: skip
Tool = Callable[[FloatArray, BoolArray, BoolArray, BoolArray], BoolArray]


class ClassicalModel:
    """A tool that maps image, seeds and allowed region to a mask.

    Parameters
    ----------
    name : str
    tool : callable
        Takes an image (h, w, 3) in 0..1, positive seeds, negative seeds and the region that is
        not forbidden, all (h, w), and gives a mask (h, w).
    """

    capabilities = CAPABILITIES

    def __init__(self, name: str, tool: Tool) -> None:
        self.name = self.identity = name
        self._tool = tool
        self._pictures: dict[int, FloatArray] = {}

    def vocabulary(self) -> tuple[str, ...]:
        """No words."""
        return ()

    def encode(self, image: npt.NDArray[Any]) -> Embedding:
        """Shrink the image; nothing is learned from it."""
        from skimage.transform import resize

        rgb = to_rgb(image)
        factor = min(1.0, LONGEST / max(rgb.shape[:2]))
        size = tuple(max(1, round(n * factor)) for n in rgb.shape[:2])
        small = resize(rgb, size, anti_aliasing=factor < 1).astype(np.float32)
        height, width = rgb.shape[:2]
        return Embedding(self.name, (height, width), {}, {"picture": small})

    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: Any = None
    ) -> Prediction:
        """Answer all prompts anew; there is no memory and no score.

        Raises
        ------
        InvalidPrompt
            Where no prompt lies on the object.
        """
        picture: FloatArray = embedding.meta["picture"]
        positive, negative, allowed = _seeds(prompts, embedding.shape, picture.shape[:2])
        if not positive.any():
            raise InvalidPrompt(f"'{self.name}' was given no positive prompt; click on the object")
        mask = self._tool(picture, positive, negative, allowed)
        logits = np.where(_enlarge(mask & allowed, embedding.shape), 1.0, -1.0)
        return Prediction(logits.astype(np.float32), 0.5)

    def segment(self, embedding: Embedding, names: Sequence[str] | None = None) -> Segmentation:
        """Find nothing: these tools need seeds."""
        return Segmentation(embedding.shape, ())


def random_walker(
    picture: FloatArray, positive: BoolArray, negative: BoolArray, allowed: BoolArray
) -> BoolArray:
    """Random walker segmentation (Grady 2006), scikit-image."""
    from skimage.segmentation import random_walker as walk

    seeds = np.zeros(positive.shape, np.int32)
    seeds[negative | ~allowed] = 2
    seeds[positive] = 1
    labels = walk(picture, seeds, beta=130, mode="cg_j", tol=1e-3, channel_axis=-1)
    return np.asarray(labels == 1)


def watershed(
    picture: FloatArray, positive: BoolArray, negative: BoolArray, allowed: BoolArray
) -> BoolArray:
    """Marker watershed on the gradient."""
    from skimage.filters import sobel
    from skimage.segmentation import watershed as flood

    edges = sobel(ndimage.gaussian_filter(picture.mean(2), 1))
    seeds = np.where(positive, 1, np.where(negative | ~allowed, 2, 0))
    return np.asarray(flood(edges, seeds) == 1)


def geodesic(
    picture: FloatArray, positive: BoolArray, negative: BoolArray, allowed: BoolArray
) -> BoolArray:
    """Nearest seed along paths whose cost is the image's gradient (Criminisi et al. 2008)."""
    from skimage.graph import MCP_Geometric

    smooth = ndimage.gaussian_filter(picture, (1, 1, 0))
    edges = np.sqrt(sum(ndimage.sobel(smooth, axis) ** 2 for axis in (0, 1)).sum(2))
    cost = 0.01 + edges
    near, _ = MCP_Geometric(cost).find_costs(np.argwhere(positive))
    far, _ = MCP_Geometric(cost).find_costs(np.argwhere(negative | ~allowed))
    return np.asarray(near < far)


def grabcut(
    picture: FloatArray, positive: BoolArray, negative: BoolArray, allowed: BoolArray
) -> BoolArray:
    """GrabCut (Rother et al. 2004), OpenCV (extra `bench`)."""
    import cv2

    state = np.where(allowed, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    if not allowed.all():
        state[allowed] = cv2.GC_PR_FGD
    else:  # a click: what is near may well be the object
        state[ndimage.binary_dilation(positive, iterations=picture.shape[0] // 12)] = cv2.GC_PR_FGD
    state[negative] = cv2.GC_BGD
    state[positive] = cv2.GC_FGD
    image = (picture * 255).astype(np.uint8)
    inside, outside = np.zeros((1, 65)), np.zeros((1, 65))
    unused = (0, 0, 1, 1)  # the state says where the object may be, not a rectangle
    try:
        cv2.grabCut(image, state, unused, outside, inside, 4, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # too few pixels of one kind for a colour model
        return positive
    return (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)


def random_forest(
    picture: FloatArray, positive: BoolArray, negative: BoolArray, allowed: BoolArray
) -> BoolArray:
    """Random forest on multiscale filters, as in ilastik; scikit-learn (extra `bench`)."""
    from skimage.feature import multiscale_basic_features
    from sklearn.ensemble import RandomForestClassifier

    features = multiscale_basic_features(picture, channel_axis=-1, sigma_max=8)
    background = negative | ~allowed
    forest = RandomForestClassifier(40, max_depth=12, random_state=0, n_jobs=1)
    forest.fit(
        np.concatenate([features[positive], features[background]]),
        np.r_[np.ones(positive.sum()), np.zeros(background.sum())],
    )
    guess = forest.predict(features.reshape(-1, features.shape[-1])).reshape(positive.shape) > 0.5
    parts, _ = ndimage.label(guess)
    return np.isin(parts, np.unique(parts[positive & guess]))


TOOLS: dict[str, tuple[Tool, str]] = {
    "random-walker": (random_walker, ""),
    "watershed": (watershed, ""),
    "geodesic": (geodesic, ""),
    "grabcut": (grabcut, "cv2"),
    "random-forest": (random_forest, "sklearn"),
}
"""Tools by name, with the package they need beyond the project's own."""


def classical_model(name: str) -> ClassicalModel:
    """A tool by name.

    Raises
    ------
    UnknownModel
        For another name, or where the package it needs is not installed.
    """
    if name not in TOOLS:
        raise UnknownModel(f"there is no classical tool '{name}'; known: {', '.join(TOOLS)}")
    if not available(name):
        raise UnknownModel(f"'{name}' needs the extra: pip install \"napari-seem[bench]\"")
    return ClassicalModel(name, TOOLS[name][0])


def available(name: str) -> bool:
    """Whether the package that a tool needs is installed."""
    needed = TOOLS[name][1]
    return not needed or find_spec(needed) is not None


def _seeds(
    prompts: Sequence[Prompt], shape: tuple[int, int], small: tuple[int, int]
) -> tuple[BoolArray, BoolArray, BoolArray]:
    positive, negative = np.zeros(small, bool), np.zeros(small, bool)
    allowed = np.ones(small, bool)
    for prompt in prompts:
        if isinstance(prompt, (Text, Reference)):
            continue
        drawn = _shrink(rasterize(prompt, shape), small)
        if not prompt.positive:
            negative |= drawn
        elif isinstance(prompt, (Box, Polygon, Mask)):
            allowed &= drawn
            core = ndimage.distance_transform_edt(drawn)
            positive |= core >= 0.7 * core.max()
        else:
            positive |= drawn
    negative &= ~positive  # shrinking may put clicks of both kinds on one pixel
    if allowed.all():
        rim = np.ones(small, bool)
        rim[1:-1, 1:-1] = False
        negative |= rim & ~ndimage.binary_dilation(positive, iterations=3)
    return positive, negative, allowed


def _shrink(mask: BoolArray, shape: tuple[int, int]) -> BoolArray:
    """Where any pixel of a mask falls in a smaller image."""
    out = np.zeros(shape, bool)
    rows, cols = np.nonzero(mask)
    out[rows * shape[0] // mask.shape[0], cols * shape[1] // mask.shape[1]] = True
    return out


def _enlarge(mask: BoolArray, shape: tuple[int, int]) -> BoolArray:
    rows = np.arange(shape[0]) * mask.shape[0] // shape[0]
    cols = np.arange(shape[1]) * mask.shape[1] // shape[1]
    return mask[rows[:, None], cols[None, :]]
