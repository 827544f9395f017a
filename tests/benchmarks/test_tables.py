"""The command that rewrites the tables of the docs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from discs import disc_image
from skimage.io import imsave

from benchmarks import tables
from benchmarks.pages import put_table
from benchmarks.records import read

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.mark)
def test_every_table_has_its_place_in_the_docs(table, tmp_path):
    page = tmp_path / table.page
    page.write_text((DOCS / table.page).read_text())

    put_table(page, "new", table.mark, "")

    assert f"<!-- {table.mark}: begin -->\nnew\n<!-- {table.mark}: end -->" in page.read_text()


def test_tables_that_cannot_be_made_do_not_keep_the_others(tmp_path, capsys, monkeypatch):
    image, labels = disc_image()
    folder = tmp_path / "made" / "discs"
    folder.mkdir(parents=True)
    imsave(folder / "image.png", image, check_contrast=False)
    imsave(folder / "mask.png", labels.astype(np.uint8), check_contrast=False)
    items = {"a": {"image": "image.png", "mask": "mask.png"}}
    info = {"kind": "instance", "classes": {"*": "disc"}, "items": items}
    (folder / "set.json").write_text(json.dumps(info))
    page = tmp_path / "page.md"
    page.write_text("<!-- a: begin -->\nold\n<!-- a: end -->\n")
    command = "clicks --model watershed --max-clicks 1 --clicks-only"
    some = (tables.Table("missing", "page.md", command), tables.Table("a", "page.md", command))
    monkeypatch.setattr(tables, "TABLES", some)

    code = tables.main([str(tmp_path), "--docs", str(tmp_path), "--json", str(tmp_path)])

    assert code == 1
    assert "no marks '<!-- missing: begin -->'" in capsys.readouterr().out
    text = page.read_text()
    assert "| all sets | watershed |" in text
    assert "old" not in text
    assert read(tmp_path / "a.json")[1]["watershed"].records
