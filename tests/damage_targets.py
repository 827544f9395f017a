"""Every reader of the project with a whole file for it, to be damaged."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
from damage import Target
from files import series_maker, some_labels, some_objects

import napari_seem as ns
from napari_seem.batch.run import LEDGER, done_before
from napari_seem.commands.recovery import recoveries
from napari_seem.commands.replay import replay
from napari_seem.embeddings.store import EmbeddingStore
from napari_seem.io.dicom import is_series
from napari_seem.io.files import open_image, open_labels, write_labels
from napari_seem.io.formats import find_labels
from napari_seem.labels.log import read_log, write_log
from napari_seem.labels.prompt_values import prompts_from_dict, prompts_to_dict
from napari_seem.labels.recorder import Recorder
from napari_seem.models import compact
from napari_seem.models.base import Embedding
from napari_seem.models.files import places, tensor_files
from napari_seem.objects.tables import objects_of_rows, read_rows
from napari_seem.propagation.record import RunRecord
from napari_seem.propagation.results import PlaneResult
from napari_seem.propagation.stack import Stack
from napari_seem.series.marks import MarkFolder

IMAGE = (np.mgrid[:64, :80].sum(0) * 2).astype(np.uint8)
STACK = np.stack([IMAGE, IMAGE + 1, IMAGE + 2])
LABELS = some_labels((64, 80))
KEY = ("model", "content")


def _tiff(name, data=IMAGE, **options):
    def make(folder):
        import tifffile

        tifffile.imwrite(folder / name, data, **options)
        return folder / name

    return make


def _geotiff(folder):
    import rasterio
    from rasterio.transform import from_origin

    path = folder / "map.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=64, width=80, count=1, dtype="uint8", compress="deflate",
        crs="EPSG:32632", transform=from_origin(4e5, 5e6, 2, 2), tiled=True, blockxsize=32,
        blockysize=32,
    ) as file:  # fmt: skip
        file.write(IMAGE, 1)
        file.build_overviews([2])
    return path


def _picture(name):
    def make(folder):
        from skimage.io import imsave

        imsave(folder / name, np.stack([IMAGE] * 3, -1), check_contrast=False)
        return folder / name

    return make


def _nifti(name):
    def make(folder):
        import nibabel

        nibabel.save(nibabel.Nifti1Image(STACK.T, np.diag([1.0, 1, 2, 1])), folder / name)
        return folder / name

    return make


def _dicom(folder):
    return series_maker(folder)([0.0, 2.0, 4.0])


def _dicom_frames(folder):
    from dicom_files import enhanced, groups

    frames = [groups((0, 0, 3 * k), slope=1, time=1, dimensions=(1, k + 1)) for k in range(4)]
    enhanced(folder / "frames.dcm", np.ones((4, 32, 40), np.uint16), frames)
    return folder / "frames.dcm"


def _dicom_of(name):
    def make(folder):
        from dicom_files import sample

        return Path(shutil.copy(sample(name), folder / f"a{Path(name).suffix or name}"))

    return make


def _zarr(version):
    def make(folder):
        import zarr

        path = folder / "image.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=version)
        for level, step in enumerate((1, 2)):
            group.create_array(str(level), data=STACK[:, ::step, ::step], chunks=(1, 32, 32))
        axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]
        datasets = [
            {"path": str(n), "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, 2.0**n, 2.0**n]}]} for n in (0, 1)]  # fmt: skip
        scales = [{"axes": axes, "datasets": datasets, "version": "0.4"}]
        if version == 2:
            group.attrs["multiscales"] = scales
        else:
            group.attrs["ome"] = {"version": "0.5", "multiscales": scales}
        return path

    return make


def _labels(name, labels=LABELS):
    def make(folder):
        write_labels(folder / name, labels, table=some_objects(), about={"image": "a.tif"})
        return folder / name

    return make


def _outlines(name, text):
    """Outlines as other programs write them."""

    def make(folder):
        (folder / name).write_text(json.dumps(text))
        return folder / name

    return make


_RING = [[5, 5], [30, 5], [30, 20], [5, 20], [5, 5]]
_QUPATH = {"type": "FeatureCollection", "napari-seem": {"shape": [64, 80]}, "features": [
    {"type": "Feature", "id": "a", "geometry": {"type": "Polygon", "coordinates": [_RING]},
     "properties": {"classification": {"name": "Tumor"}}},
    {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [[_RING]]},
     "properties": {"id": 3}}]}  # fmt: skip
_COCO = {
    "images": [{"id": 1, "file_name": "a.tif", "height": 64, "width": 80}],
    "categories": [{"id": 1, "name": "cell"}],
    "annotations": [
        {"id": 7, "image_id": 1, "category_id": 1, "segmentation": [np.ravel(_RING).tolist()]},
        {"id": 8, "image_id": 1, "category_id": 1,
         "segmentation": {"size": [64, 80], "counts": [100, 20, 5000]}}],
}  # fmt: skip


def _dicom_seg(folder):
    series = _dicom(folder)
    grid = open_image(series).grid
    write_labels(folder / "cells.dcm", some_labels(grid.shape), grid, some_objects())
    shutil.rmtree(series)
    return folder / "cells.dcm"


def _log(folder):
    labels = np.zeros((64, 80), np.uint16)
    recorder = Recorder(labels, "cells")
    recorder.image({"name": "a", "source": "a.tif", "shape": [64, 80], "dtype": "|u1",
                    "fingerprint": "whole-0"})  # fmt: skip
    mask = LABELS > 0
    prompts = [ns.Point(3, 4), ns.Box(1, 1, 9, 9), ns.Mask(mask), ns.Scribble(mask, False),
               ns.Polygon([[1, 1], [9, 9], [9, 1]]), ns.Text("cell")]  # fmt: skip
    for number in (4, 9, 300):
        entry = {"event": "commit", "prompts": prompts_to_dict(prompts),
                 "plane": {"axes": [0, 1], "index": [None, None]}}  # fmt: skip
        rows = {str(number): {"name": "a", "score": 0.5, "prompts": 1}}
        with recorder.writing(entry, labels, rows=lambda rows=rows: rows):
            labels[number == LABELS] = number
    return write_log(folder / "cells.log.jsonl", recorder.events)


def _read_log(path):
    for session in read_log(path):
        replay(session)
        for event in session.events:
            prompts_from_dict(event.get("prompts", []))


def _read_journals(path):
    for one in recoveries(path.parent):
        done = one.read()
        assert done.labels.shape == one.shape
        done.count, done.grid, one.palette, one.time, done.picture()


def _run_record(path):
    stack = Stack(STACK, 0)
    return RunRecord(path, stack, {0: _planes()[0]}, ())


def _planes():
    labels = LABELS.astype(np.int32)
    return [PlaneResult(n, labels, {4: 0.5, 9: 0.25}, (), False, frozenset()) for n in range(3)]


def _propagating(folder):
    record = _run_record(folder / "a.unfinished.jsonl")
    record.begin()
    record.add(_planes()[1:2])
    record.add(_planes()[2:])
    assert len(record.begin()) == 2
    return folder / "a.unfinished.jsonl"


@cache
def _model():
    return ns.load_model("compact")


def _words(folder):
    ns.ConceptLibrary((_word(),)).save(folder / "words.zip")
    return folder / "words.zip"


@cache
def _word():
    return ns.teach_word(_model(), "disc", [ns.Shown(IMAGE, LABELS.astype(np.int32))])


@cache
def _learned():
    return list(ns.in_context.teach(_model(), (IMAGE, LABELS.astype(np.int32))))[-1].lesson


def _lesson(folder):
    ns.save_lesson(folder / "lesson.safetensors", _model(), _learned(), "squares")
    return folder / "lesson.safetensors"


def _weights(folder):
    import torch
    from safetensors.torch import save_file

    path = folder / "small.safetensors"
    save_file({"a": torch.ones(8, 9), "b.c": torch.zeros(3)}, path, {"config": "{}", "words": "[]"})
    return path


def _checkpoint(folder):
    import torch

    torch.save({"a": torch.ones(8, 9), "b.c": torch.zeros(3)}, folder / "small.pt")
    return folder / "small.pt"


def _store(folder):
    import torch

    store = EmbeddingStore(folder / "store")
    tensors = {"a": torch.arange(60.0).reshape(3, 4, 5), "b": torch.ones(9).half()}
    store.put(KEY, Embedding("model", (64, 80), tensors, {"scale": (1, 2), "names": ["a"]}))
    return store.path(KEY)


def _ledger(folder):
    lines = [{"task": f"{i:032x}", "kind": "segment", "seconds": 0.1} for i in range(9)]
    (folder / LEDGER).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / LEDGER


def _mark(folder):
    marks = MarkFolder(folder)
    marks.change("a.tif", "me", state="done", note="good", counts={"cell": 3}, counted=(10, 20))
    return marks.path_of("a.tif")


def _read_mark(path):
    marks = MarkFolder(path.parents[1])
    marks.read("a.tif"), marks.read_all()


def _prompts(folder):
    rows = ["y,x,y0,x0,y1,x1,text,object,positive,name", "3,4,,,,,,1,1,cell", "5,6,,,,,,1,0,",
            ",,1,2,8,9,,2,1,", ",,,,,,nucleus,,,"]  # fmt: skip
    (folder / "prompts.csv").write_text("\n".join(rows * 1 + rows[1:] * 9))
    return folder / "prompts.csv"


def _places(folder):
    (folder / places.LISTING).write_text(json.dumps({"a.pt": str(folder / "a.pt"), "b": "/b"}))
    return folder / places.LISTING


def _read_places(path):
    import os
    from unittest.mock import patch

    with patch.dict(os.environ, {places.HOME_VARIABLE: str(path.parent)}):
        places.remembered("a.pt"), places.remembered("b"), places.remembered("c")


def _image(path):
    opened = open_image(path)
    for level in opened.levels:
        np.asarray(level)


def _label(path):
    find_labels(path)
    opened = open_labels(path)
    np.asarray(opened.data)
    for level in opened.levels:
        np.asarray(level)


def _seen(path):
    return is_series(path), find_labels(path), _image(path)


VOLUME = np.stack([LABELS] * 3)
TARGETS = [
    Target("TIFF", _tiff("a.tif"), _image),
    Target("TIFF deflate", _tiff("a.tif", compression="zlib", predictor=True), _image),
    Target("TIFF zstd tiles", _tiff("a.tif", compression="zstd", tile=(32, 32)), _image),
    Target("TIFF JPEG", _tiff("a.tif", compression="jpeg"), _image),
    Target("TIFF LZW", _tiff("a.tif", compression="lzw"), _image),
    Target("ImageJ", _tiff("a.tif", STACK, imagej=True, metadata={"axes": "ZYX"}), _image),
    Target("OME-TIFF", _tiff("a.ome.tif", STACK, ome=True, metadata={"axes": "ZYX"}), _image),
    Target("GeoTIFF", _geotiff, _image),
    Target("PNG", _picture("a.png"), _image),
    Target("JPEG", _picture("a.jpg"), _image),
    Target("BMP", _picture("a.bmp"), _image),
    Target("NIfTI", _nifti("a.nii"), _image),
    Target("NIfTI.gz", _nifti("a.nii.gz"), _image),
    Target("DICOM", _dicom, _seen),
    Target("DICOM of frames", _dicom_frames, _image),
    Target("DICOM RLE", _dicom_of("MR_small_RLE.dcm"), _image),
    Target("DICOM JPEG", _dicom_of("SC_rgb_jpeg_gdcm.dcm"), _image),
    Target("DICOM JPEG 2000", _dicom_of("MR_small_jp2klossless.dcm"), _image),
    Target("DICOM JPEG-LS", _dicom_of("MR_small_jpeg_ls_lossless.dcm"), _image),
    Target("OME-Zarr 0.4", _zarr(2), _image),
    Target("OME-Zarr 0.5", _zarr(3), _image),
    Target("TIFF labels", _labels("a.tif"), _label),
    Target("NIfTI labels", _labels("a.nii.gz", VOLUME), _label),
    Target("DICOM-SEG", _dicom_seg, _label),
    Target("COCO", _labels("a.coco.json"), _label),
    Target("COCO of others", _outlines("a.json", _COCO), _label),
    Target("GeoJSON", _labels("a.geojson"), _label),
    Target("GeoJSON of others", _outlines("a.geojson", _QUPATH), _label),
    Target("ROI set", _labels("a.zip", VOLUME), _label),
    Target("tracks", _labels("res_track.txt", VOLUME), _label),
    Target("OME-Zarr labels", _labels("a.zarr", VOLUME), _label),
    Target("log", _log, _read_log),
    Target("journals", _log, _read_journals),
    Target("propagation", _propagating, lambda path: _run_record(path).begin()),
    Target("taught words", _words, ns.ConceptLibrary.load),
    Target("lesson", _lesson, lambda path: ns.load_lesson(path, _model())),
    Target("weights", _weights, tensor_files.load),
    Target("checkpoint", _checkpoint, tensor_files.load),
    Target("compact weights", _weights_of_compact := lambda folder: Path(
        shutil.copy(Path(compact.__file__).with_name("compact.safetensors"), folder)),
        compact.build),
    Target("embedding", _store, lambda path: EmbeddingStore(path.parent).get(KEY)),
    Target("batch ledger", _ledger, lambda path: done_before(path.parent)),
    Target("series mark", _mark, _read_mark),
    Target("prompt table", _prompts, lambda path: objects_of_rows(read_rows(path))),
    Target("places", _places, _read_places),
]  # fmt: skip


def make_checked(target, folder):
    """Write a target's file, which must open."""
    path = target.make(folder)
    target.read(path)
    return path
