"""What the package imports is declared, and with a bound."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = {"scikit-image": "skimage", "app-model": "app_model", "pillow": "PIL"}
"""Packages whose module has another name."""


def imported() -> set[str]:
    """Top-level modules of others that the package imports, anywhere in it."""
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"napari_seem"}


def declared() -> dict[str, str]:
    """Module -> requirement, of the package and its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    every = [*project["dependencies"], *(r for name in extras for r in extras[name])]
    modules = {}
    for requirement in every:
        name = re.split(r"[<>=!\[; ]", requirement)[0]
        modules.setdefault(NAMES.get(name, name), requirement)
    return modules


def test_every_import_is_declared_with_a_bound():
    modules, requirements = imported(), declared()
    assert modules - set(requirements) == set()
    named = [requirements[module] for module in modules]
    assert [r for r in named if not re.search(r"[<>=]=?\d", r)] == []
