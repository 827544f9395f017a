"""Text where it is not UTF-8 by itself, and commands where quotes are double: Windows."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
SHOWN = [*SOURCES, *sorted((ROOT / "benchmarks").rglob("*.py")), ROOT / "README.md",
         *sorted((ROOT / "docs").rglob("*.md"))]  # fmt: skip
TEXTS = {"read_text", "write_text"}
UNIX = {"fcntl", "resource", "pwd", "grp", "termios"}


def parsed(paths: Iterable[Path], words: Iterable[str]) -> Iterator[tuple[Path, ast.Module]]:
    """The sources that have any of some words: parsing all of them takes seconds."""
    any_word = re.compile("|".join(words))
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if any_word.search(text):
            yield path, ast.parse(text)


def without_encoding(tree: ast.AST) -> list[int]:
    """The lines that open a text in whatever encoding the system has."""
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        named = {keyword.arg for keyword in call.keywords}
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        plain = isinstance(call.func, ast.Name) and call.func.id == "open"
        given = [a.value for a in call.args if isinstance(a, ast.Constant)]
        modes = [value for value in given if isinstance(value, str)]
        as_text = any(re.fullmatch(r"[rwaxt+]+", mode) for mode in modes)
        binary = any(re.fullmatch(r"[rwaxb+]*b[rwaxb+]*", mode) for mode in modes)
        text = method in TEXTS or (method == "open" and as_text) or (plain and not binary)
        if text and not named & {"encoding", "driver"}:  # rasterio's files are no texts
            found.append(call.lineno)
    return found


def test_the_search_finds_what_it_looks_for():
    bad = ("p.read_text()", "p.write_text(s)", "open(p)", "open(p, 'w')", "p.open('a')")
    good = ("p.read_text('x', encoding='utf-8')", "open(p, 'rb')", "p.open('r+b')", "Image.open(p)",
            "p.open('w', encoding='utf-8')", "read_text(p)")  # fmt: skip

    assert [without_encoding(ast.parse(line)) for line in bad] == [[1]] * len(bad)
    assert [without_encoding(ast.parse(line)) for line in good] == [[]] * len(good)


@pytest.mark.parametrize("folder", ["src", "benchmarks", "training", "tools", "examples"])
def test_every_text_is_opened_with_its_encoding(folder):
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path, tree in parsed(sorted((ROOT / folder).rglob("*.py")), {"open", *TEXTS})
        for line in without_encoding(tree)
    }
    assert found == set()


def test_shown_commands_have_quotes_that_every_shell_takes():
    """cmd.exe takes single quotes for a part of the name."""
    found = [
        path.name for path in SHOWN
        if re.search(r"pip (install|download) +'", path.read_text(encoding="utf-8"))
    ]  # fmt: skip
    assert found == []


def test_no_module_of_the_package_needs_one_that_windows_lacks():
    """`fcntl` is asked for where there is one only."""
    found = {
        (path.stem, name)
        for path, tree in parsed([*SOURCES, *sorted((ROOT / "benchmarks").rglob("*.py"))], UNIX)
        for node in tree.body
        if isinstance(node, ast.Import)
        for name in (alias.name for alias in node.names)
        if name in UNIX
    }
    assert found == set()


def test_sizes_are_counted_in_integers_that_do_not_overflow():
    """`np.prod` of a shape is of 32 bits on Windows with numpy 1."""
    wrong = re.compile(r"np\.prod\([^)]*\b(shape|size|lead)\b")
    found = [path.name for path in SOURCES if wrong.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_redirected_output_in_another_encoding_loses_nothing(tmp_path):
    rows, cols = np.mgrid[:64, :64]
    disc = (rows - 30) ** 2 + (cols - 30) ** 2 < 200
    tifffile.imwrite(tmp_path / "z.tif", np.where(disc, 200, 20).astype(np.uint8))
    (tmp_path / "\N{CJK UNIFIED IDEOGRAPH-7D30}.tif").write_bytes(b"II*\0 nothing")
    command = [sys.executable, "-m", "napari_seem.cli", "batch", "segment", ".", "-o", "out"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    said = (done.stdout + done.stderr).decode("cp1252")

    assert done.returncode == 1, said
    assert "\\u7d30.tif" in said
    assert "2 files: 1 done, 0 done before, 1 failed" in said
    assert (tmp_path / "out" / "z_labels.tif").exists()
