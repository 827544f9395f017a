"""The pictures the compact model learns from: real sets and the procedural pool."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image
from scipy import ndimage

from napari_seem.training import Picture
from napari_seem.training.pictures import SMALLEST_OBJECT

IdArray = npt.NDArray[np.uint16]

DOMAIN_SHARE = {
    "microscopy": 0.22, "medical": 0.24, "aerial": 0.16, "natural": 0.26, "other": 0.02,
    "video": 0.02, "volumes": 0.08,
}  # fmt: skip
"""Shares of the domains among real pictures; a domain that is not named gets `OTHER_SHARE`."""
OTHER_SHARE = 0.02
PROCEDURAL = "procedural"
PROCEDURAL_SHARE = 0.4
PARTLY_LABELLED = {
    "coco", "hbn_flakes", "hepatic_vessel", "idrid_vessels", "lung_vessels", "nasa_meltpool",
    "pumavos", "road_potholes", "sunnybrook_lv", "tree_limbs",
}  # fmt: skip
"""Sets in which an unlabelled pixel may well be an object, by the notes that come with the data.

Only the larger vessels, the top row of pools, the lane ahead, the nearest tree, the cavity without
its wall, the followed things of a video, and crowds without ids.
"""
MOST_OF_A_CLASS = 2000


def read_real(
    root: Path, without: Collection[str] = (), longest: int | None = None
) -> Iterator[Picture]:
    """Yield every picture of a folder that is laid out like shared/data/train.

    Parameters
    ----------
    root : Path
        Holds `<domain>/<set>/set.json` with `images/` and `masks/` beside it.
    without : collection of str
        Sets to leave out, as `<domain>/<set>`.
    longest : int, optional
        Side in pixels to which longer pictures are shrunk.

    Raises
    ------
    ValueError
        Where there is no set, or a set to be left out does not exist.
    """
    files = {f"{p.parts[-3]}/{p.parts[-2]}": p for p in sorted(root.glob("*/*/set.json"))}
    if not files:
        raise ValueError(f"'{root}' has no <domain>/<set>/set.json; give a folder that has")
    unknown = sorted(set(without) - set(files))
    if unknown:
        raise ValueError(f"'{root}' has no set '{unknown[0]}'; it has {', '.join(files)}")
    for group, file in files.items():
        if group not in without:
            for picture in _read_set(file, group):
                yield picture if longest is None else shrunk(picture, longest)


def read_pool(folders: Sequence[Path], longest: int | None = None) -> Iterator[Picture]:
    """Yield the pictures that `python -m training.procedural --pool` wrote."""
    if folders:
        from training.procedural import load_pool

    for folder in folders:
        for sample in load_pool(folder):
            image = sample.image
            gray = (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all()
            picture = Picture(
                image[..., 0].copy() if gray else image, sample.instances,
                {key: clean_word(word) for key, word in sample.names.items()},
                f"{PROCEDURAL}/{sample.family}",
            )  # fmt: skip
            yield picture if longest is None else shrunk(picture, longest)


def shrunk(picture: Picture, longest: int) -> Picture:
    """A picture whose longer side is at most `longest` pixels.

    Pixel i covers [i, i + 1) in both: the image is averaged under a Lanczos kernel, ids are read
    at the centres of the new pixels; where these lie between two pixels, on either side in turn.
    """
    height, width = picture.instances.shape
    scale = longest / max(height, width)
    if scale >= 1:
        return picture
    size = tuple(max(1, round(side * scale)) for side in (height, width))
    image = Image.fromarray(picture.image).resize(size[::-1], Image.Resampling.LANCZOS)
    rows, cols = (
        ((np.arange(new) + 0.5) * old / new - 1e-6 * (np.arange(new) % 2)).astype(int)
        for new, old in zip(size, (height, width), strict=True)
    )
    return replace(picture, image=np.asarray(image), instances=picture.instances[rows][:, cols])


def vocabulary(pictures: Iterable[Picture]) -> tuple[str, ...]:
    """Every class word of the corpus, sorted."""
    return tuple(sorted({word for picture in pictures for word in picture.names.values()}))


def group_weights(pictures: Iterable[Picture]) -> dict[str, float]:
    """Share of each group: by domain, then by the square root of its number of pictures.

    Domains that are not there leave their share to the others; the sum is 1.
    """
    counts = Counter(picture.group for picture in pictures)
    roots: dict[str, dict[str, float]] = {}
    for group, count in counts.items():
        roots.setdefault(group.split("/")[0], {})[group] = count**0.5
    real = {domain: DOMAIN_SHARE.get(domain, OTHER_SHARE) for domain in roots}
    drawn = real.pop(PROCEDURAL, None)
    total = sum(real.values())
    left = 1.0 if drawn is None else 1 - PROCEDURAL_SHARE
    shares = {domain: left * share / total for domain, share in real.items()}
    if drawn is not None:
        shares[PROCEDURAL] = PROCEDURAL_SHARE if real else 1.0
    return {
        group: shares[domain] * root / sum(groups.values())
        for domain, groups in roots.items()
        for group, root in groups.items()
    }


def clean_word(name: str) -> str:
    """A class name as a person would type it."""
    return name.lower().split(" (")[0].replace("_", " ").strip()


def _read_set(file: Path, group: str) -> Iterator[Picture]:
    info = json.loads(file.read_text(encoding="utf-8"))
    for item in info["items"].values():
        image, mask = _read(file.parent / item["image"]), _read(file.parent / item["mask"])
        if info["kind"].endswith("volume"):
            planes = _planes_of(image, mask, many=len(info["items"]) < 20)
        else:
            planes = iter([(image, mask)])
        for plane, plane_mask in planes:
            yield _picture(plane, plane_mask, info, item, group)


def _picture(
    image: npt.NDArray[Any], mask: npt.NDArray[Any], info: dict[str, Any], item: dict[str, Any],
    group: str,
) -> Picture:  # fmt: skip
    classes = {key: clean_word(value) for key, value in info["classes"].items()}
    if info["kind"].startswith("instance"):
        instances, ids = _consecutive(mask)
        objects = {int(k): clean_word(v) for k, v in item.get("objects", {}).items()}
        every = classes.get("*")
        names = {number: objects.get(int(i), every) for number, i in enumerate(ids, 1)}
        known = {number: word for number, word in names.items() if word}
    else:
        instances, known = _split_classes(mask, classes)
    return Picture(
        _to_uint8(image), instances, known, group, group.split("/")[1] in PARTLY_LABELLED
    )


def _consecutive(mask: npt.NDArray[Any]) -> tuple[IdArray, npt.NDArray[Any]]:
    """Ids 1..n of the objects in a mask, and what they were before."""
    before, numbers = np.unique(mask, return_inverse=True)
    shift = int(before[0] != 0)
    return (numbers.reshape(mask.shape) + shift).astype(np.uint16), before[1 - shift :]


def _split_classes(
    mask: npt.NDArray[Any], classes: dict[str, str]
) -> tuple[IdArray, dict[int, str]]:
    """Connected components of each class."""
    instances = np.zeros(mask.shape, np.uint16)
    names: dict[int, str] = {}
    last = 0
    for value in np.flatnonzero(np.bincount(mask.ravel()))[1:]:
        parts, count = ndimage.label(mask == value, np.ones((3, 3)))
        keep = np.flatnonzero(np.bincount(parts.ravel()) >= SMALLEST_OBJECT)
        keep = keep[keep > 0][:MOST_OF_A_CLASS]
        numbers = np.zeros(count + 1, np.uint16)
        numbers[keep] = np.arange(last + 1, last + 1 + len(keep))
        instances = np.where(parts > 0, numbers[parts], instances)
        word = classes.get(str(value))
        if word:
            names.update({last + 1 + i: word for i in range(len(keep))})
        last += len(keep)
    return instances.astype(np.uint16), names


def _planes_of(
    image: npt.NDArray[Any], mask: npt.NDArray[Any], many: bool
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """A few planes along every axis of a volume, as far as they have objects."""
    low, high = np.percentile(image, [0.5, 99.5])
    for axis in range(3):
        size = mask.shape[axis]
        positions = np.linspace(size * 0.15, size * 0.85, 16 if many else 2).astype(int)
        for position in np.unique(positions):
            plane_mask = np.take(mask, position, axis)
            if min(plane_mask.shape) < 24 or not plane_mask.any():
                continue
            plane = np.take(image, position, axis).astype(np.float32)
            scaled = np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255
            yield scaled.astype(np.uint8), plane_mask.astype(np.int64)


def _read(file: Path) -> npt.NDArray[Any]:
    if file.name.endswith((".nii", ".nii.gz")):
        import nibabel

        return np.asanyarray(nibabel.load(file).dataobj)
    if file.suffix in (".tif", ".tiff"):
        return tifffile.imread(file)
    with Image.open(file) as image:
        return np.asarray(image)


def _to_uint8(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if image.ndim == 3:
        image = image[..., :3]
    if image.dtype == np.uint8:
        return image
    low, high = np.percentile(image, [0.5, 99.5])
    scaled = np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255
    return scaled.astype(np.uint8)
