"""`napari-seem pixels` and `napari-seem batch pixels`."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

import napari_seem as ns
from napari_seem.cli import main
from napari_seem.io.files import read_labels


@pytest.fixture
def folder(tmp_path):
    image = np.full((48, 64), 40, np.uint8)
    image[10:20, 4:28] = image[10:20, 36:60] = 200
    strokes = np.zeros(image.shape, np.uint8)
    strokes[14:16, 8:24], strokes[30, 8:40] = 1, 2
    for name, pixels in (("a", image), ("b", image[::-1]), ("strokes", strokes)):
        imsave(tmp_path / f"{name}.png", pixels, check_contrast=False)
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([image, image[::-1]]), imagej=True,
                     metadata={"axes": "ZYX"})  # fmt: skip
    return tmp_path


def fit(folder, *more):
    return main(["pixels", *more, "--strokes", str(folder / "a.png"), str(folder / "strokes.png"),
                 "--plain", "--names", "1=bar,2=ground", "-o", str(folder / "out")])  # fmt: skip


def test_images_are_classified_from_strokes(folder, capsys):
    assert fit(folder, str(folder / "b.png"), "--probabilities") == 0
    labels = np.asarray(read_labels(folder / "out" / "b_labels.tif")[0])
    assert labels[30, 10] == 1
    assert labels[5, 10] == 2
    shares = tifffile.imread(folder / "out" / "b_labels_probabilities.tif")
    assert shares.shape[-3:] == (2, 48, 64)
    assert "classes=[bar, ground]" in capsys.readouterr().out


def test_a_saved_classifier_finds_objects_in_a_stack(folder):
    assert fit(folder) == 0
    kept = folder / "out" / "pixel-classes.safetensors"
    assert ns.PixelClassifier.load(kept, None).names == {1: "bar", 2: "ground"}
    assert main(["batch", "pixels", str(folder / "stack.tif"), "-o", str(folder / "out"),
                 "--classifier", str(kept), "--objects", "bar"]) == 0  # fmt: skip
    labels = np.asarray(read_labels(folder / "out" / "stack_labels.tif")[0])
    assert [len(np.unique(plane)) - 1 for plane in labels] == [2, 2]
    assert labels.max() == 4


def test_what_is_missing_is_named(folder, capsys):
    assert main(["pixels", str(folder / "a.png"), "-o", str(folder)]) == 2
    assert "give --strokes IMAGE STROKES, or --classifier" in capsys.readouterr().err
    assert main(["batch", "pixels", str(folder / "a.png"), "-o", str(folder)]) == 2
    assert "--classifier" in capsys.readouterr().err
    assert main(["batch", "pixels", str(folder / "a.png"), "-o", str(folder), "--classifier",
                 str(folder / "a.png")]) == 2  # fmt: skip
    assert "a.png" in capsys.readouterr().err
