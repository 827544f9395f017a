"""What a model sees of intensities, and that it can be told and done again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_seem.errors import InvalidImage
from napari_seem.intensity import IntensityWindow, difference_index, volume_window


def test_a_plain_look_gives_the_plane_itself(rng):
    plane = rng.integers(0, 999, (20, 30)).astype(np.uint16)
    assert IntensityWindow().apply(plane) is plane


@pytest.mark.parametrize(("name", "black", "white"), [
    ("soft tissue", -160, 240), ("bone", -450, 1050), ("lung", -1350, 150), ("brain", 0, 80),
])  # fmt: skip
def test_presets_show_hounsfield_units(name, black, white):
    plane = np.array([[black - 500, black, (black + white) // 2, white, white + 500]], np.int16)
    gray = IntensityWindow.named(name).apply(plane)[0, :, 0]
    assert gray[0] == gray[1] == 0
    assert 126 <= gray[2] <= 128
    assert gray[3] == gray[4] == 255


def test_a_volume_has_one_window_and_air_is_left_out(rng):
    volume = np.zeros((30, 64, 64), np.int16)
    volume[:, 16:48, 16:48] = rng.integers(100, 1100, (30, 32, 32))
    low, high = volume_window(volume)
    assert 100 <= low <= 130
    assert 1070 <= high <= 1100
    look = IntensityWindow.named("volume").resolved(volume)
    assert look.window == (low, high)
    assert look.to_dict() == {"name": "volume", "window": [low, high]}


def test_the_two_values_of_an_image_are_black_and_white():
    volume = np.zeros((3, 20, 20), np.uint8)
    volume[:, 5:9, 5:9] = 220
    look = IntensityWindow.named("volume").resolved(volume)

    assert look.window == (0, 220)
    assert np.array_equal(look.apply(volume[1])[..., 0] > 0, volume[1] > 0)


def test_only_a_few_planes_are_read_for_it():
    class Counted:
        shape, ndim, read = (1000, 512, 512), 3, 0

        def __getitem__(self, where):
            Counted.read += 1
            return np.arange(512 * 512).reshape(512, 512)[where[1:]]

    volume_window(Counted())
    assert Counted.read < 12


@given(st.tuples(st.integers(0, 4000), st.integers(0, 4000)))
def test_the_index_is_between_minus_one_and_one(pair):
    image = np.array([[pair]], np.uint16)
    value = difference_index(image, 0, 1)[0, 0]
    assert -1 <= value <= 1
    if sum(pair):
        assert value == pytest.approx((pair[0] - pair[1]) / sum(pair), abs=1e-6)


def test_vegetation_is_bright():
    image = np.zeros((2, 2, 4), np.uint8)
    image[0] = (60, 60, 60, 200)  # near infrared last
    image[1] = (120, 120, 120, 60)
    gray = IntensityWindow(bands=(3, 0), index=True).apply(image)[..., 0]
    assert (gray[0] > 150).all()
    assert (gray[1] < 110).all()


def test_false_colour_chooses_bands(rng):
    image = rng.integers(0, 255, (8, 9, 4)).astype(np.uint8)
    np.testing.assert_array_equal(
        IntensityWindow(bands=(3, 0, 1)).apply(image), image[..., [3, 0, 1]]
    )


@pytest.mark.parametrize("look", [
    IntensityWindow(), IntensityWindow.named("bone"), IntensityWindow(bands=(3, 0), index=True),
    IntensityWindow(window=(1.5, 7), bands=(2,)), IntensityWindow.named("volume"),
])  # fmt: skip
def test_what_is_told_can_be_done_again(look):
    assert IntensityWindow.from_dict(look.to_dict()) == look


def test_nonsense_is_refused():
    with pytest.raises(InvalidImage, match=r"'liver' is no intensity window.*soft tissue"):
        IntensityWindow.named("liver")
    with pytest.raises(InvalidImage, match="two bands"):
        IntensityWindow(bands=(0,), index=True).apply(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InvalidImage, match="no band 5"):
        IntensityWindow(bands=(5, 0), index=True).apply(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InvalidImage, match="upside down"):
        IntensityWindow(window=(5, 1)).apply(np.zeros((4, 4), np.int16))
