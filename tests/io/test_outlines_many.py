"""Outlines of many objects: in time linear in pixels, and by the same pixels as one by one."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.files import read_labels, write_labels
from napari_seem.io.grid import Grid
from napari_seem.io.outlines.read import from_run_lengths
from napari_seem.io.outlines.write import run_lengths

pytest.importorskip("rasterio")


def cells(side, step=24):
    """Discs in a raster, every second with a hole."""
    rows, columns = np.mgrid[:side, :side]
    down, right = rows // step, columns // step
    labels = (down * (side // step + 1) + right + 1).astype(np.uint32)
    away = np.hypot(rows % step - step / 2, columns % step - step / 2)
    labels[(away > 0.45 * step) | ((away < 0.2 * step) & ((down + right) % 2 == 0))] = 0
    return labels


@pytest.mark.parametrize("ending", [".geojson", ".coco.json", ".zip"])
def test_time_is_linear_in_pixels(tmp_path, ending):
    if ending == ".zip":
        pytest.importorskip("roifile")
    times = []
    for side in (312, 312, 936):  # the first loads what is needed
        labels, path = cells(side), tmp_path / f"{side}{ending}"
        start = time.process_time()
        write_labels(path, labels, Grid.plain(labels.shape))
        found = read_labels(path)[0]
        times.append(time.process_time() - start)
        np.testing.assert_array_equal(found, labels)
    assert times[2] < 30 * times[1]  # 9 times as many pixels; each object by all pixels takes 81


def test_run_lengths_of_a_part_are_those_of_the_whole():
    rng = np.random.default_rng(0)
    for _ in range(50):
        mask = np.zeros(rng.integers(1, 12, 2), bool)
        y0, x0 = (int(rng.integers(0, n)) for n in mask.shape)
        part = mask[y0:, x0:]
        part[...] = rng.random(part.shape) < 0.6
        if not part.any():
            continue
        encoded = run_lengths(part, (y0, x0), mask.shape)
        assert encoded == run_lengths(mask)
        counts = encoded["counts"]
        flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        np.testing.assert_array_equal(flat.reshape(mask.shape, order="F"), mask)
        read = from_run_lengths(encoded, mask.shape)
        np.testing.assert_array_equal(np.sort(read), np.flatnonzero(mask))


def test_later_objects_lie_over_earlier_ones_whatever_their_form(tmp_path, caplog):
    square = np.zeros((12, 14), bool)
    square[2:8, 3:9] = True
    corners = [4, 1, 12, 1, 12, 6, 4, 6]
    areas = {
        5: run_lengths(square), 3: [corners],
        9: [[0, 0, 5, 0, 5, 4, 0, 4], [3, 2, 7, 2, 7, 9, 3, 9]],
        7: run_lengths(square[::-1]),
    }  # fmt: skip
    annotations = [{"id": i, "image_id": 1, "segmentation": one} for i, one in areas.items()]
    document = {"images": [{"id": 1, "width": 14, "height": 12}], "annotations": annotations}
    (tmp_path / "a.coco.json").write_text(json.dumps(document))
    expected = np.zeros((12, 14), np.uint8)
    expected[square] = 5
    expected[1:6, 4:12] = 3
    expected[0:4, 0:5] = expected[2:9, 3:7] = 9
    expected[square[::-1]] = 7
    np.testing.assert_array_equal(read_labels(tmp_path / "a.coco.json")[0], expected)
    drawn = [square, np.zeros_like(square), np.zeros_like(square), square[::-1]]
    drawn[1][1:6, 4:12] = drawn[2][0:4, 0:5] = drawn[2][2:9, 3:7] = True
    lost = sum(one.sum() for one in drawn) - np.any(drawn, 0).sum()
    assert f"overlap; {lost} pixels" in caplog.text


def test_polygons_that_leave_the_image_are_cut(tmp_path):
    rings = [
        [-5.5, -3, 4, -3, 4, 3, -5.5, 3],
        [10, 8, 30, 8, 30, 40, 10, 40],
        [60, 1, 70, 1, 70, 9],
    ]
    document = {"images": [{"id": 1, "width": 14, "height": 12}],
                "annotations": [{"id": 2, "segmentation": rings}]}  # fmt: skip
    (tmp_path / "a.coco.json").write_text(json.dumps(document))
    expected = np.zeros((12, 14), np.uint8)
    expected[:3, :4] = expected[8:, 10:] = 2
    np.testing.assert_array_equal(read_labels(tmp_path / "a.coco.json")[0], expected)


@pytest.mark.parametrize("ending", [".geojson", ".coco.json", ".zip", ".tif", ".nii.gz", ".zarr"])
@pytest.mark.parametrize("top", [65_536, 2**31 - 1, 2**31, 2**32 - 1])
def test_ids_up_to_32_bits_come_back(tmp_path, ending, top):
    labels = np.zeros((40, 50), np.int64)
    labels[5:9, 5:9], labels[20:25, 20:25] = top, 3
    write_labels(tmp_path / f"l{ending}", labels)
    np.testing.assert_array_equal(np.asarray(read_labels(tmp_path / f"l{ending}")[0]), labels)


def test_ids_beyond_are_refused_before_anything_is_written(tmp_path):
    import dask.array

    labels = np.zeros((40, 50), np.uint64)
    labels[5:9, 5:9], labels[20:25, 20:25] = 2**32, 3
    for ending in (".geojson", ".coco.json", ".zip", ".nii.gz", ".ome.tif"):
        for given in (labels, dask.array.from_array(labels)):
            with pytest.raises(InvalidLabels, match=r"no id above 4294967295.*\.tif"):
                write_labels(tmp_path / f"l{ending}", given)
    assert not list(tmp_path.iterdir())
    for ending in (".tif", ".zarr"):
        write_labels(tmp_path / f"l{ending}", labels)
        np.testing.assert_array_equal(np.asarray(read_labels(tmp_path / f"l{ending}")[0]), labels)


def test_a_box_alone_is_no_outline(tmp_path):
    document = {"images": [{"id": 1, "width": 14, "height": 12}],
                "annotations": [{"id": 2, "segmentation": [], "bbox": [1, 2, 3, 4]}]}  # fmt: skip
    (tmp_path / "a.coco.json").write_text(json.dumps(document))
    with pytest.raises(FileTrouble, match="a box only"):
        read_labels(tmp_path / "a.coco.json")
