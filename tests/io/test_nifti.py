"""NIfTI: the grid comes back to the last digit, and axial planes look as radiologists expect."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from files import some_labels

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.files import open_image, read_labels, write_labels

nibabel = pytest.importorskip("nibabel")

OBLIQUE = np.array([
    [-0.7012345, 0.0312, 0.11, 90.5], [0.03, 0.69, -0.2, -120.25], [0.05, 0.14, 2.48, 33.125],
    [0, 0, 0, 1],
])  # fmt: skip


def write(path, affine, shape=(64, 72, 5)):
    values = np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.int16)
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=4)
    nibabel.save(image, path)
    return values


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("affine", [np.diag([-0.7, 0.7, 2.5, 1]), OBLIQUE], ids=["ras", "oblique"])
def test_labels_lie_on_the_very_same_grid(tmp_path, table, suffix, affine):
    source = tmp_path / f"scan{suffix}"
    values = write(source, affine)
    opened = open_image(source)
    np.testing.assert_array_equal(opened.data, values.T)
    labels = some_labels(opened.grid.shape)
    out = tmp_path / f"labels{suffix}"
    assert write_labels(out, labels, opened.grid, table) == [out, tmp_path / "labels.json"]
    image, again = nibabel.load(source), nibabel.load(out)
    np.testing.assert_array_equal(again.affine, image.affine)
    for key in ("pixdim", "sform_code", "qform_code", "xyzt_units", "quatern_b", "srow_x", "dim"):
        np.testing.assert_array_equal(again.header[key], image.header[key])
    np.testing.assert_array_equal(np.asarray(again.dataobj), labels.T)
    assert again.header.get_intent()[0] == "label"
    back, objects = read_labels(out, opened.grid)
    np.testing.assert_array_equal(back, labels)
    assert objects[4].name == "liver"
    assert objects[4].score == 0.873
    assert objects[9].model == "compact"


def test_a_grid_without_forms_stays_without(tmp_path):
    source = tmp_path / "plain.nii"
    image = nibabel.Nifti1Image(np.zeros((64, 70, 3), np.uint8), None)
    image.header.set_zooms((0.5, 0.5, 3.0))
    nibabel.save(image, source)
    opened = open_image(source)
    write_labels(tmp_path / "l.nii", some_labels(opened.grid.shape), opened.grid)
    again = nibabel.load(tmp_path / "l.nii")
    assert int(again.header["sform_code"]) == int(again.header["qform_code"]) == 0
    assert again.header.get_zooms() == (0.5, 0.5, 3.0)


def test_the_world_is_inferior_posterior_left(tmp_path):
    source = tmp_path / "ras.nii"
    write(source, np.diag([0.5, 0.8, 3.0, 1.0]))
    options = open_image(source).grid.layer_options()
    np.testing.assert_allclose(options["scale"], (-3.0, -0.8, -0.5))
    assert options["axis_labels"] == ("z", "y", "x")
    assert options["units"] == ("mm", "mm", "mm")


def test_a_sagittal_scan_is_shown_by_its_own_slices(tmp_path):
    # voxel axes run to posterior, inferior, right
    affine = np.array([[0, 0, 3.0, 0], [-0.5, 0, 0, 0], [0, -0.5, 0, 0], [0, 0, 0, 1.0]])
    source = tmp_path / "sagittal.nii"
    write(source, affine)
    grid = open_image(source).grid
    assert grid.axes == ("x", "z", "y")
    np.testing.assert_allclose(np.diag(grid.matrix)[:3], (-3.0, 0.5, 0.5))


def test_a_turn_in_the_plane_is_shown_and_an_oblique_one_is_not(tmp_path):
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    write(tmp_path / "turned.nii", turn)
    assert not open_image(tmp_path / "turned.nii").grid.straight
    write(tmp_path / "oblique.nii", OBLIQUE)
    grid = open_image(tmp_path / "oblique.nii").grid
    assert grid.straight
    lengths = np.linalg.norm(OBLIQUE[:3, :3], axis=0)[::-1]
    np.testing.assert_allclose(grid.spacing, lengths, rtol=1e-6)


def test_rescaled_integers_are_integers_and_others_floats(tmp_path):
    for slope, inter, kind in ((2.0, -1024.0, "i"), (0.5, 0.25, "f")):
        image = nibabel.Nifti1Image(np.arange(64 * 64, dtype=np.int16).reshape(64, 64, 1), None)
        image.header.set_slope_inter(slope, inter)
        path = tmp_path / f"{kind}.nii"
        nibabel.save(image, path)
        raw = np.asarray(nibabel.load(path).dataobj.get_unscaled())
        data = open_image(path).data
        assert data.dtype.kind == kind
        np.testing.assert_allclose(data.T, raw * slope + inter)


def test_time_comes_first(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((64, 70, 4, 3), np.int16), np.eye(4))
    image.header.set_zooms((1, 1, 1, 1.5))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "bold.nii.gz")
    grid = open_image(tmp_path / "bold.nii.gz").grid
    assert grid.axes == ("t", "z", "y", "x")
    assert grid.spacing[0] == 1.5
    assert grid.units[0] == "s"
    write_labels(tmp_path / "l.nii.gz", some_labels(grid.shape), grid)
    assert nibabel.load(tmp_path / "l.nii.gz").header.get_zooms() == (1, 1, 1, 1.5)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_truncated_file_is_told_of(tmp_path, suffix):
    source = tmp_path / f"scan{suffix}"
    write(source, np.eye(4))
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileTrouble, match=r"(?s)can't be read as NIfTI.*copy it again"):
        np.asarray(open_image(source).data)


def test_something_else_named_nifti(tmp_path):
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(b"no image" * 100))
    with pytest.raises(FileTrouble, match=r"x.nii.gz"):
        open_image(tmp_path / "x.nii.gz")


def test_labels_of_another_grid_are_refused_and_the_old_file_stays(tmp_path):
    source = tmp_path / "scan.nii"
    write(source, np.eye(4))
    grid = open_image(source).grid
    out = tmp_path / "labels.nii"
    write_labels(out, some_labels(grid.shape), grid)
    before = out.read_bytes()
    with pytest.raises(InvalidLabels, match=r"\(4, 72, 64\).*\(5, 72, 64\)"):
        write_labels(out, some_labels((4, 72, 64)), grid)
    assert out.read_bytes() == before


def test_how_labels_came_about_stands_beside_them(tmp_path, table):
    out = tmp_path / "labels.nii.gz"
    about = {"shown": {"window": [-160.0, 240.0]}}
    write_labels(out, some_labels((2, 64, 70)), None, table, about)
    told = json.loads((tmp_path / "labels.json").read_text())
    assert told["shown"] == about["shown"]
    assert told["objects"][0] == {
        "index": 4, "name": "liver", "score": 0.873, "model": "compact", "prompts": 3
    }  # fmt: skip


def test_labels_of_another_format_get_an_affine_of_their_own(tmp_path):
    from napari_seem.io.grid import Grid

    grid = Grid.scaled((3, 64, 70), "zyx", (2.0, 0.5, 0.25), units=("um",) * 3)
    write_labels(tmp_path / "l.nii", some_labels(grid.shape), grid)
    image = nibabel.load(tmp_path / "l.nii")
    assert image.header.get_xyzt_units()[0] == "micron"
    np.testing.assert_allclose(open_image(tmp_path / "l.nii").grid.matrix, grid.matrix)
