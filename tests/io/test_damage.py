"""Damaged and hostile files: opened, or refused by an error of ours, in little time and memory."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import zipfile
import zlib

import numpy as np
import pytest
from damage import Tally, bounded, hostile, note, torture
from damage_targets import TARGETS, make_checked

from napari_seem import ConceptLibrary
from napari_seem.commands.replay import replay
from napari_seem.errors import FileTrouble, LogTrouble, NapariSeemError
from napari_seem.io.files import open_image, open_labels, write_labels
from napari_seem.io.guard import JSON_BYTES
from napari_seem.io.outlines.roi_sets import ROI_BYTES
from napari_seem.labels.log import read_log

SLOW = {"compact weights", "lesson", "taught words"}
"""Readers that a model is loaded for."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damaged_files_open_or_are_refused_by_name(target, tmp_path):
    found = torture(target, tmp_path, 1 if target.name in SLOW else 3)
    assert not found.faults, str(found)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "target", [t for t in TARGETS if t.name not in SLOW], ids=lambda target: target.name
)
def test_what_is_no_file_is_refused_by_name(target, tmp_path):
    path = make_checked(target, tmp_path)
    place = path if path.is_file() else min(p for p in path.rglob("*") if p.is_file())
    found = Tally()
    for what, put in hostile(place):
        put()
        note(found, what, lambda: target.read(path))
    assert not found.faults, str(found)


def refused(read, error=FileTrouble, match=None):
    """Assert that a reader refuses in time and memory, before it takes any."""
    with bounded(), pytest.raises(error, match=match) as caught:
        read()
    assert not isinstance(caught.value.__cause__, MemoryError)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiff_that_claims_a_trillion_pixels_is_refused(compression, tmp_path):
    import tifffile

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 80), np.uint8), compression=compression)
    with tifffile.TiffFile(path, mode="r+") as file:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            page = file.pages[0].tags[tag]
            page.overwrite(1_000_000, dtype="I")
    refused(lambda: open_image(path))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_nifti_that_claims_tera_voxels_is_refused(name, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header["dim"] = [3, 30_000, 30_000, 30_000, 1, 1, 1, 1]
    content = header.binaryblock + bytes(100)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    refused(lambda: open_image(tmp_path / name))


def test_a_png_that_claims_ten_giga_pixels_is_refused(tmp_path):
    def chunk(kind, body):
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    size = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size)
    content += chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    refused(lambda: open_image(tmp_path / "a.png"))


@pytest.mark.parametrize("key", ["shape", "chunk_grid"])
def test_an_ome_zarr_that_claims_tera_pixels_is_refused(key, tmp_path):
    path = tmp_path / "a.zarr"
    write_labels(path, np.ones((64, 80), np.uint16))
    described = path / "0" / "zarr.json"
    document = json.loads(described.read_text())
    huge = [10**7, 10**7]
    document["shape"] = huge
    if key == "chunk_grid":
        document[key]["configuration"]["chunk_shape"] = huge
    described.write_text(json.dumps(document))
    refused(lambda: np.asarray(open_image(path).data))


@pytest.mark.parametrize("shape", [[10**7, 10**7], [10**13, 80], [-1, 5], ["x", 5]])
def test_outlines_that_claim_a_huge_image_are_refused(shape, tmp_path):
    text = {"type": "FeatureCollection", "features": [], "napari-seem": {"shape": shape}}
    (tmp_path / "a.geojson").write_text(json.dumps(text))
    refused(lambda: open_labels(tmp_path / "a.geojson"))


def test_run_lengths_of_a_tera_pixel_are_refused(tmp_path):
    text = {
        "images": [{"id": 1, "height": 64, "width": 80}], "categories": [],
        "annotations": [{"id": 1, "segmentation": {"size": [64, 80], "counts": [0, 10**13]}}],
    }  # fmt: skip
    (tmp_path / "a.coco.json").write_text(json.dumps(text))
    refused(lambda: open_labels(tmp_path / "a.coco.json"), match="run lengths")


