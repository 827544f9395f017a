"""The bench of many objects: both ways are run on the same prompts, and their masks compared."""

import json

import pytest

from benchmarks import main
from napari_seem.errors import InvalidArgument


@pytest.mark.parametrize("more", [[], ["--boxes"]])
def test_both_ways_are_measured_in_one_run(tmp_path, capsys, more):
    path = tmp_path / "figures.json"

    asked = ["objects", "--size", "128", "--objects", "3", "--rounds", "1", "--json", str(path)]
    assert main([*asked, *more]) == 0

    figures = json.loads(path.read_text())
    assert figures["objects"] == 3
    assert figures["objects that differ"] == 0
    assert figures["loop objects/s"] > 0
    assert figures["batch objects/s"] > 0
    assert figures["processor"]
    assert f"| ratio | {figures['ratio']} |" in capsys.readouterr().out


def test_no_objects_are_refused():
    with pytest.raises(InvalidArgument, match="--objects"):
        main(["objects", "--objects", "0"])
