"""Teaching and using words on the command line, and over folders."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from concepts.test_concepts import picture, striped

import napari_seem as ns
from napari_seem.cli import main


@pytest.fixture
def files(tmp_path):
    """Two images of striped and flat discs, and labels of the first."""
    for seed in (0, 1):
        tifffile.imwrite(tmp_path / f"image{seed}.tif", picture(seed)[0])
    tifffile.imwrite(tmp_path / "labels.tif", picture(0)[1].astype(np.uint16))
    return tmp_path


def teach(files, *more: str) -> int:
    ids = [int(i) for i in np.unique(striped(picture(0)[1])) if i]
    flat = [int(i) for i in np.unique(picture(0)[1]) if i > 100]
    return main([
        "teach", str(files / "image0.tif"), str(files / "labels.tif"), "--name", "zebra drop",
        "--ids", ",".join(map(str, ids[:2])), "--not-ids", ",".join(map(str, flat)),
        "--library", str(files / "words.zip"), *more,
    ])  # fmt: skip


def test_a_word_is_taught_and_found_by_commands(files, capsys):
    assert teach(files, "--synonym", "striped") == 0
    assert "taught by 2 objects; 1 words" in capsys.readouterr().out
    out = files / "found.tif"
    ask = ["segment", str(files / "image1.tif"), "--word", "striped", "-o", str(out)]
    assert main([*ask, "--library", str(files / "words.zip")]) == 0

    truth, found = striped(picture(1)[1]) > 0, tifffile.imread(out) > 0
    assert (truth & found).sum() / (truth | found).sum() > 0.6
    names = {row["name"] for row in json.loads(out.with_suffix(".json").read_text())["objects"]}
    assert names == {"zebra drop"}

    table = files / "found.csv"
    finds = ["find", "striped", str(files / "image1.tif"), "-o", str(table), "--least", "0.2"]
    assert main([*finds, "--library", str(files / "words.zip")]) == 0
    assert len(table.read_text().splitlines()) > len(np.unique(striped(picture(1)[1]))) - 1

    assert main(ask) == 2  # nobody taught it without the library
    assert "was not taught the word 'striped'" in capsys.readouterr().err


def test_a_folder_is_searched_for_a_taught_word(files, capsys):
    assert teach(files) == 0
    ask = ["batch", "segment", str(files / "image1.tif"), "-o", str(files / "out"),
           "--names", "zebra drop", "--library", str(files / "words.zip")]  # fmt: skip
    assert main(ask) == 0
    found = tifffile.imread(next((files / "out").glob("*.tif"))) > 0
    truth = striped(picture(1)[1]) > 0
    assert (truth & found).sum() / (truth | found).sum() > 0.6
    assert main(ask) == 0
    assert "1 done before" in capsys.readouterr().out

    one = str(np.unique(striped(picture(0)[1]))[1])
    assert teach(files, "--same-name", "replace", "--ids", one) == 0  # it means something else now
    assert main(ask) == 0
    assert "1 done, 0 done before" in capsys.readouterr().out


def test_bad_input_is_reported(files, capsys):
    assert teach(files) == 0
    assert teach(files) == 2
    assert "replace, rename, join" in capsys.readouterr().err
    assert teach(files, "--same-name", "rename") == 0
    assert ns.ConceptLibrary.load(files / "words.zip").names == ("zebra drop", "zebra drop 2")
    assert teach(files, "--ids", "77") == 2
    assert "no object 77" in capsys.readouterr().err
    assert teach(files, "--name", "x" * 500) == 2
    assert "500 letters" in capsys.readouterr().err
    tifffile.imwrite(files / "labels.tif", np.ones((4, 4), np.uint16))
    assert teach(files) == 2
    assert "own grid" in capsys.readouterr().err
    (files / "words.zip").write_bytes(b"no zip")
    ask = ["batch", "segment", str(files / "image1.tif"), "-o", str(files / "o"), "--names", "a",
           "--library", str(files / "words.zip")]  # fmt: skip
    assert main(ask) == 2
    assert "no library" in capsys.readouterr().err


def test_a_library_is_listed_changed_and_merged(files, capsys):
    assert teach(files) == 0
    words, other = str(files / "words.zip"), str(files / "other.zip")
    assert main(["words", "--library", words, "--rename", "zebra drop", "Tiger"]) == 0
    assert "Tiger: 2 objects" in capsys.readouterr().out
    assert main(["words", "--library", other, "--merge", words]) == 0
    assert main(["words", "--library", other, "--merge", words]) == 0  # nothing twice
    assert "1 words in" in capsys.readouterr().out
    assert main(["words", "--library", other, "--remove", "tiger"]) == 0
    assert "0 words in" in capsys.readouterr().out
    assert main(["words", "--library", other, "--remove", "tiger"]) == 2
    assert "it is empty" in capsys.readouterr().err
    assert main(["words", "--library", str(files / "none.zip")]) == 2
    assert "there is no library" in capsys.readouterr().err
