"""OME-Zarr images and labels as other programs write them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.files import open_image, open_labels, read_labels, write_labels
from napari_seem.io.formats import find_labels
from napari_seem.io.grid import Grid

zarr = pytest.importorskip("zarr")

LABELS = np.zeros((1, 1, 4, 40, 50), np.uint16)
LABELS[0, 0, 2, 5:9, 6:12] = 7
KINDS = {"t": "time", "c": "channel"}


def group(path, axes, data, version="0.5", about=None, levels=1, scale=True, **options):
    """Write a multiscale group of any version, its levels by every second pixel."""
    old = version != "0.5"
    made = zarr.open_group(path, mode="w", zarr_format=2 if old else 3)
    if old:
        options.setdefault("chunk_key_encoding", {"name": "v2", "separator": "/"})
    datasets = []
    for number in range(levels):
        chunks = (*[1] * (data.ndim - 2), 32, 32)
        array = made.create_array(
            f"s{number}", shape=data.shape, dtype=data.dtype, **{"chunks": chunks, **options}
        )
        array[...] = data
        one = {"path": f"s{number}"}
        if scale:
            steps = [*[1.0] * (data.ndim - 2), 2.0**number, 2.0**number]
            one["coordinateTransformations"] = [{"type": "scale", "scale": steps}]
        datasets.append(one)
        data = data[..., ::2, ::2]
    scales = {"datasets": datasets}
    if version >= "0.4":
        scales["axes"] = [{"name": a, "type": KINDS.get(a, "space")} for a in axes]
    elif version == "0.3":
        scales["axes"] = list(axes)
    known = {"multiscales": [scales | ({"version": version} if old else {})], **(about or {})}
    made.attrs.update(known if old else {"ome": {"version": version, **known}})
    return path


def plain(path, about=None):
    made = zarr.open_group(path, mode="w")
    if about:
        made.attrs["ome"] = {"version": "0.5", **about}
    return path


@pytest.mark.parametrize("version", ["0.1", "0.3", "0.4", "0.5"])
def test_labels_of_every_version_lie_on_the_image(tmp_path, version):
    image = group(tmp_path / "i.zarr", "tczyx", LABELS.repeat(2, 1), version, levels=3)
    grid = open_image(image).grid
    home = image / "labels" / "cells"
    group(home, "tczyx", LABELS, version, about={"image-label": {}}, levels=2)
    found, _ = read_labels(home, grid)
    np.testing.assert_array_equal(np.asarray(found), LABELS[:, 0])
    opened = open_labels(home)
    assert [level.shape for level in opened.levels] == [(1, 4, 40, 50), (1, 4, 20, 25)]


@pytest.mark.parametrize(
    ("axes", "here"), [("zyx", np.s_[0, 0]), ("czyx", np.s_[0]), ("tzyx", np.s_[0])]
)
def test_axes_that_the_labels_lack_or_have_besides(tmp_path, axes, here):
    image = group(tmp_path / "i.zarr", "tczyx", LABELS.repeat(2, 1))
    found, _ = read_labels(group(tmp_path / "l.zarr", axes, LABELS[here]), open_image(image).grid)
    np.testing.assert_array_equal(np.asarray(found), LABELS[:, 0])


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("described", [True, False])
def test_an_image_stands_for_its_only_labels(tmp_path, listed, described):
    image = group(tmp_path / "i.zarr", "tzyx", LABELS[0])
    plain(image / "labels", {"labels": ["cells"]} if listed else None)
    group(image / "labels" / "cells", "tzyx", LABELS[0],
          about={"image-label": {}} if described else None)  # fmt: skip
    for path in (image, image / "labels", image / "labels" / "cells"):
        np.testing.assert_array_equal(np.asarray(read_labels(path)[0]), LABELS[0])
    assert find_labels(image / "labels" / "cells") is not None
    assert find_labels(image) is None  # dropped, it is the image


def test_several_labels_are_named(tmp_path):
    image = group(tmp_path / "i.zarr", "tzyx", LABELS[0])
    plain(image / "labels", {"labels": ["cells"]})
    for name in ("cells", "nuclei"):
        group(image / "labels" / name, "tzyx", LABELS[0], about={"image-label": {}})
    with pytest.raises(
        FileTrouble, match=r"labels cells, nuclei; open one of them, such as.*cells"
    ):
        read_labels(image)


@pytest.mark.parametrize("rows", [
    [{"class": "nucleus"}], [{"label-value": 7, "score": "high", "class": "nucleus"}],
    [{"label-value": 7.0, "class": "nucleus", "parent": None}, {"label-value": "x"}], None,
])  # fmt: skip
def test_rows_of_others_are_read_as_far_as_they_go(tmp_path, rows):
    about = {"image-label": {"properties": rows, "colors": [{"label-value": 7}]}}
    _, table = read_labels(group(tmp_path / "l.zarr", "tzyx", LABELS[0], about=about))
    known = bool(rows) and rows[0].get("label-value") == 7
    assert [table[i].class_name for i in table] == (["nucleus"] if known else [])


def test_classes_of_others_keep_their_colours(tmp_path):
    about = {"properties": [{"label-value": i, "class": name} for i, name in
                            enumerate(("cell", "cell", "rim", "none"), 4)],
             "colors": [{"label-value": 4, "rgba": [255, 0, 16, 255]},
                        {"label-value": 5, "rgba": [1, 1, 1, 255]}, {"label-value": 6},
                        {"label-value": 7, "rgba": [0.5, 1, 1]},
                        {"rgba": [1, 2, 3, 4]}]}  # fmt: skip
    path = group(tmp_path / "l.zarr", "tzyx", LABELS[0], about={"image-label": about})
    assert open_labels(path).about == {"by_class": True, "colours": {"cell": "#ff0010"}}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_levels_without_a_scale_get_that_of_their_shapes(tmp_path, version):
    image = open_image(group(tmp_path / "i.zarr", "zyx", LABELS[0, 0], version, None, 2, False))
    write_labels(tmp_path / "i.zarr" / "labels" / "l.zarr", LABELS[0, 0], image.grid)
    made = zarr.open_group(tmp_path / "i.zarr" / "labels" / "l")
    attrs = dict(made.attrs)
    datasets = attrs.get("ome", attrs)["multiscales"][0]["datasets"]
    scales = [one["coordinateTransformations"][0]["scale"] for one in datasets]
    assert scales == [[1, 1, 1], [1, 2, 2]]
    np.testing.assert_array_equal(np.asarray(read_labels(tmp_path / "i.zarr")[0]), LABELS[0, 0])


def test_sharded_and_compressed_labels(tmp_path):
    from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

    for number, codec in enumerate([BloscCodec(cname="lz4"), GzipCodec(), ZstdCodec()]):
        path = group(tmp_path / f"{number}.zarr", "zyx", LABELS[0, 0], compressors=[codec],
                     chunks=(1, 16, 16), shards=(2, 32, 32))  # fmt: skip
        np.testing.assert_array_equal(np.asarray(read_labels(path)[0]), LABELS[0, 0])


def test_an_unknown_compression_is_named(tmp_path):
    path = group(tmp_path / "i.zarr", "zyx", LABELS[0, 0], "0.4")
    about = json.loads((path / "s0" / ".zarray").read_text())
    about["compressor"] = {"id": "their-own", "level": 3}
    (path / "s0" / ".zarray").write_text(json.dumps(about))
    with pytest.raises(FileTrouble, match="their-own"):
        open_image(path)


def test_a_group_of_one_image_stands_for_it_and_several_are_named(tmp_path):
    plain(tmp_path / "a.zarr", {"bioformats2raw.layout": 3})
    group(tmp_path / "a.zarr" / "0", "zyx", LABELS[0, 0])
    plain(tmp_path / "a.zarr" / "OME")
    opened = open_image(tmp_path / "a.zarr")
    assert (opened.name, opened.grid.shape) == ("a", (4, 40, 50))
    write_labels(tmp_path / "a.zarr" / "0" / "labels" / "l.zarr", LABELS[0, 0], opened.grid)
    group(tmp_path / "a.zarr" / "1", "zyx", LABELS[0, 0])
    with pytest.raises(FileTrouble, match=r"holds the images 0, 1; open one of them, such as.*/0'"):
        open_image(tmp_path / "a.zarr")


def test_plates_and_wells_are_refused_and_their_fields_opened(tmp_path):
    plate = plain(tmp_path / "p.zarr", {"plate": {"wells": [{"path": "B/3"}]}})
    plain(plate / "B")
    plain(plate / "B" / "3", {"well": {"images": [{"path": "0"}]}})
    field = group(plate / "B" / "3" / "0", "zyx", LABELS[0, 0])
    with pytest.raises(FileTrouble, match=r"is a plate; open one of its fields.*B/3/0'"):
        open_image(plate)
    with pytest.raises(FileTrouble, match=r"is a well; open one of its fields.*3/0'"):
        open_image(plate / "B" / "3")
    assert open_image(field).grid.shape == (4, 40, 50)


@pytest.mark.parametrize("broken", [
    {"axes": None}, {"axes": [{"type": "space"}] * 3}, {"datasets": []}, {"datasets": None},
    {"coordinateTransformations": [{"type": "scale", "scale": [1, 2]}]},
    {"coordinateTransformations": [{"type": "scale", "path": "numbers"}]},
    {"coordinateTransformations": [{"type": "rotation", "rotation": []}]},
    {"coordinateTransformations": [{"type": "scale", "scale": [0, 1, 1]}]},
    {"coordinateTransformations": [{"type": "translation", "translation": [float("nan"), 1, 1]}]},
    {"datasets": [{"path": "s9"}]}, {"datasets": [{}]}, {"axes": 3},
])  # fmt: skip
def test_descriptions_that_say_nothing_are_refused_by_name(tmp_path, broken):
    path = group(tmp_path / "i.zarr", "zyx", LABELS[0, 0])
    about = json.loads((path / "zarr.json").read_text())
    about["attributes"]["ome"]["multiscales"][0].update(broken)
    (path / "zarr.json").write_text(json.dumps(about))
    with pytest.raises(FileTrouble, match=r"i\.zarr'"):
        open_image(path)


def test_one_array_without_description_is_named(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=LABELS[0, 0], zarr_format=2)
    with pytest.raises(FileTrouble, match="one array without the description"):
        open_image(tmp_path / "a.zarr")


def test_chunks_of_other_names_are_suspected(tmp_path):
    path = group(tmp_path / "i.zarr", "zyx", LABELS[0, 0], "0.4",
                 chunk_key_encoding={"name": "v2", "separator": "."})  # fmt: skip
    assert "warning" not in open_image(path).about
    about = json.loads((path / "s0" / ".zarray").read_text()) | {"dimension_separator": "/"}
    (path / "s0" / ".zarray").write_text(json.dumps(about))
    assert "chunks have other names" in open_image(path).about["warning"]


def test_labels_with_channels_are_refused(tmp_path):
    path = group(tmp_path / "l.zarr", "czyx", np.repeat(LABELS[0], 5, 0))
    with pytest.raises(InvalidLabels, match="image with channels"):
        read_labels(path)


@pytest.mark.parametrize("axes", ["ztyx", "yxt", "tzyx", "xyz"])
def test_axes_are_written_time_first_and_come_back_in_the_image_s_order(tmp_path, axes):
    sizes = {"t": (4, 2.5, "min"), "z": (3, 2.0, "nm"), "y": (20, 0.5, "um"), "x": (24, 0.5, "um")}
    shape, spacing, units = zip(*(sizes[a] for a in axes), strict=True)
    grid = Grid.scaled(shape, axes, spacing, range(len(axes)), units)
    labels = np.random.default_rng(0).integers(0, 9, shape).astype(np.uint16)
    write_labels(tmp_path / "l.zarr", labels, grid)
    about = dict(zarr.open_group(tmp_path / "l.zarr").attrs)["ome"]["multiscales"][0]
    assert "".join(one["name"] for one in about["axes"]) == "".join(sorted(axes, key="tzyx".index))
    np.testing.assert_array_equal(np.asarray(read_labels(tmp_path / "l.zarr", grid)[0]), labels)
    again = open_labels(tmp_path / "l.zarr")
    np.testing.assert_array_equal(np.asarray(again.data), labels)
    assert (again.grid.axes, again.grid.units) == (tuple(axes), tuple(units))
    np.testing.assert_allclose(again.grid.matrix, grid.matrix)
