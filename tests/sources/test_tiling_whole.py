"""Everything on a big plane: one id for each object, no seams, no doubles, in any order."""

from __future__ import annotations

import numpy as np
import pytest
from discs import DiscModel
from scipy import ndimage

from napari_seem.errors import InvalidLabels
from napari_seem.images import to_rgb
from napari_seem.sources import PlaneRun, TiledModel, segment_tiled
from napari_seem.sources.frames import cores

SHAPE = (375, 525)

pytestmark = pytest.mark.usefixtures("small_frames")


def discs(rng, shape=SHAPE, count=120):
    """An image of discs that do not touch, and their labels."""
    labels = np.zeros(shape, np.int32)
    rows, cols = np.mgrid[-18:19, -18:19]
    for number in range(1, count + 1):
        radius = int(rng.integers(2, 18))
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        y0, x0 = max(0, y - 18), max(0, x - 18)
        y1, x1 = min(shape[0], y + 19), min(shape[1], x + 19)
        part = np.s_[y0 - y + 18 : y1 - y + 18, x0 - x + 18 : x1 - x + 18]
        area = labels[y0:y1, x0:x1]
        near = (rows**2 + cols**2 <= (radius + 3) ** 2)[part]
        if not area[near].any():
            area[(rows**2 + cols**2 <= radius**2)[part]] = number
    return np.where(labels > 0, 220, 20).astype(np.uint8), labels


def same_objects(labels, image):
    """Whether labels number the connected bright pixels, one id each."""
    numbered, count = ndimage.label(image > 100)
    pairs = np.unique(np.stack([numbered.ravel(), labels.ravel()]), axis=1)
    return pairs.shape[1] == count + 1 and len(np.unique(pairs[1])) == count + 1


@pytest.fixture(scope="module")
def image():
    return discs(np.random.default_rng(1))[0]


def test_each_object_has_one_id_and_no_seam(image, disc_model):
    seen = []

    found = segment_tiled(disc_model, image, progress=lambda *of: seen.append(of[:2]))

    assert disc_model.encoded > 4
    assert same_objects(found.labels, image)
    assert [one.label_id for one in found.objects] == list(range(1, found.labels.max() + 1))
    assert seen == [(n, seen[-1][1]) for n in range(seen[-1][1] + 1)]
    areas = np.bincount(found.labels.ravel())
    for one in found.objects:
        y0, x0, y1, x1 = one.bbox
        inside = found.labels[y0:y1, x0:x1] == one.label_id
        assert one.area == areas[one.label_id] == inside.sum()
        assert one.name == "disc"
        assert 0 < one.score <= 1


def test_an_object_longer_than_a_frame_has_one_id(disc_model):
    image = np.full((375, 1250), 20, np.uint8)
    image[175:190, 12:1238] = 220
    image[25:350, 625:640] = 220

    found = segment_tiled(disc_model, image)

    assert len(found.objects) == 1
    assert found.objects[0].bbox == (25, 12, 350, 1238)
    assert np.array_equal(found.labels == 1, image > 100)


def test_the_order_of_the_frames_does_not_matter(image, disc_model, rng):
    count = len(cores(image.shape))
    results = []
    for order in (range(count), rng.permutation(count)):
        run = PlaneRun(disc_model, image, order=list(order))
        assert list(run.run())[-1] == run.total
        results.append((run.labels, run.objects))
    for labels, objects in results[1:]:
        assert np.array_equal(labels, results[0][0])
        assert objects == results[0][1]


def test_labels_go_to_zarr_frame_by_frame(image, disc_model, tmp_path):
    import zarr

    out = zarr.create_array(tmp_path / "labels.zarr", shape=image.shape, chunks=(64, 64),
                            dtype="uint16")  # fmt: skip

    found = segment_tiled(disc_model, image, out=out)

    assert found.labels is out
    assert np.array_equal(out[:], segment_tiled(disc_model, image).labels)


class Shy(DiscModel):
    """Sees nothing in the first frame."""

    def encode(self, image):
        embedding = super().encode(image)
        if self.encoded == 1:
            embedding.tensors["gray"][:] = 0
        return embedding


def test_what_one_frame_alone_sees_goes_on_in_its_neighbour():
    image = np.full((225, 525), 20, np.uint8)
    core = cores(image.shape)[0][0]
    image[100:105, core[3] - 8 : core[3] + 10] = 220

    found = segment_tiled(Shy(), image)

    assert len(found.objects) == 1
    assert np.array_equal(found.labels == 1, image > 100)


def test_too_narrow_or_wrong_label_arrays_are_refused(image, disc_model):
    with pytest.raises(InvalidLabels, match="own size"):
        segment_tiled(disc_model, image, out=np.zeros((3, 3), np.uint16))
    many = np.full(SHAPE, 20, np.uint8)
    many[::12, ::12] = 220
    with pytest.raises(InvalidLabels, match="uint8"):
        segment_tiled(disc_model, many, out=np.zeros(many.shape, np.uint8))
    with pytest.raises(ValueError, match="once"):
        PlaneRun(disc_model, image, order=[0, 0])


def test_empty_frames_are_not_encoded(disc_model):
    image = np.zeros((375, 1000), np.float32)
    image[:, 500:] = np.nan
    image[75:90, 75:90] = 200

    found = segment_tiled(disc_model, image)

    assert len(found.objects) == 1
    assert disc_model.encoded < len(cores(image.shape))


def test_segment_gives_the_objects_of_the_shown_area(image, disc_model):
    tiled = TiledModel(disc_model)
    embedding = tiled.encode(image)

    part = tiled.segment(embedding, area=(125, 125, 300, 325))
    whole = tiled.segment(embedding)

    assert disc_model.encoded == 1 + len(cores(image.shape))
    gray = to_rgb(image)[..., 0]
    for segmentation in (part, whole):
        for instance in segmentation.instances:
            y0, x0, y1, x1 = instance.bbox
            assert (gray[y0:y1, x0:x1][instance.mask] > 100).all()
    assert len(whole.instances) == ndimage.label(image > 100)[1]


def test_the_semantic_map_has_no_seams(image, disc_model):
    semantic = np.zeros(SHAPE, np.uint8)

    found = segment_tiled(disc_model, image, semantic=semantic)

    assert found.semantic is semantic
    assert np.array_equal(semantic > 0, image > 100)
    whole = TiledModel(disc_model).segment(TiledModel(disc_model).encode(image))
    assert np.array_equal(whole.semantic, semantic)
    assert {s.name for s in whole.panoptic.segments} == {"disc"}


def test_a_semantic_map_that_does_not_fit_is_refused(image, disc_model):
    with pytest.raises(InvalidLabels, match="own size"):
        segment_tiled(disc_model, image, semantic=np.zeros((3, 3), np.uint8))