def bomb(path, name, unpacked, *, told):
    """Write a zip whose member unpacks to many zeros, and tells another size of itself."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open(name, "w", force_zip64=True) as stream:
            for _ in range(unpacked >> 24):
                stream.write(bytes(1 << 24))
        file.filelist[0].file_size = told


def test_archives_that_unpack_to_more_than_they_say_are_refused(tmp_path):
    bomb(tmp_path / "rois.zip", "0001.roi", ROI_BYTES + (1 << 24), told=100)
    refused(lambda: open_labels(tmp_path / "rois.zip"))
    bomb(tmp_path / "words.zip", "concepts.json", JSON_BYTES + (1 << 24), told=100)
    refused(lambda: ConceptLibrary.load(tmp_path / "words.zip"))


@pytest.mark.parametrize("way", ["../evil.roi", "/tmp/evil.roi", "a/../../evil.roi"])
def test_no_member_of_an_archive_is_written_anywhere(way, tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    write_labels(inner / "rois.zip", np.ones((8, 9), np.uint8))
    with zipfile.ZipFile(inner / "rois.zip") as file:
        roi = file.read(file.namelist()[0])
    with zipfile.ZipFile(inner / "rois.zip", "w") as file:
        file.writestr(way, roi)
    assert (np.asarray(open_labels(inner / "rois.zip").data) == 1).all()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [inner / "rois.zip"]


def test_a_library_with_a_pickled_array_is_refused(tmp_path):
    content = io.BytesIO()
    np.save(content, np.array([{"a": 1}], object), allow_pickle=True)
    row = {"name": "a", "model": "m", "made": "", "arrays": {"x": "x"}, "meaning": {},
           "synonyms": [], "examples": []}  # fmt: skip
    with zipfile.ZipFile(tmp_path / "words.zip", "w") as file:
        listing = {"format": "napari-seem concepts 1", "concepts": [row]}
        file.writestr("concepts.json", json.dumps(listing))
        file.writestr("x.npy", content.getvalue())
    refused(lambda: ConceptLibrary.load(tmp_path / "words.zip"))


def _runs(*columns):
    return base64.b64encode(zlib.compress(np.array(columns, "<i8").tobytes())).decode()


@pytest.mark.parametrize(
    "told",
    [
        {"shape": [10**6, 10**6]}, {"shape": []}, {"shape": [-1, -1]}, {"dtype": "O"},
        {"dtype": "<U9", "patch": _runs([0], [4], [1])},
        {"patch": _runs([2**63 - 1, 5], [2**63 - 1, 2], [1, 1])},
        {"patch": _runs([2, 2], [4, 4], [1, 1])},
        {"objects": [1, 2]}, {"objects": {"x": {"name": "a"}}},
        {"objects": {"1": {"score": "high"}}},
    ],
    ids=["shape", "no shape", "negative", "dtype", "text", "runs", "overlap", "rows", "id",
         "score"],
)  # fmt: skip
def test_a_log_that_claims_what_can_not_be_is_refused(told, tmp_path):
    refuse_log(told, tmp_path)


def test_a_log_that_unpacks_to_more_than_memory_holds_is_refused(tmp_path):
    runs = zlib.compress(bytes(1 << 29), 1)
    refuse_log({"patch": base64.b64encode(runs).decode()}, tmp_path)


def refuse_log(told, tmp_path):
    path = tmp_path / "x.log.jsonl"
    line = {"n": 1, "at": "", "event": "opened", "format": "napari-seem log", "version": 1,
            "session": "a", "shape": [64, 80], "dtype": "<u2", **told}  # fmt: skip
    path.write_text(json.dumps(line) + "\n")
    refused(lambda: replay(read_log(path)[-1]), LogTrouble)


def test_errors_name_the_file(tmp_path):
    (tmp_path / "broken.nii.gz").write_bytes(b"\x1f\x8b no")
    for name in ("broken.nii.gz", "absent.tif"):
        with pytest.raises(NapariSeemError, match=name):
            open_image(tmp_path / name)
