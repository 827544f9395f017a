"""OME-Zarr 0.4 and 0.5: multiscale images in, label groups out by the specification."""

from __future__ import annotations

import numpy as np
import pytest
from files import some_labels

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.files import open_image, read_labels, write_labels

zarr = pytest.importorskip("zarr")

AXES = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def write(path, version, levels=3, shape=(2, 3, 256, 256)):
    v2 = version == "0.4"
    root = zarr.open_group(path, mode="w", zarr_format=2 if v2 else 3)
    datasets, image = [], np.random.default_rng(0).integers(0, 999, shape).astype(np.uint16)
    for level in range(levels):
        options = {"chunk_key_encoding": {"name": "v2", "separator": "/"}} if v2 else {}
        array = root.create_array(
            str(level), shape=image.shape, chunks=(1, 1, 64, 64), dtype=image.dtype, **options
        )
        array[...] = image
        scale = [1.0, 2.0, 0.5 * 2**level, 0.25 * 2**level]
        steps = [{"type": "scale", "scale": scale}]
        steps.append({"type": "translation", "translation": [0.0, 10.0, 20.0, 30.0]})
        datasets.append({"path": str(level), "coordinateTransformations": steps})
        image = image[..., ::2, ::2]
    scales = {"name": "image", "axes": AXES, "datasets": datasets}
    about = {"multiscales": [scales], "omero": {"channels": [{"label": "DAPI"}, {"label": "GFP"}]}}
    if v2:
        scales["version"] = version
        root.attrs.update(about)
    else:
        root.attrs["ome"] = {"version": version, **about}


def ome(group, version):
    return dict(group.attrs) if version == "0.4" else dict(group.attrs["ome"])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_become_a_group_of_the_image(tmp_path, table, version):
    path = tmp_path / "cells.zarr"
    write(path, version)
    opened = open_image(path)
    assert opened.channels == ("DAPI", "GFP")
    assert opened.channel_axis == 0
    assert [level.shape for level in opened.levels][1] == (2, 3, 128, 128)
    assert opened.grid.axes == ("z", "y", "x")
    assert opened.grid.spacing == (2.0, 0.5, 0.25)
    assert opened.grid.origin == (10.0, 20.0, 30.0)
    assert opened.grid.units == ("um", "um", "um")
    labels = some_labels(opened.grid.shape)
    written = write_labels(path / "labels" / "organs.zarr", labels, opened.grid, table, {"a": 1})
    assert written == [path / "labels" / "organs"]
    root = zarr.open_group(path, mode="r", use_consolidated=False)
    assert ome(root["labels"], version)["labels"] == ["organs"]
    group = root["labels/organs"]
    about = ome(group, version)
    (scales,) = about["multiscales"]
    assert len(scales["datasets"]) == 3
    assert [axis["name"] for axis in scales["axes"]] == ["z", "y", "x"]
    assert scales["datasets"][1]["coordinateTransformations"] == [
        {"type": "scale", "scale": [2.0, 1.0, 0.5]},
        {"type": "translation", "translation": [10.0, 20.0, 30.0]},
    ]
    assert about["image-label"]["source"] == {"image": "../../"}
    rows = {row["label-value"]: row for row in about["image-label"]["properties"]}
    assert rows[4]["name"] == "liver"
    assert rows[4]["score"] == 0.873
    for level in range(3):
        step = 2**level
        np.testing.assert_array_equal(group[str(level)][...], labels[:, ::step, ::step])
    back, objects = read_labels(path / "labels" / "organs", opened.grid)
    np.testing.assert_array_equal(np.asarray(back), labels)
    assert objects[9].model == "compact"


def test_a_second_group_joins_and_the_same_name_replaces(tmp_path, table):
    path = tmp_path / "cells.zarr"
    write(path, "0.5")
    grid = open_image(path).grid
    labels = some_labels(grid.shape)
    write_labels(path, labels, grid, table)
    write_labels(path / "labels" / "second.zarr", labels * 0, grid)
    write_labels(path, labels * 2, grid, table)
    root = zarr.open_group(path, mode="r", use_consolidated=False)
    assert ome(root["labels"], "0.5")["labels"] == ["labels", "second"]
    np.testing.assert_array_equal(root["labels/labels/0"][...], labels * 2)
    assert sorted(p.name for p in (path / "labels").iterdir()) == ["labels", "second", "zarr.json"]


def test_consolidated_metadata_is_kept_in_step(tmp_path, table):
    path = tmp_path / "cells.zarr"
    write(path, "0.5")
    zarr.consolidate_metadata(path)
    grid = open_image(path).grid
    write_labels(path, some_labels(grid.shape), grid, table)
    assert "labels/labels/0" in zarr.open_group(path, mode="r")


def test_labels_of_another_image_make_a_group_of_their_own(tmp_path, table):
    labels = some_labels((1500, 1200))
    write_labels(tmp_path / "own.zarr", labels, table=table)
    back, objects = read_labels(tmp_path / "own.zarr")
    np.testing.assert_array_equal(np.asarray(back), labels)
    assert objects[4].name == "liver"
    assert [level.shape for level in open_image(tmp_path / "own.zarr").levels] == [
        (1500, 1200), (750, 600)
    ]  # fmt: skip


def test_an_image_is_never_replaced_by_labels(tmp_path):
    write(tmp_path / "cells.zarr", "0.5")
    with pytest.raises(InvalidLabels, match="labels must not replace"):
        write_labels(tmp_path / "cells.zarr", some_labels((64, 70)))
    assert open_image(tmp_path / "cells.zarr").data.shape == (2, 3, 256, 256)


def test_other_stores_are_refused(tmp_path):
    zarr.open_group(tmp_path / "plate.zarr", mode="w").attrs["ome"] = {"plate": {}}
    with pytest.raises(FileTrouble, match="a plate; open one of its fields"):
        open_image(tmp_path / "plate.zarr")
    zarr.open_group(tmp_path / "plain.zarr", mode="w")
    with pytest.raises(FileTrouble, match="no OME-Zarr image"):
        open_image(tmp_path / "plain.zarr")
    write(tmp_path / "cells.zarr", "0.5")
    import shutil

    shutil.rmtree(tmp_path / "cells.zarr" / "1")
    with pytest.raises(FileTrouble, match="lacks the level"):
        open_image(tmp_path / "cells.zarr")
