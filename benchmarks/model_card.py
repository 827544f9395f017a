"""The pictures of the model card: `python -m benchmarks.model_card docs/images/model-card.png`.

Every panel is one image of the installed packages, the prompts as a person would give them, and
what came of them with the model's own score; nothing is chosen by result. A weights file may be
named second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from skimage.draw import circle_perimeter, disk
from skimage.segmentation import find_boundaries
from skimage.transform import resize

import napari_seem as ns
from benchmarks.few_colours import palette
from napari_seem import samples
from napari_seem.images import to_rgb

SIDE, CAPTION, IN_A_ROW = 320, 24, 4
INSIDE, POSITIVE, NEGATIVE, BOX = (60, 200, 255), (0, 114, 178), (230, 159, 0), (255, 220, 60)


@dataclass(frozen=True)
class Panel:
    """An image, and the prompts for one object of it; `answer` counts from 0, the best."""

    title: str
    sample: str
    prompts: Sequence[Any]
    answer: int = 0


ON_CAT = ns.Point(120, 240)
PANELS = (
    Panel("coin: one click", "coins", [ns.Point(125, 103)]),
    Panel("coin: a box", "coins", [ns.Box(160, 185, 214, 240)]),
    Panel("tissue: one click", "tissue", [ns.Point(256, 256)]),
    Panel("brain: one click", "brain", [ns.Point(48, 64)]),
    Panel("cat: one click", "cat", [ON_CAT]),
    Panel("the same click: the next answer", "cat", [ON_CAT], 1),
    Panel("the same click: a third answer", "cat", [ON_CAT], 2),
    Panel("cat: three clicks", "cat",
          [ON_CAT, ns.Point(220, 220), ns.Point(20, 20, positive=False)]),
    Panel("cup: a box", "coffee", [ns.Box(12, 165, 258, 425)]),
    Panel("saucer: one click", "coffee", [ns.Point(270, 190)]),
    Panel("retina: one click", "retina", [ns.Point(700, 1150)]),
    Panel("vessel: one click", "retina", [ns.Point(344, 407)]),
)  # fmt: skip


def main(path: Path, weights: Path | None = None) -> None:
    """Draw all panels, `IN_A_ROW` in a row."""
    model = ns.load_model("compact", weights=weights)
    encoded: dict[str, Any] = {}
    drawn = [draw(model, panel, encoded) for panel in PANELS]
    rows = [drawn[i : i + IN_A_ROW] for i in range(0, len(drawn), IN_A_ROW)]
    heights = [max(panel.height for panel in row) for row in rows]
    picture = Image.new("RGB", (IN_A_ROW * SIDE, sum(heights)), "white")
    for number, row in enumerate(rows):
        for column, panel in enumerate(row):
            picture.paste(panel, (column * SIDE, sum(heights[:number])))
    picture.quantize(palette=palette(picture)).save(path, optimize=True)


def draw(model: Any, panel: Panel, encoded: dict[str, Any]) -> Image.Image:
    """Draw one panel, SIDE pixels wide: title, image, the mask's border and the prompts.

    `encoded` keeps the embeddings of samples for other panels.
    """
    image = getattr(samples, panel.sample)().image
    if image.ndim == 3 and image.shape[-1] not in (3, 4):
        image = image[len(image) // 2]
    if panel.sample not in encoded:
        encoded[panel.sample] = model.encode(image)
    answers = model.predict(encoded[panel.sample], list(panel.prompts)).alternatives
    title = panel.title
    if panel.answer < len(answers):
        mask = answers[panel.answer].mask
        title += f" (score {answers[panel.answer].score:.2f})"
    else:
        mask, title = np.zeros(answers[0].shape, bool), f"{title} (there is none)"
    height, width = mask.shape
    scale = (SIDE - 4) / max(height, width)
    size = round(height * scale), round(width * scale)
    small = resize(to_rgb(image), size, preserve_range=True, anti_aliasing=True).astype(np.uint8)
    inside = resize(mask.astype(float), size, order=1) > 0.5
    small[inside] = (0.65 * small[inside] + 0.35 * np.array(INSIDE)).astype(np.uint8)
    small[find_boundaries(inside, mode="outer")] = INSIDE
    for prompt in panel.prompts:
        _mark(small, prompt, scale)
    out = Image.new("RGB", (SIDE, size[0] + CAPTION + 6), "white")
    ImageDraw.Draw(out).text((4, 6), title, fill="black", font_size=14)
    out.paste(Image.fromarray(small), (2, CAPTION + 2))
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
    main(*map(Path, sys.argv[1:]))
