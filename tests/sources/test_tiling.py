"""Clicks on planes too big for one pass: only what they touch is read, objects come out whole."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from napari_seem.embeddings import EmbeddingCache
from napari_seem.errors import InvalidImage, InvalidPrompt
from napari_seem.prompts import Box, Mask, Point, Polygon, Reference, Scribble, Text
from napari_seem.session import Session
from napari_seem.sources import TiledModel

SIDE, SIZE = 256, 1500
DISCS = {"small": (250, 258, 15), "corner": (750, 750, 175), "edge": (10, 1490, 22),
         "large": (1175, 300, 250)}  # fmt: skip
"""(row, column, radius) of bright discs; the corner disc lies across four frames of any grid."""


pytestmark = pytest.mark.usefixtures("small_frames")


def draw(shape, discs, dtype=np.uint8):
    image = np.full(shape, 20, dtype)
    for y, x, radius in discs:
        rows = np.arange(max(0, y - radius), min(shape[0], y + radius + 1))
        cols = np.arange(max(0, x - radius), min(shape[1], x + radius + 1))
        inside = (rows[:, None] - y) ** 2 + (cols[None, :] - x) ** 2 <= radius**2
        image[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1][inside] = 220
    return image


@dataclass
class Counted:
    """An array that counts what is read of it, as one on disk would have to."""

    array: np.ndarray
    pixels: int = 0
    reads: list = field(default_factory=list)

    @property
    def shape(self):
        return self.array.shape

    @property
    def dtype(self):
        return self.array.dtype

    def __getitem__(self, index):
        part = self.array[index]
        self.pixels += part.size
        self.reads.append(part.shape)
        return part


@pytest.fixture(scope="module")
def plane():
    return draw((SIZE, SIZE), DISCS.values())


@pytest.fixture
def tiled(disc_model):
    return TiledModel(disc_model)


def iou(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def truth(name):
    return draw((SIZE, SIZE), [DISCS[name]]) > 100


def test_a_click_reads_one_frame_and_a_sparse_sample(plane, tiled, disc_model):
    counted = Counted(plane)
    embedding = tiled.encode(counted)
    assert counted.pixels == 0

    prediction = tiled.predict(embedding, [Point(250, 258)])

    assert np.array_equal(prediction.mask, truth("small"))
    assert disc_model.encoded == 1
    assert counted.pixels <= SIDE**2 + 64 * 64**2
    before = counted.pixels
    tiled.predict(embedding, [Point(247, 260), Point(253, 250)])
    assert (disc_model.encoded, counted.pixels) == (1, before)


def test_an_answer_holds_no_array_of_the_planes_size(plane, tiled):
    prediction = tiled.predict(tiled.encode(plane), [Point(250, 258)])

    part, (y, x) = prediction.cut_out()
    assert part.shape == (31, 31)
    assert prediction.bbox == (y, x, y + 31, x + 31) == (235, 243, 266, 274)
    assert prediction.values.nbytes < 20_000
    assert prediction.shape == plane.shape
    assert np.array_equal(prediction.logits > 0, prediction.mask)


@pytest.mark.parametrize("name", ["corner", "large"])
@pytest.mark.parametrize("where", ["center", "side"])
def test_an_object_across_frames_comes_out_whole(plane, tiled, name, where):
    y, x, radius = DISCS[name]
    click = Point(y, x) if where == "center" else Point(y - radius + 8, x)

    prediction = tiled.predict(tiled.encode(plane), [click])

    assert iou(prediction.mask, truth(name)) > 0.995


def test_an_object_at_the_planes_corner(plane, tiled, disc_model):
    prediction = tiled.predict(tiled.encode(plane), [Point(0, SIZE - 1)])
    assert np.array_equal(prediction.mask, truth("edge"))
    assert disc_model.encoded == 1


@pytest.mark.parametrize("kind", ["dask", "zarr", "pyramid", "colour", "uint16"])
def test_every_kind_of_array_gives_the_same_answer(plane, disc_model, kind, tmp_path):
    def answers(image):
        tiled = TiledModel(disc_model)
        embedding = tiled.encode(image)
        return [tiled.predict(embedding, [Point(*DISCS[n][:2])]).mask for n in ("small", "corner")]

    if kind == "dask":
        import dask.array

        image = dask.array.from_array(plane, chunks=125)
    elif kind == "zarr":
        import zarr

        image = zarr.create_array(tmp_path / "a.zarr", shape=plane.shape, chunks=(128, 128),
                                  dtype=plane.dtype)  # fmt: skip
        image[:] = plane
    elif kind == "pyramid":
        image = [plane, plane[::2, ::2], plane[::4, ::4], plane[::8, ::8]]
    elif kind == "colour":
        image = np.repeat(plane[..., None], 3, axis=2)
    else:
        image = plane.astype(np.uint16) * 20

    small, corner = answers(image)

    assert np.array_equal(small, truth("small"))
    assert iou(corner, truth("corner")) > 0.995


def test_a_pyramid_serves_the_coarse_frames(plane, tiled):
    levels = [Counted(plane), Counted(plane[::2, ::2]), Counted(plane[::4, ::4])]

    tiled.predict(tiled.encode(levels), [Box(550, 550, 950, 950)])

    assert levels[2].pixels == SIDE**2
    assert max(shape[0] for level in levels for shape in level.reads) <= SIDE


def test_prompts_of_every_kind_mean_the_same_as_on_a_small_plane(plane, tiled, disc_model):
    y, x, _ = DISCS["small"]
    stroke = np.zeros((3, 11), bool)
    stroke[1] = True
    around = Polygon(np.array([[y - 5, x - 5], [y - 5, x + 5], [y + 5, x]]))
    embedding = tiled.encode(plane)
    for prompt in (
        Box(y - 18, x - 18, y + 18, x + 18), around, Scribble(stroke, corner=(y - 1, x - 5)),
        Mask(np.ones((12, 12), bool), corner=(y - 6, x - 6)),
    ):  # fmt: skip
        assert np.array_equal(tiled.predict(embedding, [prompt]).mask, truth("small")), prompt


def test_prompts_far_apart_are_seen_together(plane, tiled):
    prediction = tiled.predict(tiled.encode(plane), [Point(250, 258), Point(750, 750)])

    assert iou(prediction.mask, truth("small") | truth("corner")) > 0.99


def test_a_word_is_looked_for_in_the_whole_plane(tiled):
    image = draw((975, 975), [(470, 480, 420)])  # several frames each way, a disc across most
    prediction = tiled.predict(tiled.encode(image), [Text("disc")])

    assert prediction.label == "disc"
    assert iou(prediction.mask, image > 100) > 0.99


def test_a_reference_into_a_big_plane(plane, tiled):
    embedding = tiled.encode(plane)
    like = Reference(embedding, truth("small"))

    prediction = tiled.predict(embedding, [Point(250, 258, positive=False), like])

    assert prediction.shape == plane.shape


def test_sessions_undo_and_memory(plane, tiled):
    session = Session(tiled, tiled.encode(plane))

    first = session.add(Point(250, 258))
    second = session.add(Point(250, 266, positive=False))

    assert first.memory.inner == (1,)
    assert second.memory.inner == (1, 2)
    assert second.mask.sum() < first.mask.sum()
    assert session.undo() is first
    labels = np.zeros(plane.shape, np.uint8)
    edit = session.commit(3, labels)
    edit.apply(labels)
    assert np.array_equal(labels == 3, truth("small"))
    assert edit.nbytes < 25_000


def test_memory_that_does_not_fit_is_left_out(plane, tiled):
    embedding = tiled.encode(plane)
    first = tiled.predict(embedding, [Point(250, 258)])

    second = tiled.predict(embedding, [Point(250, 258), Point(750, 750)], first.memory)

    assert second.memory.inner == (2,)


def test_the_cache_stays_within_its_bytes(plane, disc_model):
    one_frame = SIDE**2 * 4
    cache = EmbeddingCache(3 * one_frame)
    tiled = TiledModel(disc_model, cache)
    embedding = tiled.encode(plane)
    for y in range(50, SIZE, 200):
        tiled.predict(embedding, [Box(y, 750, y + 5, 755)])
        assert cache.nbytes <= 3 * one_frame
    assert len(cache) == 3


def test_all_frames_are_shown_alike(disc_model, rng):
    image = rng.normal(100, 5, (750, 750)).astype(np.float32)
    image[:, 375:] += 400
    tiled = TiledModel(disc_model)
    embedding = tiled.encode(image)
    levels = [
        float(tiled.tile(embedding, frame).tensors["gray"].mean())
        for frame in (_frame(0, 0), _frame(475, 475))
    ]
    assert levels[0] < 0.1 < 0.9 < levels[1]


def _frame(y, x):
    from napari_seem.sources.frames import Frame

    return Frame(1, y, x, y + SIDE, x + SIDE)


def test_what_is_no_plane_is_refused(tiled, plane, disc_model):
    with pytest.raises(InvalidImage, match="3000"):
        tiled.encode(np.zeros((4, 700, 3000)))
    with pytest.raises(InvalidPrompt, match="outside"):
        tiled.predict(tiled.encode(plane), [Point(SIZE, 1)])
    with pytest.raises(InvalidPrompt, match="reaches out"):
        tiled.predict(tiled.encode(plane), [Mask(np.ones((9, 9), bool), corner=(SIZE - 5, 0))])
    with pytest.raises(InvalidPrompt, match="encoded as one"):
        tiled.predict(disc_model.encode(plane[:99, :99]), [Point(3, 3)])
    with pytest.raises(InvalidPrompt, match="another image"):
        tiled.predict(tiled.encode(plane), [Point(3, 3)], memory=(1,))
