"""The command line: what it writes, and what it says about bad input."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from discs import disc_image
from skimage.io import imsave

import napari_seem as ns
from napari_seem.cli import main
from napari_seem.models import registry


def test_the_window_is_told_and_an_unknown_one_refused(picture, tmp_path, capsys):
    out = tmp_path / "labels.tif"
    asked = ["segment", str(picture), "--box", "55,19,140,104", "-o", str(out)]
    assert main([*asked, "--window", "0,200"]) == 0
    told = json.loads(out.with_suffix(".json").read_text())
    assert told["shown"] == {"window": [0.0, 200.0]}
    assert main([*asked, "--window", "kidney"]) == 2
    assert "soft tissue" in capsys.readouterr().err
    assert main([*asked, "--ndvi", "3,0"]) == 2
    assert "no band 3" in capsys.readouterr().err


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "discs.png"
    imsave(path, np.kron(disc_image()[0], np.ones((3, 3), np.uint8)), check_contrast=False)
    return path


def test_segment_writes_labels_and_their_table(picture, tmp_path):
    out = tmp_path / "labels.tif"

    assert main(["segment", str(picture), "--box", "55,19,140,104", "-o", str(out)]) == 0

    labels = tifffile.imread(out)
    truth = np.kron(disc_image()[1], np.ones((3, 3), np.int32)) == 1
    assert labels.dtype == np.uint16
    assert (truth & (labels == 1)).sum() / (truth | (labels == 1)).sum() > 0.75
    table = json.loads(out.with_suffix(".json").read_text())["objects"]
    assert table[0]["index"] == 1
    assert 0 <= table[0]["score"] <= 1
    assert not list(tmp_path.glob("*.part"))


def test_everything_numbers_its_objects(picture, tmp_path):
    out = tmp_path / "labels.tif"

    assert main(["segment", str(picture), "--everything", "-o", str(out)]) == 0

    labels = tifffile.imread(out)
    table = json.loads(out.with_suffix(".json").read_text())["objects"]
    assert len(table) == labels.max()


def test_everything_within_bounds_only(picture, tmp_path):
    out, table = tmp_path / "labels.tif", tmp_path / "labels.json"
    found = {}
    for name, bounds in {
        "all": [],
        "large": ["--min-area", "2000", "--max-area", "9000"],
        "sure": ["--min-score", "1"],
        "huge": ["--min-area", "99999"],
    }.items():
        assert main(["segment", str(picture), "--everything", *bounds, "-o", str(out)]) == 0
        areas = np.bincount(tifffile.imread(out).ravel())[1:]
        found[name] = areas
        assert len(areas) == len(json.loads(table.read_text())["objects"])

    assert set(found["large"]) == {a for a in found["all"] if 2000 <= a <= 9000}
    assert len(found["large"]) == 2
    assert not len(found["sure"])
    assert not len(found["huge"])


def test_everything_of_some_names(picture, tmp_path):
    out = tmp_path / "labels.tif"

    assert main(["segment", str(picture), "--everything", "--names", "nuclei, cell",
                 "-o", str(out)]) == 0  # fmt: skip

    rows = json.loads(out.with_suffix(".json").read_text())["objects"]
    assert rows
    assert {row["name"] for row in rows} <= {"nucleus", "cell"}


def test_maps_are_written_beside_the_objects(picture, tmp_path):
    out, semantic, panoptic = (tmp_path / f"{name}.tif" for name in ("out", "names", "all"))

    assert main(["segment", str(picture), "--everything", "--names", "nucleus,sky", "-o", str(out),
                 "--semantic", str(semantic), "--panoptic", str(panoptic)]) == 0  # fmt: skip

    objects, names, regions = (tifffile.imread(path) for path in (out, semantic, panoptic))
    assert set(np.unique(names)) <= {0, 1, 2}
    rows = json.loads(semantic.with_suffix(".json").read_text())["objects"]
    assert [row["name"] for row in rows if row["index"] == 1] == ["nucleus"]
    assert (names == 1)[objects > 0].mean() > 0.5
    assert np.array_equal(regions[objects > 0], objects[objects > 0])
    told = json.loads(panoptic.with_suffix(".json").read_text())["objects"]
    assert {row["index"] for row in told} == set(np.unique(regions)) - {0}


def test_everything_of_a_big_image_within_bounds(picture, tmp_path):
    image = np.zeros((240, 2100), np.uint8)
    image[24:216, 800:1040] = np.kron(disc_image()[0], np.ones((3, 3), np.uint8))
    out, panoptic = tmp_path / "labels.tif", tmp_path / "all.tif"
    imsave(picture, image, check_contrast=False)

    assert main(["segment", str(picture), "--everything", "--min-area", "2000", "--names",
                 "nucleus", "-o", str(out), "--panoptic", str(panoptic)]) == 0  # fmt: skip

    labels = tifffile.imread(out)
    rows = json.loads(out.with_suffix(".json").read_text())["objects"]
    areas = np.bincount(labels.ravel())
    assert {row["index"] for row in rows} == set(np.flatnonzero(areas)) - {0}
    assert len(rows) >= 2
    assert all(areas[row["index"]] >= 2000 for row in rows)
    assert np.array_equal(tifffile.imread(panoptic) > 0, labels > 0)


def test_models_are_listed(capsys):
    assert main(["models"]) == 0

    listed = capsys.readouterr().out
    assert "compact" in listed
    assert "ready" in listed
    assert "CC-BY-4.0      94 M parameters, 375 MB to download" in listed
    assert "As published: J&F on SA-V 76.5 (Ravi et al.)." in listed


def test_a_licence_is_told_before_a_download_and_trouble_ends_with_2(
    tmp_path, monkeypatch, capsys, site
):
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path))
    spec = registry.model_spec("sam2.1-tiny")
    here = replace(spec, weights=replace(spec.weights, url=site.url))
    monkeypatch.setitem(registry.MODELS._specs, "sam2.1-tiny", here)
    site.content_type = "text/html"
    assert main(["models", "--download", "sam2.1-tiny"]) == 2
    told = capsys.readouterr().err
    assert told.index("Licence of the weights: Apache-2.0") < told.index("web page instead")
    assert "\nnapari-seem: " in told  # below the line of progress
    assert list(tmp_path.iterdir()) == []
    site.content_type = ""
    assert main(["models", "--download", "sam2.1-tiny"]) == 0
    assert "MB" in capsys.readouterr().err
    assert (tmp_path / spec.weights.filename).read_bytes() == site.body
    assert main(["models", "--use", "sam2.1-tiny", str(tmp_path / "none.pt")]) == 2
    assert "no weights at" in capsys.readouterr().err
    packaged = registry.model_spec("compact").weights.path
    assert main(["models", "--use", "compact", str(packaged)]) == 2
    assert "--install FILE" in capsys.readouterr().err
    assert main(["segment", "a.tif", "--model", "sam-vit-b", "--everything", "-o", "b.tif"]) == 2
    assert "napari-seem models --download sam-vit-b" in capsys.readouterr().err


def test_a_model_is_downloaded_with_its_decoder(capsys, site, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SEEM_HOME", str(tmp_path))
    published = registry.model_spec("micro-sam-vit-b-lm")
    first, second = (
        replace(file, url=site.url, digest=None) for file in (published.weights, published.decoder)
    )
    spec = replace(published, weights=first, decoder=second)
    monkeypatch.setitem(registry.MODELS._specs, spec.name, spec)
    assert main(["models", "--download", spec.name]) == 0
    assert first.path.read_bytes() == second.path.read_bytes() == site.body
    second.path.unlink()
    capsys.readouterr()
    assert main(["models"]) == 0
    assert "no decoder" in capsys.readouterr().out
    assert main(["models", "--download", spec.name]) == 0
    assert "Licence of the weights: CC-BY-4.0" in capsys.readouterr().err
    assert second.path.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--point", "9999,5"], "outside"),
        (["--point", "5"], "2 numbers"),
        (["--point", "5,5", "--min-area", "9"], "be used with --everything"),
        (["--everything", "--min-area", "9", "--max-area", "5"], "above the smallest"),
        (["--everything", "--min-score", "7"], "between 0 and 1"),
        (
            ["--everything", "--semantic", "labels.tif", "--panoptic", "labels.tif"],
            "different file",
        ),
        (["--point", "5,5", "--semantic", "names.tif"], "be used with --everything"),
        (["--everything", "--word", "cell", "--names", "nucleus"], "not both"),
        (["--word", "flux capacitor"], "was not taught"),
        ([], "--everything"),
        (["--point", "5,5", "--model", "compcat"], "did you mean compact"),
    ],
)
def test_bad_input_is_told_in_one_line_and_writes_nothing(
    picture, tmp_path, capsys, arguments, told
):
    out = tmp_path / "labels.tif"

    assert main(["segment", str(picture), *arguments, "-o", str(out)]) == 2

    message = capsys.readouterr().err
    assert told in message
    assert "Traceback" not in message
    assert not out.exists()


def test_a_file_that_is_no_image_is_reported(tmp_path, capsys):
    path = tmp_path / "notes.png"
    path.write_text("not a picture")

    assert main(["segment", str(path), "--everything", "-o", str(tmp_path / "l.tif")]) == 2
    assert "notes.png" in capsys.readouterr().err


def test_a_bench_must_be_named(capsys):
    assert main(["bench", "patience"]) == 2
    assert "clicks" in capsys.readouterr().err


def test_a_stack_is_refused_instead_of_being_cut_along_the_wrong_axis(tmp_path, capsys):
    path, out = tmp_path / "stack.tif", tmp_path / "labels.tif"
    tifffile.imwrite(path, np.zeros((5, 64, 64), np.uint8))

    assert main(["segment", str(path), "--point", "2,2", "-o", str(out)]) == 2
    assert "one plane" in capsys.readouterr().err
    assert not out.exists()


def test_labels_are_not_written_where_their_table_cannot_be(picture, tmp_path, capsys):
    out = tmp_path / "labels.tif"
    out.with_name("labels.json").mkdir()
    out.with_name("labels.tif.json").mkdir()

    assert main(["segment", str(picture), "--box", "55,19,140,104", "-o", str(out)]) == 2
    assert "labels.json" in capsys.readouterr().err
    assert not out.exists()


@pytest.fixture
def stack(tmp_path):
    """A stack file of 7 planes and a label file in which plane 3 is labelled."""
    image, labels = disc_image()
    seeds = np.zeros((7, *image.shape), np.uint8)
    seeds[3] = labels
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([image] * 7))
    tifffile.imwrite(tmp_path / "seeds.tif", seeds)
    return tmp_path


def test_propagate_labels_every_plane_and_scores_them(stack):
    out = stack / "out.tif"

    assert main(["propagate", str(stack / "stack.tif"), str(stack / "seeds.tif"),
                 "-o", str(out)]) == 0  # fmt: skip

    labels, truth = tifffile.imread(out), disc_image()[1]
    for plane in labels:
        assert ((plane == 1) & (truth == 1)).sum() > 0.85 * (truth == 1).sum()
    table = json.loads(out.with_suffix(".json").read_text())["planes"]
    assert [row["plane"] for row in table] == list(range(7))
    assert [row["seed"] for row in table] == [k == 3 for k in range(7)]


def test_propagate_takes_seeds_of_any_format_and_keeps_their_names(stack):
    pytest.importorskip("rasterio")
    seeds, out = tifffile.imread(stack / "seeds.tif"), stack / "out.tif"
    table = ns.ObjectTable({1: ns.ObjectRecord("left disc")})
    ns.write_labels(stack / "seeds.zip", seeds, table=table, about={"colours": {"a": "#ff0000"}})

    assert main(["propagate", str(stack / "stack.tif"), str(stack / "seeds.zip"),
                 "-o", str(out)]) == 0  # fmt: skip

    labels, objects = ns.read_labels(out)
    assert (labels == 1).any((1, 2)).all()
    assert objects[1].name == "left disc"
    assert json.loads(out.with_suffix(".json").read_text())["colours"] == {"a": "#ff0000"}


def test_propagate_names_what_does_not_fit(stack, capsys):
    tifffile.imwrite(stack / "small.tif", np.ones((7, 5, 5), np.uint8))

    assert main(["propagate", str(stack / "stack.tif"), str(stack / "small.tif"),
                 "-o", str(stack / "out.tif")]) == 2  # fmt: skip

    assert "own grid" in capsys.readouterr().err
    assert not (stack / "out.tif").exists()


def test_label_like_writes_a_file_for_each_target(tmp_path, capsys):
    image, labels = disc_image()
    for name in ("a", "b", "c"):
        imsave(tmp_path / f"{name}.png", image, check_contrast=False)
    tifffile.imwrite(tmp_path / "a_labels.tif", (labels * 4).astype(np.uint8))

    assert main(["label-like", str(tmp_path / "b.png"), str(tmp_path / "c.png"), "--example",
                 str(tmp_path / "a.png"), str(tmp_path / "a_labels.tif"),
                 "-o", str(tmp_path / "out")]) == 0  # fmt: skip

    for name in ("b", "c"):
        found = tifffile.imread(tmp_path / "out" / f"{name}_labels.tif")
        assert set(np.unique(found)) <= {0, 4, 8}
        assert ((found > 0) == (labels > 0)).mean() > 0.9
    assert "c_labels.tif" in capsys.readouterr().out


def test_find_writes_a_table_of_places(picture, tmp_path, capsys):
    out = tmp_path / "found.json"
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    asked = ["find", "cells", "--least", "0.2", str(picture)]

    assert main([*asked, "-o", str(out)]) == 0
    rows = json.loads(out.read_text())["findings"]
    assert rows == sorted(rows, key=lambda row: -row["score"])
    for row in rows:
        assert row["file"] == str(picture)
        assert row["plane"] is None
        assert row["word"] == "cell"
        assert 0 < row["area"] <= (row["y1"] - row["y0"]) * (row["x1"] - row["x0"])

    table = out.with_suffix(".csv")
    assert main([*asked, str(broken), "-o", str(table)]) == 2
    assert "broken.png" in capsys.readouterr().err
    lines = table.read_text().splitlines()
    assert lines[0] == "file,plane,word,score,y0,x0,y1,x1,area"
    assert len(lines) == 1 + len(rows)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nuclues"], "nucleus"),
        (["flux" * 125], "500 characters"),
        (["cell", "-o", "table.xls"], ".csv or .json"),
        (["cell", "--least", "7"], "0 to 1"),
    ],
)
def test_find_tells_bad_input(picture, capsys, arguments, told):
    assert main(["find", arguments[0], str(picture), *arguments[1:]]) == 2

    message = capsys.readouterr().err
    assert told in message
    assert "Traceback" not in message
