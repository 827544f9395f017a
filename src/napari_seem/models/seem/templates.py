"""The sentences into which names are put: the ImageNet templates of CLIP (Radford et al., 2021)."""

from __future__ import annotations

_WITH_A_AND_THE = (
    "a bad photo of {} {{}}.",
    "a rendering of {} {{}}.",
    "a cropped photo of {} {{}}.",
    "a photo of {} hard to see {{}}.",
    "a bright photo of {} {{}}.",
    "a dark photo of {} {{}}.",
    "a drawing of {} {{}}.",
    "a close-up photo of {} {{}}.",
    "a black and white photo of {} {{}}.",
    "a painting of {} {{}}.",
    "a pixelated photo of {} {{}}.",
    "a sculpture of {} {{}}.",
    "a jpeg corrupted photo of {} {{}}.",
    "a blurry photo of {} {{}}.",
    "a good photo of {} {{}}.",
    "a doodle of {} {{}}.",
    "a sketch of {} {{}}.",
    "a low resolution photo of {} {{}}.",
    "a rendition of {} {{}}.",
    "a tattoo of {} {{}}.",
    "a photo of {} {{}}.",
    "a photo of {} clean {{}}.",
    "a photo of {} dirty {{}}.",
    "a photo of {} cool {{}}.",
    "a photo of {} large {{}}.",
    "a photo of {} nice {{}}.",
    "a photo of {} small {{}}.",
    "a photo of {} weird {{}}.",
    "art of {} {{}}.",
    "graffiti of {} {{}}.",
    "itap of {} {{}}.",
    "{} cartoon {{}}.",
    "{} embroidered {{}}.",
    "{} origami {{}}.",
    "{} plastic {{}}.",
    "{} plushie {{}}.",
    "{} toy {{}}.",
)
_ALONE = (
    "a photo of many {}.",
    "a photo of my {}.",
    "a photo of one {}.",
    "itap of my {}.",
    "a {} in a video game.",
    "the {} in a video game.",
)
TEMPLATES = (
    tuple(template.format(article) for template in _WITH_A_AND_THE for article in ("a", "the"))
    + _ALONE
)
