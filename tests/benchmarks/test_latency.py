"""The bench of waiting times prints its tables, with what they were measured on."""

from __future__ import annotations

import json

import pytest

from benchmarks import main


def test_every_part_is_measured_in_one_run(tmp_path, capsys):
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"

    asked = ["latency", "--sizes", "96", "--repeats", "1", "--patience", "0.1"]
    assert main([*asked, "--json", str(figures), "--table", str(page)]) == 0

    told = json.loads(figures.read_text())
    assert {"processor", "instruction set", "number type", "threads of a turn"} <= {
        *told["machine"]
    }
    value = {row["what"]: row["value"] for row in told["rows"]}
    for what in (
        "headless: first turn", "dock: first click of an object", "dock: later click",
        "dock: click on a plane as it is first shown", "start: first click (ready)",
    ):  # fmt: skip
        assert value[what] > 0, what
    assert any(what.startswith("napari alone") for what in value)
    assert value["worker over Session, as many threads: later click"] > 0
    shown = capsys.readouterr().out
    assert "| 96 | headless: encode |" in shown
    assert shown.strip() in page.read_text()


def test_an_unknown_part_is_refused():
    with pytest.raises(SystemExit):
        main(["latency", "--parts", "weather"])
