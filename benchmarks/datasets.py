"""Objects to be segmented, out of any folder laid out like `shared/data`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_seem.errors import InvalidImage

SMALLEST = 16
"""Objects of fewer pixels are left out."""
SMALLEST_SHARE = 1e-4
"""Objects of a smaller share of the image are left out."""
PER_IMAGE = 4
"""At most so many objects of one image."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Picture:
    """One image with its objects: ids in `instances` (H, W), class words in `names`."""

    image: npt.NDArray[Any] = field(repr=False)
    instances: npt.NDArray[np.int64] = field(repr=False)
    names: dict[int, str]
    stem: str


@dataclass(frozen=True)
class ObjectSet:
    """A set of images.

    Attributes
    ----------
    name : str
        `<domain>/<set>`.
    folder : Path
    other_source : bool
        No image of the same source is in a train half; never true of the train half itself.
    """

    name: str
    folder: Path
    other_source: bool

    @property
    def domain(self) -> str:
        """The first part of the name."""
        return self.name.split("/")[0]

    def pictures(self, seed: int, most: int) -> Iterator[Picture]:
        """At most `most` images of the set, in an order drawn from `seed`."""
        info = json.loads((self.folder / "set.json").read_text(encoding="utf-8"))
        stems = sorted(info["items"])
        rng = np.random.default_rng([seed, *self.name.encode()])
        for stem in [stems[i] for i in rng.permutation(len(stems))][:most]:
            item = info["items"][stem]
            image = read_image(self.folder / item["image"])
            mask = read_image(self.folder / item["mask"])
            if info["kind"].endswith("volume"):
                image, mask = _one_plane(image, mask, rng)
            instances, names = _objects(mask.astype(np.int64), info, item)
            yield Picture(image, instances, names, stem)


def find_sets(root: Path, words: Sequence[str] | None = None) -> list[ObjectSet]:
    """All sets below a folder: a whole collection, a half of it, a domain, or one set.

    With `words`, those only whose name holds one of them.

    Raises
    ------
    InvalidImage
        Where there is none.
    """
    sets = []
    for path in sorted(root.resolve().glob("**/set.json")):
        folder = path.parent  # <half>/<domain>/<set>
        half = folder.parents[1]
        trained = half.parent / "train" / folder.parent.name / folder.name
        other = half.name != "train" and not trained.exists()
        sets.append(ObjectSet(f"{folder.parent.name}/{folder.name}", folder, other))
    if not sets:
        raise InvalidImage(
            f"there is no set.json below '{root}'; give a folder laid out as "
            "<domain>/<set>/set.json with images/ and masks/"
        )
    return [one for one in sets if not words or any(word in one.name for word in words)]


def sample_objects(chosen: ObjectSet, seed: int, count: int) -> Iterator[tuple[Picture, list[int]]]:
    """At most `count` objects of a set, at most `PER_IMAGE` of an image, spread over images."""
    rng = np.random.default_rng([seed, 1, *chosen.name.encode()])
    left = count
    for picture in chosen.pictures(seed, most=count):
        ids = usable_ids(picture.instances)
        if not len(ids):
            continue
        picks = rng.permutation(ids)[: min(PER_IMAGE, left)]
        yield picture, [int(i) for i in picks]
        left -= len(picks)
        if left <= 0:
            return


def usable_ids(instances: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Ids of the objects that are large enough."""
    areas = np.bincount(instances.ravel())
    areas[0] = 0
    return np.flatnonzero(areas >= max(SMALLEST, SMALLEST_SHARE * instances.size))


def _objects(
    mask: npt.NDArray[np.int64], info: dict[str, Any], item: dict[str, Any]
) -> tuple[npt.NDArray[np.int64], dict[int, str]]:
    """Instance ids and their words; a semantic mask falls into connected components."""
    classes = {key: value.lower() for key, value in info["classes"].items()}
    if info["kind"].startswith("instance"):
        objects = {int(k): v.lower() for k, v in item.get("objects", {}).items()}
        ids = np.unique(mask)[1:] if (mask == 0).any() else np.unique(mask)
        names = {int(i): objects.get(int(i), classes.get("*", "")) for i in ids}
        return mask, {key: word for key, word in names.items() if word}
    instances = np.zeros_like(mask)
    names, last = {}, 0
    for value in np.unique(mask[mask > 0]):
        parts, count = ndimage.label(mask == value, np.ones((3, 3)))
        instances[parts > 0] = parts[parts > 0] + last
        word = classes.get(str(value))
        if word:
            names.update(dict.fromkeys(range(last + 1, last + count + 1), word))
        last += count
    return instances, names


def _one_plane(
    image: npt.NDArray[Any], mask: npt.NDArray[Any], rng: np.random.Generator
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """A plane across the shortest axis that holds objects."""
    axis = int(np.argmin(mask.shape[:3]))
    others = tuple(i for i in range(mask.ndim) if i != axis)
    filled = np.flatnonzero((mask > 0).any(axis=others))
    position = int(rng.choice(filled)) if filled.size else mask.shape[axis] // 2
    return np.take(image, position, axis), np.take(mask, position, axis)


def read_image(path: Path) -> npt.NDArray[Any]:
    """An image, mask or volume file as an array."""
    if path.name.endswith((".nii", ".nii.gz")):
        import nibabel

        file: Any = nibabel.load(path)
        return np.asanyarray(file.dataobj)
    from skimage.io import imread

    return imread(path)
