"""Every format of labels is read again with what it can hold."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.files import open_image, open_labels, read_labels, write_labels
from napari_seem.io.formats import TRACKS, WRITTEN, find_labels
from napari_seem.io.grid import Grid
from napari_seem.palette import Palette

for module in ("rasterio", "nibabel", "highdicom", "zarr"):
    pytest.importorskip(module)

TIME = "2026-01-02T03:04:05+00:00"
TABLE = ObjectTable({
    1: ObjectRecord('vein "ä" \U0001d4b3', 0.5, "compact", 2, "vein", TIME),
    300: ObjectRecord("nucleus", 0.875, "compact", 1, "", TIME),
    4: ObjectRecord("", 0.25),
})  # fmt: skip
PALETTE = Palette(True, {"vein": "#ff8000", "nucleus": "#0072b2"})
ABOUT = {"image": "cells", "shown": {"name": "bone"}, **PALETTE.to_dict()}
PLACED = Grid.scaled((40, 50), "yx", (0.5, 0.25), (3.0, -2.0), ("um", "um"))
STACK = Grid.scaled((3, 40, 50), "zyx", (2.0, 0.5, 0.25), (7.0, 3.0, -2.0), ("um",) * 3)
TURNED = Grid(
    (40, 50), ("y", "x"), np.array([[0.4, -0.3, 3.0], [0.3, 0.4, -2.0], [0, 0, 1.0]]), ("um",) * 2
)


def labels(shape):
    """Objects with a hole, in two parts, one in another's hole, and ids that are not in a row."""
    data = np.zeros(shape, np.uint16)
    data[..., 2:20, 3:21] = 1
    data[..., 6:12, 6:12] = 0
    data[..., 8:10, 8:10] = 300
    data[..., 30:34, 30:45] = 300
    data[..., 36, 2] = 4
    data[..., 37, 3] = 4
    return data


def check(opened, data, grid, *, table=TABLE):
    np.testing.assert_array_equal(np.asarray(opened.data), data)
    assert opened.table.items() == table.items()
    assert Palette.from_dict(opened.about) == PALETTE
    assert opened.about["image"] == "cells"
    assert opened.about["shown"] == {"name": "bone"}
    assert opened.grid.shape == data.shape
    np.testing.assert_allclose(opened.grid.matrix, grid.matrix, atol=1e-5)
    assert tuple(opened.grid.units) == tuple(grid.units)


@pytest.mark.parametrize(
    ("ending", "grid"),
    [(e, PLACED) for e in WRITTEN if e not in (".dcm", TRACKS)]  # which have tests of their own
    + [
        (e, TURNED) for e in WRITTEN if e not in (".dcm", ".zarr", TRACKS)
    ],  # it refuses turned ones
)
def test_an_image_s_labels(tmp_path, ending, grid):
    path = tmp_path / f"cells{ending}"
    write_labels(path, labels((40, 50)), grid, TABLE, ABOUT)

    assert find_labels(path) == path
    check(open_labels(path), labels((40, 50)), grid)


@pytest.mark.parametrize("ending", [".nii.gz", ".tif", ".ome.tif", ".zip", ".zarr"])
def test_a_stack_s_labels(tmp_path, ending):
    path = tmp_path / f"cells{ending}"
    data = labels((3, 40, 50))
    data[1] = 0
    data[2, 30:34] = 0
    write_labels(path, data, STACK, TABLE, ABOUT)

    check(open_labels(path), data, STACK)


def test_a_map_s_labels(tmp_path):
    import rasterio

    profile = {"driver": "GTiff", "height": 40, "width": 50, "count": 1, "dtype": "uint8",
               "crs": "EPSG:32633",
               "transform": rasterio.Affine(10, 0, 4e5, 0, -10, 5e6)}  # fmt: skip
    with rasterio.open(tmp_path / "map.tif", "w", **profile) as file:
        file.write(np.ones((1, 40, 50), np.uint8))
    grid = open_image(tmp_path / "map.tif").grid
    for ending in (".tif", ".geojson", ".coco.json", ".zip"):
        path = tmp_path / f"cells{ending}"
        write_labels(path, labels((40, 50)), grid, TABLE, ABOUT)
        check(open_labels(path), labels((40, 50)), grid)


@pytest.mark.parametrize("known", [True, False], ids=["series open", "file alone"])
def test_labels_of_a_dicom_series(tmp_path, make_series, known):
    grid = open_image(make_series([0.0, 2.5, 5.0, 7.5])).grid
    data = np.zeros(grid.shape, np.uint16)
    data[1:3, :40, :50] = labels((40, 50))
    path = tmp_path / "cells.dcm"
    write_labels(path, data, grid, TABLE, ABOUT)
    assert find_labels(path) == path
    opened = open_labels(path, grid if known else None)

    if known:
        return check(opened, data, grid)
    np.testing.assert_array_equal(opened.data, data[1:3])  # the slices that the file has
    assert opened.table.items() == TABLE.items()
    for corner in ((0, 0, 0), (1, 127, 127)):  # where they are in the series
        there = opened.grid.matrix @ [*corner, 1]
        np.testing.assert_allclose(there, grid.matrix @ [corner[0] + 1, *corner[1:], 1], atol=1e-3)
    (tmp_path / "cells.json").unlink()
    again = open_labels(path)
    np.testing.assert_array_equal(again.data, data[1:3])
    assert again.table[300].name == "nucleus"
    return None


def test_the_table_beside_leads_to_its_labels(tmp_path):
    write_labels(tmp_path / "cells.tif", labels((40, 50)), PLACED, TABLE, ABOUT)
    assert find_labels(tmp_path / "cells.json") == tmp_path / "cells.tif"
    check(open_labels(tmp_path / "cells.json"), labels((40, 50)), PLACED)


