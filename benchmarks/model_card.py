"""The pictures of the model card: `python benchmarks/model_card.py docs/images/model-card.png`.

Every panel is one image of the installed packages, the prompts as a person would give them, and
what came of them; nothing is chosen by result.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.draw import circle_perimeter, disk
from skimage.segmentation import find_boundaries
from skimage.transform import resize

import napari_seem as ns
from benchmarks.few_colours import palette
from napari_seem import samples
from napari_seem.images import to_rgb

SIDE = 320
INSIDE, POSITIVE, NEGATIVE, BOX = (60, 200, 255), (0, 114, 178), (230, 159, 0), (255, 220, 60)


@dataclass(frozen=True)
class Panel:
    """An image, and the prompts for one object of it."""

    sample: str
    prompts: Sequence[Any]


PANELS = (
    Panel("coins", [ns.Point(125, 103)]),
    Panel("coins", [ns.Box(160, 185, 214, 240)]),
    Panel("tissue", [ns.Point(256, 256)]),
    Panel("cat", [ns.Point(120, 240)]),
    Panel("cat", [ns.Point(120, 240), ns.Point(220, 220), ns.Point(20, 20, positive=False)]),
    Panel("coffee", [ns.Box(12, 165, 258, 425)]),
    Panel("retina", [ns.Point(700, 1150)]),
    Panel("brain", [ns.Point(48, 64)]),
)


def main(path: Path) -> None:
    """Draw all panels, four in a row."""
    model = ns.load_model("compact")
    drawn = [draw(model, panel) for panel in PANELS]
    rows = [np.concatenate(drawn[i : i + 4], axis=1) for i in range(0, len(drawn), 4)]
    picture = Image.fromarray(np.concatenate(rows))
    picture.quantize(palette=palette(picture)).save(path, optimize=True)


def draw(model: Any, panel: Panel) -> npt.NDArray[np.uint8]:
    """One panel, (SIDE, SIDE, 3): the mask's border and the prompts on the image."""
    image = getattr(samples, panel.sample)().image
    if image.ndim == 3 and image.shape[-1] not in (3, 4):
        image = image[len(image) // 2]
    mask = model.predict(model.encode(image), list(panel.prompts)).mask
    height, width = mask.shape
    scale = SIDE / max(height, width)
    size = round(height * scale), round(width * scale)
    small = resize(to_rgb(image), size, preserve_range=True, anti_aliasing=True).astype(np.uint8)
    inside = resize(mask.astype(float), size, order=1) > 0.5
    small[inside] = (0.65 * small[inside] + 0.35 * np.array(INSIDE)).astype(np.uint8)
    small[find_boundaries(inside, mode="outer")] = INSIDE
    for prompt in panel.prompts:
        _mark(small, prompt, scale)
    out = np.zeros((SIDE, SIDE, 3), np.uint8)
    out[: size[0], : size[1]] = small
    return out


def _mark(picture: npt.NDArray[np.uint8], prompt: Any, scale: float) -> None:
    if isinstance(prompt, ns.Box):
        y0, x0, y1, x1 = (round(v * scale) for v in (prompt.y0, prompt.x0, prompt.y1, prompt.x1))
        picture[y0 : y1 + 1, [x0, x1]] = BOX
        picture[[y0, y1], x0 : x1 + 1] = BOX
        return
    at = round(prompt.y * scale), round(prompt.x * scale)
    picture[disk(at, 5, shape=picture.shape[:2])] = POSITIVE if prompt.positive else NEGATIVE
    picture[circle_perimeter(*at, 6, shape=picture.shape[:2])] = (255, 255, 255)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
