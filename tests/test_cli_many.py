"""`napari-seem segment --prompts`: a table in, labels and a table out, for one image or several."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from discs import disc_image
from skimage.io import imsave

import napari_seem as ns
from napari_seem.cli import main
from napari_seem.labels.log import read_log

IMAGE = disc_image()[0]


@pytest.fixture
def folder(tmp_path):
    """Two images of two discs, one of them turned."""
    for name, image in (("a.png", IMAGE), ("b.png", IMAGE[::-1])):
        imsave(tmp_path / name, np.kron(image, np.ones((3, 3), np.uint8)), check_contrast=False)
    return tmp_path


def test_the_command_line_takes_a_table(folder, capsys):
    (folder / "p.csv").write_text("y,x,name\n97,61,left\n97,175,\n")
    out = folder / "labels.tif"

    code = main([
        "segment", str(folder / "a.png"), "--prompts", str(folder / "p.csv"), "-o", str(out),
        "--table", str(folder / "t.csv"),
    ])  # fmt: skip

    assert code == 0
    labels, table = tifffile.imread(out), pd.read_csv(folder / "t.csv")
    assert (labels[97, 61], labels[97, 175]) == (1, 2)
    assert table["area"].tolist() == np.bincount(labels.ravel())[1:].tolist()
    written = json.loads(out.with_suffix(".json").read_text())["objects"]
    assert [row["index"] for row in written] == [1, 2]
    assert written[0]["name"] == "left"
    expected = ns.segment_objects(
        ns.load_model("compact"), np.kron(IMAGE, np.ones((3, 3), np.uint8)), folder / "p.csv"
    )
    np.testing.assert_array_equal(labels, expected.labels)


def test_one_table_addresses_the_images_of_a_folder(folder, capsys):
    (folder / "p.csv").write_text(
        "image,y,x\na.png,97,61\nb.png,94,61\nsub/a.png,97,175\nc.png,1,1\nb.png,999,5\n"
    )
    asked = [
        "segment", str(folder / "a.png"), str(folder / "b.png"), "--prompts",
        str(folder / "p.csv"), "-o", str(folder / "out"), "--table", str(folder / "t.csv"),
    ]  # fmt: skip

    assert main(asked) == 2

    told = capsys.readouterr()
    assert "b.png: line 6 of 'p.csv': " in told.err
    assert "click inside" in told.err
    assert "1 rows of other images" in told.err
    assert "1 of 2 images done" in told.out
    assert tifffile.imread(folder / "out" / "a_labels.tif").max() == 2
    assert not (folder / "out" / "b_labels.tif").exists()
    assert main([*asked, "--skip-bad-rows"]) == 0
    assert pd.read_csv(folder / "t.csv")["image"].tolist() == ["a.png", "a.png", "b.png", "b.png"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--point", "3,3"], "instead of --point"),
        (["--overlap", "best"], "score, first, last"),
        (["b.png"], "names no image"),
    ],
)
def test_the_command_line_says_what_is_wrong(folder, capsys, monkeypatch, more, message):
    (folder / "p.csv").write_text("y,x\n97,61\n")
    monkeypatch.chdir(folder)

    assert main(["segment", "a.png", *more, "--prompts", "p.csv", "-o", "out.tif"]) == 2

    assert message in capsys.readouterr().err


def test_labels_of_accepted_objects_steer_and_are_logged(folder, capsys):
    (folder / "p.csv").write_text("y,x\n97,61\n")
    accepted = np.zeros((192, 240), np.uint8)
    accepted[:40, :40] = 1
    asked = ["segment", str(folder / "a.png"), "--prompts", str(folder / "p.csv")]
    with_context = ["--context", str(folder / "accepted.tif"), "-o", str(folder / "out.tif")]

    ns.write_labels(folder / "accepted.tif", accepted)
    assert main([*asked, *with_context]) == 0
    assert "fewer than 4 objects" in capsys.readouterr().err

    accepted[60:100, :40], accepted[120:160, :40], accepted[:40, 60:100] = 2, 3, 4
    ns.write_labels(folder / "more.tif", accepted)
    with_context[1] = str(folder / "more.tif")
    assert main([*asked, *with_context, "--force"]) == 0
    assert "fewer" not in capsys.readouterr().err
    session = read_log(folder / "out.log.jsonl")[-1]
    (commit,) = [event for event in session.events if event["event"] == "commit"]
    assert commit["context"] == ns.Context.of_areas([1600] * 4).to_dict()
