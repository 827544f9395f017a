"""Finding a word in planes: what comes out, what is kept in memory, what bad input says."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

import napari_seem as ns
from napari_seem.embeddings import EmbeddingCache, key_of
from napari_seem.errors import InvalidImage, InvalidPrompt, UnknownWord, UnsupportedPrompt
from napari_seem.intensity import IntensityWindow
from napari_seem.query import (
    check_words,
    find,
    plane_sources_of_array,
    plane_sources_of_files,
    run,
    search,
)
from napari_seem.samples import stack


class Counted:
    """A lazy array that notes which planes were read."""

    def __init__(self, array):
        self.array, self.read = array, []
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype

    def __getitem__(self, where):
        self.read.append(where[0])
        return self.array[where]


@pytest.fixture
def volume(disc_image):
    """Four planes: two discs, none, the left one, two again."""
    image, labels = disc_image
    planes = [image, np.full_like(image, 20), np.where(labels == 1, image, 20), image]
    return np.stack(planes).astype(np.uint8)


def test_findings_carry_place_box_score_and_mask(disc_model, volume, disc_image):
    found = list(find(disc_model, plane_sources_of_array(volume), "disc"))

    assert [one.place.position for one in found] == [0, 0, 2, 3, 3]
    first = found[0]
    y0, x0, y1, x1 = first.bbox
    np.testing.assert_array_equal(first.mask, disc_image[1][y0:y1, x0:x1] == 1)
    assert first.area == (disc_image[1] == 1).sum()
    assert first.score == 0.99
    assert first.word == "disc"
    assert found[0].score >= found[1].score


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_stack_is_cut_along_any_axis(disc_model, volume, axis):
    turned = np.moveaxis(volume, 0, axis)

    found = list(find(disc_model, plane_sources_of_array(turned, axis), "disc"))

    assert [one.place.position for one in found] == [0, 0, 2, 3, 3]


def test_nothing_is_read_before_its_turn(disc_model, volume):
    array = Counted(volume)
    findings = find(disc_model, plane_sources_of_array(array), "disc")
    assert array.read == []
    next(findings)
    assert array.read == [0]


def test_dask_and_zarr_give_the_same_as_numpy(disc_model, volume, tmp_path):
    dask = pytest.importorskip("dask.array")
    zarr = pytest.importorskip("zarr")
    stored = zarr.open_array(tmp_path / "v.zarr", shape=volume.shape, chunks=(1, 32, 32),
                             dtype=volume.dtype, mode="w")  # fmt: skip
    stored[...] = volume

    def boxes(array):
        return [
            (f.place.position, f.bbox)
            for f in find(disc_model, plane_sources_of_array(array), "disc")
        ]

    assert boxes(volume) == boxes(dask.from_array(volume, chunks=(1, 32, 32))) == boxes(stored)


def test_a_look_decides_what_the_model_sees(disc_model, volume):
    dark = volume.astype(np.uint16) + 1000
    look = IntensityWindow(window=(1000, 1255))

    found = list(find(disc_model, plane_sources_of_array(dark, look=look), "disc"))
    assert [one.place.position for one in found] == [0, 0, 2, 3, 3]

    unseen = IntensityWindow(window=(3000, 4000))
    assert list(find(disc_model, plane_sources_of_array(dark, look=unseen), "disc")) == []


def test_pictures_are_small_and_show_the_outline(disc_model, volume):
    one = next(find(disc_model, plane_sources_of_array(volume), "disc"))

    picture = one.picture
    assert picture.dtype == np.uint8
    assert max(picture.shape[:2]) == 88
    line = (picture == (255, 214, 10)).all(axis=2)
    assert 100 < line.sum() < 800
    assert np.abs(np.argwhere(line).mean(0) - 44).max() < 3
    assert one.nbytes < 8000


def test_a_picture_at_the_rim_and_of_a_whole_plane(disc_model):
    image = np.full((40, 90), 20, np.uint8)
    image[:, :30] = 220
    one = next(find(disc_model, plane_sources_of_array(image), "disc"))
    assert one.bbox == (0, 0, 40, 30)
    assert one.picture.shape[2] == 3
    assert (one.picture == (255, 214, 10)).all(axis=2).any()


def test_the_least_score_holds(disc_model, volume):
    assert len(list(find(disc_model, plane_sources_of_array(volume), "disc", least=0.985))) == 3


def test_planes_encoded_already_are_not_encoded_again(disc_model, volume):
    cache = EmbeddingCache()
    list(find(disc_model, plane_sources_of_array(volume), "disc", cache=cache))
    # two planes are the same; the fourth is a look at nothing that tells whether the word is known
    assert disc_model.encoded == 3 + 1

    list(find(disc_model, plane_sources_of_array(volume), "disc", cache=cache))
    assert disc_model.encoded == 3 + 1 + 1


def test_a_full_cache_keeps_what_it_has_and_the_search_goes_on(disc_model, volume):
    plane = volume[1]
    cache = EmbeddingCache(max_bytes=disc_model.encode(plane).nbytes)
    kept = key_of(disc_model, plane)
    cache.get_or_encode(kept, lambda: disc_model.encode(plane))

    assert len(list(find(disc_model, plane_sources_of_array(volume), "disc", cache=cache))) == 5
    assert kept in cache


def test_it_stops_when_it_may_not_go_on(disc_model, volume):
    left = [True, True, False]
    seen = search(disc_model, plane_sources_of_array(volume), "disc", may_go_on=lambda: left.pop(0))
    assert len(list(seen)) == 2


def test_big_planes_are_searched_in_frames_and_can_be_stopped_between(disc_model):
    image = np.full((2300, 2200), 20, np.uint8)
    rows, cols = np.ogrid[:2300, :2200]
    discs = [(400, 500, 40), (1010, 1100, 90), (2200, 2100, 30)]
    for y, x, radius in discs:
        image[(rows - y) ** 2 + (cols - x) ** 2 <= radius**2] = 220
    found = sorted(
        find(disc_model, plane_sources_of_array(image), "disc"), key=lambda one: one.bbox
    )

    assert [one.bbox for one in found] == [
        (y - r, x - r, y + r + 1, x + r + 1) for y, x, r in discs
    ]
    for one, (y, x, _) in zip(found, discs, strict=True):
        assert one.mask[y - one.bbox[0], x - one.bbox[1]]
        assert max(one.picture.shape[:2]) == 88
    asked = []

    def some():
        asked.append(True)
        return len(asked) < 4

    assert list(search(disc_model, plane_sources_of_array(image), "disc", may_go_on=some)) == []
    assert len(asked) == 4


def test_labels_of_a_very_big_plane_lie_in_a_file(disc_model, monkeypatch):
    monkeypatch.setattr(run, "IN_MEMORY", 1000)
    image = np.full((2100, 300), 20, np.uint8)
    image[1000:1100, 100:200] = 220

    (one,) = find(disc_model, plane_sources_of_array(image), "disc")

    assert one.bbox == (1000, 100, 1100, 200)
    assert one.area == 10_000


@pytest.mark.parametrize("word", ["flux capacitor", "dics"])
def test_an_unknown_word_names_the_nearest_before_anything_is_read(disc_model, volume, word):
    array = Counted(volume)
    with pytest.raises(UnknownWord) as refused:
        list(find(disc_model, plane_sources_of_array(array), word))
    assert refused.value.nearest == ("disc",)
    assert array.read == []


@pytest.mark.parametrize(("word", "told"), [("x" * 500, "500 characters"), ("  ", "type one")])
def test_words_that_are_none(disc_model, word, told):
    with pytest.raises(InvalidPrompt, match=told):
        check_words(disc_model, word)


def test_a_model_that_takes_no_words_is_refused(disc_model):
    disc_model.capabilities = frozenset()
    with pytest.raises(UnsupportedPrompt, match="compact"):
        check_words(disc_model, "disc")


def test_arrays_of_other_axes_are_refused():
    with pytest.raises(InvalidImage, match="shape"):
        plane_sources_of_array(np.zeros((2, 2, 2, 2, 2)))
    with pytest.raises(InvalidImage, match="axis 5"):
        plane_sources_of_array(np.zeros((2, 20, 20)), axis=5)


def test_a_file_that_cannot_be_read_ends_nothing(disc_model, tmp_path, disc_image, volume):
    imsave(tmp_path / "a.png", disc_image[0], check_contrast=False)
    (tmp_path / "b.png").write_text("x")
    tifffile.imwrite(tmp_path / "c.tif", volume, imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(tmp_path / "d.tif", np.full((30, 30), np.nan, np.float32))
    paths = [*sorted(tmp_path.iterdir()), tmp_path / "gone.tif"]

    seen = list(search(disc_model, plane_sources_of_files(paths), "disc"))

    assert [(s.place.title, len(s.findings)) for s in seen] == [
        ("a.png", 2), ("b.png", 0), ("c.tif plane 0", 2), ("c.tif plane 1", 0),
        ("c.tif plane 2", 1), ("c.tif plane 3", 2), ("d.tif", 0), ("gone.tif", 0),
    ]  # fmt: skip
    told = {s.place.title: s.problem for s in seen if s.problem}
    assert list(told) == ["b.png", "d.tif", "gone.tif"]
    assert "b.png" in told["b.png"]
    assert "finite" in told["d.tif"]
    with pytest.raises(InvalidImage, match=r"gone\.tif"):
        list(find(disc_model, plane_sources_of_files(paths[-1:]), "disc"))


def test_the_compact_model_finds_nuclei_in_a_stack():
    model = ns.load_model("compact", device="cpu")
    sample = stack(seed=1, shape=(6, 96, 96))

    found = list(find(model, plane_sources_of_array(sample.image[1:4]), "nuclei", least=0.6))

    assert {one.word for one in found} == {"nucleus"}
    hits = 0
    for one in found:
        y0, x0, y1, x1 = one.bbox
        truth = sample.truth[1 + one.place.position][y0:y1, x0:x1]
        same = truth == np.bincount(truth[one.mask]).argmax()
        hits += bool((one.mask & same & (truth > 0)).sum() > 0.5 * (one.mask | same).sum())
    assert hits >= 6
