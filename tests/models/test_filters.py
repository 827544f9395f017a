"""Which found objects are wanted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.errors import InvalidArgument, InvalidPrompt
from napari_seem.models.base import Instance, Segmentation
from napari_seem.models.filters import Wanted, filtered, united


def square(corner, side, score=0.5, label=None):
    y, x = corner
    return Instance(np.ones((side, side), bool), (y, x, y + side, x + side), score, label)


@pytest.fixture
def found():
    small, large = square((0, 0), 2, 0.9, "nucleus"), square((10, 10), 6, 0.6, "cell")
    return Segmentation((20, 20), (small, large, square((4, 4), 3, 0.5)))


@pytest.mark.parametrize(
    ("wanted", "areas"),
    [
        (Wanted(), [4, 36, 9]), (Wanted(min_area=9), [36, 9]), (Wanted(max_area=9), [4, 9]),
        (Wanted(min_score=0.6), [4, 36]), (Wanted(names=["cell"]), [36]), (Wanted(names=[""]), [9]),
        (Wanted(5, 20, 0.5, {"", "cell"}), [9]),
    ],
)  # fmt: skip
def test_objects_within_the_bounds_stay(found, wanted, areas):
    assert [instance.area for instance in filtered(found, wanted).instances] == areas


@pytest.mark.parametrize("bounds", [{"min_area": -1}, {"min_area": 9, "max_area": 8},
                                    {"min_score": 1.5}])  # fmt: skip
def test_bounds_that_nothing_can_meet_are_refused(bounds):
    with pytest.raises(InvalidPrompt):
        Wanted(**bounds)


def test_united_objects_hold_all_pixels_and_are_called_like_the_largest(found):
    one = united(found.instances[:2])

    assert one.bbox == (0, 0, 16, 16)
    assert one.area == 40
    assert (one.label, one.score) == ("cell", 0.6)
    parts = [instance.full_mask(found.shape) for instance in found.instances[:2]]
    np.testing.assert_array_equal(one.full_mask(found.shape), parts[0] | parts[1])


@pytest.mark.parametrize("names", ["nucleus", ["nucleus"], ("nucleus",), {"nucleus"}])
def test_one_name_may_stand_alone(names):
    wanted = Wanted(names=names)

    assert wanted == Wanted(names=("nucleus", "nucleus"))
    admitted = [name for name in (None, "", "us", "nucleus", "cat") if wanted.admits(9, 0.5, name)]
    assert admitted == ["nucleus"]
    assert hash(wanted) == hash(Wanted(names="nucleus"))
    assert repr(wanted).endswith("names=('nucleus',))")


@pytest.mark.parametrize("bounds", [
    {"min_area": "3"}, {"min_area": 1.5}, {"max_area": None}, {"min_score": float("nan")},
    {"min_score": "high"}, {"min_score": None}, {"names": 3}, {"names": [None]},
])  # fmt: skip
def test_bounds_that_are_no_numbers_and_names_that_are_no_text_are_refused(bounds):
    with pytest.raises(InvalidArgument):
        Wanted(**bounds)


def test_only_what_a_model_found_is_filtered():
    found = Segmentation((4, 4), ())
    for wrong in (None, [], np.zeros((4, 4))):
        with pytest.raises(InvalidArgument, match=r"model\.segment"):
            filtered(wrong, Wanted())
        with pytest.raises(InvalidArgument, match="Wanted"):
            filtered(found, wrong)
