"""Large files that are cut or replaced while they are open end in an error, not in a signal."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

from napari_seem.errors import FileTrouble
from napari_seem.io.files import open_image
from napari_seem.viewer.files import as_layers

PIXELS = np.random.default_rng(0).integers(0, 30_000, (12, 40, 50)).astype(np.uint16)


@pytest.fixture(params=["plain.tif", "swapped.tif", "packed.tif", "map.nii"])
def large(tmp_path, request, monkeypatch):
    """The path of a file that counts as large, and its image."""
    for module in ("tiff", "nifti"):
        monkeypatch.setattr(f"napari_seem.io.{module}.LARGE", 1000)
    path = tmp_path / request.param
    if path.suffix == ".nii":
        nibabel = pytest.importorskip("nibabel")
        nibabel.save(nibabel.Nifti1Image(PIXELS.T.astype(np.int16), np.eye(4)), path)
    else:
        packed = {"compression": "zlib"} if "packed" in path.name else {}
        order = ">" if "swapped" in path.name else "<"
        tifffile.imwrite(path, PIXELS, photometric="minisblack", byteorder=order, **packed)
    return path, open_image(path)


def test_every_part_is_that_of_the_file(large):
    path, image = large
    assert not isinstance(image.data, np.ndarray)
    assert image.data.dtype.isnative
    np.testing.assert_array_equal(np.asarray(image.data), PIXELS)
    for cut in (3, -1, (2, 5), np.s_[2:9:3, :, 7], np.s_[..., 4], np.s_[:, ::-1]):
        np.testing.assert_array_equal(np.asarray(image.data[cut]), PIXELS[cut])
    if "packed" not in path.name:
        again = pickle.loads(pickle.dumps(image.data))
        np.testing.assert_array_equal(again[4], PIXELS[4])
    turned = image.data.transpose(2, 0, 1)
    np.testing.assert_array_equal(np.asarray(turned[7]), PIXELS.transpose(2, 0, 1)[7])


@pytest.mark.parametrize("how", ["cut", "replaced", "rewritten", "removed"])
def test_what_has_changed_is_not_read(large, how):
    path, image = large
    np.testing.assert_array_equal(np.asarray(image.data[3]), PIXELS[3])
    if how == "cut":
        os.truncate(path, 600)
    elif how == "rewritten":
        path.write_bytes(bytes(path.stat().st_size // 2))
    else:
        path.unlink()
        if how == "replaced":
            path.write_bytes(b"something else")
    with pytest.raises(FileTrouble, match=path.name):
        np.asarray(image.data[7])


def test_napari_shows_it_without_reading_all(large):
    path, image = large
    viewer = ViewerModel()
    ((data, options, _),) = as_layers(image, path)
    layer = viewer.add_image(data, **options)
    assert not isinstance(layer.data, np.ndarray)
    viewer.dims.order = (2, 0, 1)
    viewer.dims.set_current_step(2, 4)
    viewer.dims.order = (0, 1, 2)
    os.truncate(path, 600)
    if "packed" in path.name:  # napari keeps its chunk
        return
    with pytest.raises(FileTrouble, match=path.name):
        viewer.dims.set_current_step(0, 7)
