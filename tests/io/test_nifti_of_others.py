"""NIfTI and Analyze as other programs write them: forms, axes, scaling and kinds of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.files import open_image, open_labels, read_labels, write_labels
from napari_seem.io.formats import find_labels
from napari_seem.io.grid import Grid

nibabel = pytest.importorskip("nibabel")

GOOD = np.array([[-0.7, 0, 0, 90], [0, 0.7, 0, -120], [0, 0, 2.5, -70], [0, 0, 0, 1.0]])


def with_header(path, change, affine=GOOD):
    """Write a volume whose header was changed after its forms were set."""
    data = np.arange(720, dtype=np.int16).reshape(10, 12, 6)
    header = nibabel.Nifti1Image(data, affine).header
    header.set_qform(GOOD, 1)
    header.set_sform(affine, 1)
    header.set_xyzt_units("mm")
    change(header)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path.write_bytes(header.binaryblock + b"\0" * 4 + data.tobytes(order="F"))
    return path


def rows(value, *names):
    def change(header):
        for name in names:
            header[f"srow_{name}"] = value

    return change


@pytest.mark.parametrize(
    "change", [rows(0, *"xyz"), rows(0, "z"), rows(np.nan, "x"), rows(np.inf, "y"), rows(1, *"xyz")]
)
def test_a_broken_sform_gives_way_to_the_qform(tmp_path, change, caplog):
    opened = open_image(with_header(tmp_path / "a.nii", change))
    np.testing.assert_allclose(opened.grid.spacing, (2.5, 0.7, 0.7), rtol=1e-6)
    np.testing.assert_allclose(opened.grid.origin, (70, 120, -90), rtol=1e-6)
    assert opened.about["form"] == "qform"
    assert "sform can't be used" in opened.about["warning"]
    assert "the qform is used" in caplog.text
    labels = np.zeros(opened.grid.shape, np.uint8)
    labels[1, 2, 3] = 7
    write_labels(tmp_path / "l.nii.gz", labels, opened.grid)  # lies as its image does
    np.testing.assert_array_equal(
        open_labels(tmp_path / "l.nii.gz").grid.matrix, opened.grid.matrix
    )


@pytest.mark.parametrize(
    ("key", "value"), [("quatern_b", np.nan), ("qoffset_x", np.nan), ("qoffset_z", np.inf)]
)
def test_without_a_usable_form_the_voxel_sizes_remain(tmp_path, key, value):
    def change(header):
        header["sform_code"], header[key] = 0, value

    opened = open_image(with_header(tmp_path / "a.nii", change))
    np.testing.assert_allclose(opened.grid.spacing, (2.5, 0.7, 0.7), rtol=1e-6)
    assert np.isfinite(opened.grid.matrix).all()
    assert opened.about["form"] == "voxel sizes"
    assert "only its voxel sizes are used" in opened.about["warning"]


def test_forms_that_disagree_are_told(tmp_path):
    moved = GOOD.copy()
    moved[0, 3] += 4
    opened = open_image(with_header(tmp_path / "a.nii", lambda header: None, moved))
    assert opened.grid.origin[2] == pytest.approx(-94)
    assert opened.about["form"] == "sform"
    assert "up to 4 mm apart; the sform is used" in opened.about["warning"]
    assert "warning" not in open_image(with_header(tmp_path / "b.nii", lambda header: None)).about


def test_unset_forms_are_passed_over(tmp_path):
    def unset(header):
        header["sform_code"] = 0
        header["srow_x"] = np.nan

    opened = open_image(with_header(tmp_path / "a.nii", unset))
    assert opened.about["form"] == "qform"
    assert "warning" not in opened.about


@pytest.mark.parametrize(
    ("shape", "opened_as", "channels"),
    [
        ((9, 11, 7, 1), (7, 11, 9), None), ((9, 11, 7, 1, 1), (7, 11, 9), None),
        ((9, 11, 7, 1, 3), (7, 11, 9, 3), 3), ((9, 11, 1, 1, 2), (1, 11, 9, 2), 3),
        ((9, 11, 7, 4, 2), (4, 7, 11, 9, 2), 4), ((9, 11, 1, 4), (4, 1, 11, 9), None),
        ((9, 11, 7, 1, 1, 1, 1), (7, 11, 9), None), ((1, 1, 1, 1, 1), (1, 1, 1), None),
    ],
)  # fmt: skip
def test_axes_of_length_one_are_left_out_and_vectors_are_channels(
    tmp_path, shape, opened_as, channels
):
    values = np.random.default_rng(0).integers(0, 99, shape).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2, 2, 3, 1.0])), tmp_path / "v.nii")
    opened = open_image(tmp_path / "v.nii")
    assert (opened.data.shape, opened.channel_axis) == (opened_as, channels)
    here = tuple(n - 1 for n in opened_as)
    there = [*here[: len(here) if channels is None else channels][::-1]]
    there += [0] * (len(shape) - len(there))
    if channels is not None:
        there[4] = here[-1]
    assert opened.data[here] == values[tuple(there)]
    labels = np.zeros(opened.grid.shape, np.uint8)
    labels[..., 0, 0] = 5
    write_labels(tmp_path / "l.nii", labels, opened.grid)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.nii", opened.grid)[0], labels)


def test_colours_of_nifti_are_colours(tmp_path):
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    values = np.zeros((5, 6, 4), kind)
    values["G"][1, 2, 3] = 200
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "c.nii")
    opened = open_image(tmp_path / "c.nii")
    assert opened.rgb
    assert opened.data[3, 2, 1].tolist() == [0, 200, 0]


@pytest.mark.parametrize("kind", [np.complex64, np.complex128])
def test_complex_numbers_are_refused_by_name(tmp_path, kind):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6), kind), np.eye(4)), tmp_path / "c.nii")
    with pytest.raises(FileTrouble, match=f"complex numbers .{np.dtype(kind)}.*magnitude"):
        open_image(tmp_path / "c.nii")


def test_two_axes_of_channels_and_sixteen_axes_are_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6, 1, 2, 3)), np.eye(4)), tmp_path / "c.nii")
    with pytest.raises(FileTrouble, match="6 axes"):
        open_image(tmp_path / "c.nii")

    def sixteen(header):
        header["dim"][0] = 16

    with pytest.raises(FileTrouble, match="can't be read as NIfTI"):
        open_image(with_header(tmp_path / "d.nii", sixteen))


@pytest.mark.parametrize("slope", [0, np.nan, np.inf, 1])
def test_no_scaling_is_no_scaling(tmp_path, slope):
    def change(header):
        header["scl_slope"], header["scl_inter"] = slope, 0

    opened = open_image(with_header(tmp_path / "a.nii", change))
    assert opened.data.dtype == np.int16
    assert opened.data[5, 11, 9] == 719


def test_scaling_that_leaves_32_bits_keeps_its_values(tmp_path):
    def change(header):
        header["scl_slope"], header["scl_inter"] = 10_000_000, -5

    opened = open_image(with_header(tmp_path / "a.nii", change))
    assert opened.data[5, 11, 9] == 7_190_000_000 - 5


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes_and_both_versions(tmp_path, kind, order):
    values = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.int16)
    nibabel.save(kind(values, GOOD, header), tmp_path / "a.nii")
    opened = open_image(tmp_path / "a.nii")
    np.testing.assert_array_equal(opened.data, values.T)
    labels = np.where(values.T == 77, 70_000, 0)
    write_labels(tmp_path / "l.nii", labels, opened.grid)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.nii", opened.grid)[0], labels)
    assert type(nibabel.load(tmp_path / "l.nii")) is kind


@pytest.mark.parametrize(
    "kind", [nibabel.Nifti1Pair, nibabel.AnalyzeImage, nibabel.Spm2AnalyzeImage]
)
@pytest.mark.parametrize("ending", [".hdr", ".img"])
def test_pairs_of_header_and_pixels(tmp_path, kind, ending):
    values = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
    nibabel.save(kind(values, np.diag([2, 2, 3, 1.0])), tmp_path / "a.img")
    opened = open_image(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(opened.data, values.T)
    np.testing.assert_allclose(opened.grid.spacing, (3, 2, 2))
    labels = np.where(values.T == 77, 4, 0)
    write_labels(tmp_path / "l.nii.gz", labels, opened.grid)
    back = open_labels(tmp_path / "l.nii.gz", opened.grid)
    np.testing.assert_array_equal(back.data, labels)
    there = open_labels(tmp_path / "l.nii.gz").grid
    np.testing.assert_allclose(there.matrix, opened.grid.matrix, atol=1e-6)
    assert read_labels(tmp_path / f"a{ending}")[0].max() == 119


@pytest.mark.parametrize("axes", ["tyx", "tzyx", "ztyx", "zyx"])
def test_time_is_the_fourth_axis_with_its_step_and_its_start(tmp_path, axes):
    sizes = {"t": (4, 2.5, 30.0, "min"), "z": (3, 300.0, 0, "nm"), "y": (20, 200.0, 40, "nm"),
             "x": (24, 200.0, 0, "nm")}  # fmt: skip
    shape, spacing, origin, units = zip(*(sizes[a] for a in axes), strict=True)
    grid = Grid.scaled(shape, axes, spacing, origin, units)
    labels = np.random.default_rng(0).integers(0, 9, shape)
    write_labels(tmp_path / "l.nii.gz", labels, grid)
    image = nibabel.load(tmp_path / "l.nii.gz")
    np.testing.assert_allclose(image.header.get_zooms()[:2], (0.2, 0.2))
    if "t" in axes:
        assert image.shape == (24, 20, 3 if "z" in axes else 1, 4)
        assert image.header.get_zooms()[3] == 150
        assert image.header["toffset"] == 1800
        assert image.header.get_xyzt_units() == ("micron", "sec")
    np.testing.assert_array_equal(read_labels(tmp_path / "l.nii.gz", grid)[0], labels)
    again = open_labels(tmp_path / "l.nii.gz")  # by the axes that its table names
    np.testing.assert_array_equal(again.data, labels)
    assert again.grid.axes == tuple(axes)
    write_labels(tmp_path / "again.nii.gz", labels, again.grid)
    assert nibabel.load(tmp_path / "again.nii.gz").shape == image.shape


def test_five_axes_are_refused_by_name(tmp_path):
    with pytest.raises(InvalidLabels, match=r"5 axes.*\.zarr"):
        write_labels(tmp_path / "l.nii", np.zeros((2, 2, 2, 4, 4), int))
    assert not list(tmp_path.iterdir())


def test_labels_of_whole_floats_are_dropped_as_labels(tmp_path):
    image = nibabel.Nifti1Image(np.ones((4, 5, 6), np.float32), np.eye(4))
    image.header.set_intent("label", (), "aseg")
    nibabel.save(image, tmp_path / "aseg.nii.gz")
    assert find_labels(tmp_path / "aseg.nii.gz") is not None
    opened = open_labels(tmp_path / "aseg.nii.gz")
    assert (opened.name, opened.data.dtype) == ("aseg", np.uint8)
