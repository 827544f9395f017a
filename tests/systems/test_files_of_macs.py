"""What Macs leave in folders, names that differ in case only, and whom downloads trust there."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from napari_seem import batch
from napari_seem.errors import InvalidImage
from napari_seem.io.images import image_files, images_in
from napari_seem.io.writing import disk
from napari_seem.models.files import own, transfer
from napari_seem.models.registry import MODELS
from napari_seem.series.listing import list_images


def beside(path: Path) -> Path:
    """What a Mac writes beside a file on a disk that can't hold all it knows of it."""
    other = path.with_name(f"._{path.name}")
    other.write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ")
    return other


@pytest.fixture
def pictures(tmp_path):
    """A folder of two images, as it comes from a Mac."""
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((8, 9), np.uint8))
        beside(tmp_path / name)
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    return tmp_path


def test_files_that_macs_hide_are_no_images(pictures):
    wanted = [pictures / "a.tif", pictures / "b.tif"]

    assert images_in(pictures) == wanted
    assert image_files([pictures]) == wanted
    assert [image.name for image in list_images([pictures])[1]] == ["a.tif", "b.tif"]


def test_a_dicom_series_is_found_among_them(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.data import get_testdata_file

    source = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    series = tmp_path / "patients" / "one"
    series.mkdir(parents=True)
    for number in range(30):  # without an ending, as scanners name them
        shutil.copy(source, series / f"IM{number:03d}")
        beside(series / f"IM{number:03d}")
    (series.parent / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")

    assert image_files([series]) == [series]
    assert [image.path for image in list_images([series.parent])[1]] == [series]
    assert pydicom


def test_a_model_of_ones_own_is_not_offered_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path))
    own.install(Path(MODELS["compact"].weights.path).read_bytes(), "mine")
    beside(tmp_path / "models" / "mine.safetensors")

    assert list(own.files()) == ["compact: mine"]


@pytest.mark.parametrize("system", ["darwin", "win32", "linux"])
def test_outputs_whose_names_differ_in_case_only(tmp_path, monkeypatch, system):
    for folder, name in (("one", "Cell.tif"), ("two", "cell.tif")):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / name, np.zeros((8, 9), np.uint8))
    monkeypatch.setattr(disk, "sys", SimpleNamespace(platform=system))
    sources = [tmp_path / "one" / "Cell.tif", tmp_path / "two" / "cell.tif"]
    if system == "linux":
        assert len(batch.plan("segment", sources, tmp_path / "out")) == 2
        return
    with pytest.raises(InvalidImage, match="would both be written"):
        batch.plan("segment", sources, tmp_path / "out")


def test_downloads_trust_whom_browsers_do_where_the_system_names_nobody(monkeypatch):
    """As with python.org's Python on a Mac."""
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: None)
    assert not ssl.create_default_context().get_ca_certs()

    assert len(transfer._certificates().get_ca_certs()) > 50
    assert transfer._certificates().verify_mode == ssl.CERT_REQUIRED


def test_torch_is_told_to_fall_back_before_it_is_imported():
    code = "import napari_seem, os, sys; assert 'torch' not in sys.modules; print(os.environ[NAME])"
    for given, wanted in ((None, "1"), ("0", "0")):
        environment = {k: v for k, v in os.environ.items() if k != "PYTORCH_ENABLE_MPS_FALLBACK"}
        if given is not None:
            environment["PYTORCH_ENABLE_MPS_FALLBACK"] = given
        said = subprocess.run(
            [sys.executable, "-c", code.replace("NAME", "'PYTORCH_ENABLE_MPS_FALLBACK'")],
            env=environment, text=True, capture_output=True, check=True,
        )  # fmt: skip
        assert said.stdout.strip() == wanted