def test_what_is_no_label_file_is_left_to_others(tmp_path):
    from skimage.io import imsave

    imsave(tmp_path / "a.tif", labels((40, 50)), check_contrast=False)
    (tmp_path / "a.json").write_text('{"objective": "20x"}')
    imsave(tmp_path / "cells.tif", labels((40, 50)), check_contrast=False)
    write_labels(tmp_path / "cells.nii.gz", labels((40, 50)), None, TABLE)  # its JSON is its own
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("notes.txt", "no ROI")
    (tmp_path / "b.zip").write_bytes(b"PK")
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "x.dcm").write_bytes(b"x" * 200)
    for name in ("a.tif", "a.json", "cells.tif", "a.zip", "b.zip", "b.json", "folder.zarr",
                 "x.dcm", "", "absent.tif"):  # fmt: skip
        assert find_labels(tmp_path / name) is None, name
    assert find_labels(tmp_path / "cells.nii.gz") == tmp_path / "cells.nii.gz"
    data, table = read_labels(tmp_path / "a.tif")  # asked for, it is read; without names
    assert data.shape == (40, 50)
    assert not table.items()


def roi_set(path, *rois):
    import roifile

    roifile.roiwrite(path, rois, name=[f"{n}" for n in range(len(rois))])
    return path


def test_rois_of_imagej_are_drawn_onto_the_image(tmp_path):
    """Kinds of ROI, and planes: what Fiji's ROI manager writes."""
    import roifile

    kinds = roifile.ROI_TYPE
    square = roifile.ImagejRoi(roitype=kinds.RECT, name="square", left=2, top=3, right=6, bottom=9)
    disc = roifile.ImagejRoi(roitype=kinds.OVAL, name="disc", left=10, top=2, right=20, bottom=12)
    lasso = roifile.ImagejRoi.frompoints([(30.5, 2.5), (34.5, 2.5), (34.5, 7.5)], name="lasso")
    line = roifile.ImagejRoi(roitype=kinds.LINE, name="line", x1=1, y1=1, x2=9, y2=9)
    square.position = 2
    path = roi_set(tmp_path / "RoiSet.zip", square, disc, lasso, line)

    with pytest.raises(InvalidLabels, match="open the image first"):
        read_labels(path)
    data, table = read_labels(path, shape=(3, 20, 40))

    assert [row.name for _, row in table.items()] == ["square", "disc", "lasso"]
    assert [int((plane == 1).sum()) for plane in data] == [0, 24, 0]
    assert (data[1, 3:9, 2:6] == 1).all()
    assert (data == 2).sum() / 3 == pytest.approx(np.pi * 25, rel=0.05)
    assert (data[0] == 3).sum() == (data[2] == 3).sum() > 5
    single = tmp_path / "one.roi"
    square.tofile(single)
    assert find_labels(single) == single
    assert read_labels(single, shape=(20, 40))[0].sum() == 24


def test_imagej_itself_reads_what_is_written(tmp_path):
    """Names, positions and colours are in ImageJ's own fields."""
    import roifile

    data = labels((3, 40, 50))
    write_labels(tmp_path / "RoiSet.zip", data, STACK, TABLE, ABOUT)
    rois = roifile.roiread(tmp_path / "RoiSet.zip")

    assert len(rois) == 9
    named = {roi.name: roi for roi in rois if roi.position == 2}
    assert set(named) == {'vein "ä" ', "nucleus", "object 4"}
    assert named["nucleus"].hexcolor(named["nucleus"].stroke_color) == "#0072b2"
    assert named["nucleus"].composite  # of two parts
    outer = named["object 4"].coordinates(multi=True)
    assert sorted(map(len, outer)) == [5, 5]  # closed rings of one pixel


def test_ids_survive_when_imagej_saves_the_set_anew(tmp_path):
    """Without our table: what ROIs carry as properties stays."""
    path = tmp_path / "cells.zip"
    write_labels(path, labels((40, 50)), PLACED, TABLE, ABOUT)
    import roifile

    rois = roifile.roiread(path)
    path.unlink()
    roifile.roiwrite(path, [*rois, roifile.ImagejRoi.frompoints([(0, 0), (3, 0), (3, 2), (0, 2)])])
    data, table = read_labels(path, shape=(40, 50))

    expected = labels((40, 50))
    expected[0:2, 0:3] = 301
    np.testing.assert_array_equal(data, expected)
    assert [table[i] for i in (1, 4, 300)] == [TABLE[i] for i in (1, 4, 300)]


def test_a_damaged_set_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.roi", b"Iout" + b"\0" * 10)
    with pytest.raises(FileTrouble, match="ROIs of ImageJ"):
        read_labels(tmp_path / "a.zip", shape=(4, 4))


def test_large_images_have_exact_rois(tmp_path):
    """Coordinates that ImageJ's short integers can't hold are written as floats."""
    data = np.zeros((4, 40_000), np.uint8)
    data[1:3, 39_000:39_990] = 7
    write_labels(tmp_path / "a.zip", data)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.zip")[0], data)


def test_coco_in_any_json(tmp_path):
    write_labels(tmp_path / "a.coco.json", labels((40, 50)), PLACED, TABLE, ABOUT)
    (tmp_path / "a.coco.json").rename(tmp_path / "annotations.json")
    assert find_labels(tmp_path / "annotations.json") == tmp_path / "annotations.json"
    check(open_labels(tmp_path / "annotations.json"), labels((40, 50)), PLACED)
    text = json.loads((tmp_path / "annotations.json").read_text())
    assert text["info"]["napari-seem"]["file"] == "a.coco.json"
