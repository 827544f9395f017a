"""The scripts of the gallery, run as their pages show them."""

from __future__ import annotations

import ast
from pathlib import Path

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("plot_*.py"))
WITH_VIEWER = [p for p in EXAMPLES if "napari.Viewer" in p.read_text(encoding="utf-8")]


def shown_by(path: Path) -> list[object]:
    """Run an example; return the values that the blocks of its page show."""
    names: dict[str, object] = {"__name__": "__main__"}
    shown = []
    for block in path.read_text(encoding="utf-8").split("\n# %%\n"):
        *before, last = ast.parse(block).body
        exec(compile(ast.Module(before, []), path.name, "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), path.name, "eval"), names))
        else:
            exec(compile(ast.Module([last], []), path.name, "exec"), names)
    return shown
