"""Things and stuff in one map."""

from __future__ import annotations

import numpy as np

from napari_seem.models.base import Instance, Segmentation

NAMES = ("cell", "road", "sky")


def rectangle(box, label, *, score=0.9, thing=True):
    y0, x0, y1, x1 = box
    return Instance(np.ones((y1 - y0, x1 - x0), bool), box, score, label, thing)


def scene(*instances, stuff=("road", "sky")):
    """Sky in the upper half, road in the lower, one column of pixels that look like cells."""
    semantic = np.full((6, 8), 3, np.int32)
    semantic[3:] = 2
    semantic[:, 7] = 1
    return Segmentation((6, 8), instances, semantic, NAMES, stuff)


def test_instances_stand_on_stuff():
    found = scene(rectangle((2, 1, 4, 3), "cell"), rectangle((0, 5, 2, 6), None))

    panoptic = found.panoptic

    told = [(s.label_id, s.name, s.thing, s.area) for s in panoptic.segments]
    assert told == [(1, "cell", True, 4), (2, None, True, 2), (3, "road", False, 19),
                    (4, "sky", False, 17)]  # fmt: skip
    np.testing.assert_array_equal(panoptic.labels == 1, found.labels == 1)
    assert (panoptic.labels[3:, :1] == 3).all()
    assert not panoptic.labels[:, 7].any()  # cells that were not told apart


def test_stuff_of_a_name_is_one_region():
    found = scene(
        rectangle((0, 0, 1, 2), "sky", thing=False), rectangle((1, 4, 2, 6), "sky", thing=False)
    )

    panoptic = found.panoptic

    sky, road = panoptic.segments
    assert (sky.name, sky.score, sky.area) == ("sky", 0.9, 21)
    assert (road.name, road.score) == ("road", None)
    assert sky.area == (panoptic.labels == sky.label_id).sum()
    assert set(np.unique(found.labels)) == {0, 1, 2}  # the instances stay as they were


def test_without_a_semantic_map_there_are_instances_only():
    found = Segmentation((4, 4), (rectangle((0, 0, 2, 2), "cell"),))

    assert [s.area for s in found.panoptic.segments] == [4]
    np.testing.assert_array_equal(found.panoptic.labels, found.labels)


def test_nothing_found_is_nothing_told():
    panoptic = scene(stuff=()).panoptic

    assert panoptic.segments == ()
    assert not panoptic.labels.any()
