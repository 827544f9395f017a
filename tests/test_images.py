"""Any image becomes 8-bit RGB, or is refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.errors import InvalidImage
from napari_seem.images import WINDOWS, to_rgb


def test_8_bit_rgb_passes_unchanged_and_alpha_is_dropped(rng):
    image = rng.integers(0, 256, (9, 7, 4), dtype=np.uint8)

    assert np.array_equal(to_rgb(image[..., :3]), image[..., :3])
    assert np.array_equal(to_rgb(image), image[..., :3])


def test_8_bit_gray_is_repeated_not_stretched():
    gray = np.array([[100, 101], [102, 103]], np.uint8)

    assert np.array_equal(to_rgb(gray), np.stack([gray] * 3, axis=2))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int64", "float16", "float32", "float64"])
def test_other_dtypes_are_stretched_between_their_percentiles(dtype):
    ramp = np.tile(np.arange(200), (50, 1)).astype(dtype)

    rgb = to_rgb(ramp)

    assert rgb.shape == (50, 200, 3)
    assert rgb.dtype == np.uint8
    assert rgb[0, 0, 0] == 0
    assert rgb[0, -1, 0] == 255
    assert abs(int(rgb[0, 100, 0]) - 128) <= 3
    assert (np.diff(rgb[0, :, 0].astype(int)) >= 0).all()


def test_a_bool_image_is_black_and_white():
    assert np.unique(to_rgb(np.eye(20, dtype=bool))).tolist() == [0, 255]


def test_outliers_and_missing_values_do_not_spoil_the_stretch():
    ramp = np.tile(np.arange(200.0), (50, 1))
    spoiled = ramp.copy()
    spoiled[0, :4] = np.nan, np.inf, -np.inf, 1e9

    rgb = to_rgb(spoiled)

    assert np.abs(rgb[1:].astype(int) - to_rgb(ramp)[1:]).max() <= 3
    assert rgb[0, :4, 0].tolist() == [0, 255, 0, 255]


def test_a_window_shows_its_ends_as_black_and_white():
    hounsfield = np.array([[-1000, -160, 40, 240, 3000]], np.int16)

    rgb = to_rgb(hounsfield, window=WINDOWS["soft tissue"])

    assert rgb[0, :, 0].tolist() == [0, 0, 127, 255, 255]


def test_bands_choose_channels_and_two_leave_blue_empty(rng):
    image = rng.integers(0, 256, (5, 6, 7), dtype=np.uint8)

    assert np.array_equal(to_rgb(image), image[..., :3])
    assert np.array_equal(to_rgb(image, bands=(6, 0, 3)), image[..., [6, 0, 3]])
    assert np.array_equal(to_rgb(image, bands=(4,)), image[..., [4, 4, 4]])
    two = to_rgb(image[..., :2])
    assert np.array_equal(two[..., :2], image[..., :2])
    assert not two[..., 2].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (4, 4)])
def test_flat_and_thin_images_are_legal(shape):
    flat = to_rgb(np.full(shape, 7.5, np.float32))

    assert flat.shape == (*shape, 3)
    assert np.unique(flat).size == 1


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), complex), "complex128"),
        (np.zeros((4, 4), object), "object"),
        (np.full((4, 4), "a"), "dtype"),
        (np.full((4, 4), np.nan), "no finite value"),
        (np.zeros((0, 4)), "no pixel"),
        (np.zeros(4), "one plane"),
        (np.zeros((2, 3, 4, 5)), "one plane"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(InvalidImage, match=message):
        to_rgb(image)


def test_an_upside_down_window_and_absent_bands_are_refused():
    with pytest.raises(InvalidImage, match="upside down"):
        to_rgb(np.zeros((4, 4)), window=(10, -10))
    with pytest.raises(InvalidImage, match="2 channels"):
        to_rgb(np.zeros((4, 4, 2)), bands=(0, 2))


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.float64])
def test_small_differences_of_large_values_are_seen(dtype):
    ramp = np.tile(np.arange(256), (8, 1)).astype(dtype) + dtype(3_000_000_000)
    seen = to_rgb(ramp, window=(3_000_000_000, 3_000_000_255))
    np.testing.assert_array_equal(seen[0, :, 0], np.arange(256))
