"""Measures of napari_seem that are read from its source text; `measures.py` prints them.

Nothing is imported or run. Where a measure is a heuristic, its function's docstring says so.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_seem"
LONGEST_FUNCTION, LONGEST_FILE, MOST_METHODS = 40, 400, 15
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A source file of the package.

    Attributes
    ----------
    name : str
        Dotted, without "napari_seem."; "" for the package itself.
    path : str
        Within the package.
    lines : int
    tree : ast.Module
    """

    name: str
    path: str
    lines: int
    tree: ast.Module


@dataclass(frozen=True)
class Named:
    """A function, a class or a line of a module, and perhaps a number that belongs to it."""

    module: str
    line: int
    name: str
    count: int = 0

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.name}" + (f" {self.count}" if self.count else "")


@cache
def modules() -> tuple[Module, ...]:
    """All modules of the package, by path."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text, within = path.read_text(encoding="utf-8"), path.relative_to(PACKAGE)
        parts = within.with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name, within.as_posix(), len(text.splitlines()), ast.parse(text)))
    return tuple(found)


def largest_folder() -> tuple[str, int]:
    """The folder with most Python files in itself, and how many they are."""
    return Counter(str(Path(m.path).parent) for m in modules()).most_common(1)[0]


def functions(module: Module) -> Iterator[tuple[Function, str]]:
    """Every function of a module, methods and nested ones included, with its qualified name."""
    yield from _functions(module.tree, "")


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[Function, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield child, prefix + child.name
            yield from _functions(child, f"{prefix}{child.name}.<locals>.")
        else:
            inner = f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix
            yield from _functions(child, inner)


def long_functions() -> list[Named]:
    """Functions whose body, without its docstring, has more than `LONGEST_FUNCTION` lines."""
    found = []
    for module in modules():
        for function, name in functions(module):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if length > LONGEST_FUNCTION:
                found.append(Named(module.path, function.lineno, name, length))
    return found


def long_files() -> list[Named]:
    """Files of more than `LONGEST_FILE` lines."""
    return [Named(m.path, 1, "", m.lines) for m in modules() if m.lines > LONGEST_FILE]


def classes() -> list[tuple[Module, ast.ClassDef]]:
    """Every class of the package, those within functions and classes included."""
    return [(m, n) for m in modules() for n in ast.walk(m.tree) if isinstance(n, ast.ClassDef)]


def public_methods() -> list[tuple[Named, int]]:
    """Of each class its own public methods, as `count`, and its public properties; most first."""
    found = []
    for module, node in classes():
        own = [n for n in node.body if isinstance(n, Function) and not n.name.startswith("_")]
        properties = {n.name for n in own if _is_property(n)}
        methods = {n.name for n in own} - properties
        found.append((Named(module.path, node.lineno, node.name, len(methods)), len(properties)))
    return sorted(found, key=lambda item: -item[0].count)


def _is_property(function: Function) -> bool:
    decorators = [ast.unparse(d).split(".")[-1] for d in function.decorator_list]
    return bool({"property", "cached_property", "setter", "deleter"} & set(decorators))


def repeated_classes() -> dict[str, list[str]]:
    """Class names that are defined twice or more, and the modules that do so."""
    where: dict[str, list[str]] = {}
    for module, node in classes():
        where.setdefault(node.name, []).append(module.path)
    return {name: paths for name, paths in sorted(where.items()) if len(paths) > 1}


def imports(*, local: bool) -> dict[str, set[str]]:
    """The modules of the package that each imports, those for type checkers left out.

    Parameters
    ----------
    local : bool
        Count imports within functions, too.
    """
    names = {m.name for m in modules()}
    return {
        m.name: {name for node in _imports(m.tree, local) for name in _imported(node, m, names)}
        for m in modules()
    }


def _imports(node: ast.AST, local: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _imports(other, local)
        elif local or not isinstance(child, (*Function.__args__, ast.Lambda)):
            yield from _imports(child, local)


def _imported(node: ast.Import | ast.ImportFrom, module: Module, names: set[str]) -> Iterator[str]:
    """The modules of the package that one statement names: `from . import x` names x."""
    if isinstance(node, ast.Import):
        targets = [alias.name for alias in node.names]
    else:
        package = ["napari_seem", *filter(None, module.name.split("."))]
        if not module.path.endswith("__init__.py"):
            package = package[:-1]
        above = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*above, *filter(None, [node.module])])
        targets = [f"{base}.{alias.name}" for alias in node.names]
        targets = [t if _within(t) in names else base for t in targets]
    for target in targets:
        name = _within(target)
        if name in names and name != module.name:
            yield name


def _within(name: str) -> str | None:
    """A dotted name without that of the package; None for other packages' names."""
    return name[len("napari_seem") :].lstrip(".") if name.split(".")[0] == "napari_seem" else None


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that all import each other, directly or not.

    Parameters
    ----------
    graph : dict
        What each module imports; see `imports`.
    """
    reach = {name: _reached(graph, name) for name in graph}
    groups = {
        frozenset(other for other in reach[name] if name in reach[other])
        for name in graph
        if name in reach[name]
    }
    return sorted(sorted(group) for group in groups)


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph.get(name, ())
    return seen


def id_lines() -> list[Named]:
    """Lines that call the builtin `id`, whatever for."""
    return _lines(lambda n: isinstance(n, ast.Call) and ast.unparse(n.func) == "id")


def label_writers() -> list[Named]:
    """Places outside of `labels/` and `viewer/undo.py` that write into a label array.

    A heuristic by name: an assignment `x[...] = ...` where x ends in `labels`, `data`, `out` or
    `array` and is an attribute or a parameter, so that somebody else has the array too, or a call
    of `data_setitem`. Not looked at are models, training and samples, which make new arrays, and
    edits and formats, through which `labels/` writes. What is left contains the arrays of runs,
    which are no document yet, scribbles, and the layers of preview and windows.
    """
    rooms = ("labels/", "models/", "training/", "io/", "samples/", "viewer/undo.py", "edits.py")
    found = {}
    for module in modules():
        for function, _ in functions(module) if not module.path.startswith(rooms) else ():
            given = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)}
            given -= {n.id for n in ast.walk(function) if _is_set(n)}  # type: ignore[attr-defined]
            for node in ast.walk(function):
                if _writes_labels(node, given):
                    text = ast.unparse(node).splitlines()[0]
                    found[node] = Named(module.path, node.lineno, text)  # type: ignore[attr-defined]
    return list(found.values())


def _is_set(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _writes_labels(node: ast.AST, given: set[str]) -> bool:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).endswith("data_setitem")
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(
        isinstance(target, ast.Subscript)
        and (isinstance(target.value, ast.Attribute) or ast.unparse(target.value) in given)
        and re.search(r"(labels|data|out|array)$", ast.unparse(target.value)) is not None
        for target in targets
    )


def undo_stacks() -> list[Named]:
    """Classes that keep steps both to undo and to redo.

    A heuristic by name: attributes `done` and `undone`, or `past` and `future`, that are set to a
    list or a deque. Classes that undo through such a one are not counted.
    """
    found = []
    for module, node in classes():
        kept = {
            ast.unparse(n.target).removeprefix("self.").lstrip("_")
            for n in ast.walk(node)
            if isinstance(n, ast.AnnAssign)
            and re.match(r"(list|deque)\b", ast.unparse(n.annotation))
        }
        if {"done", "undone"} <= kept or {"past", "future"} <= kept:
            found.append(Named(module.path, node.lineno, node.name))
    return found


def word_searches() -> list[Named]:
    """Calls of `.segment(...)` outside of models and sources: for everything, or for words.

    One on `model` goes to a model directly, those on other objects to an open plane.
    """
    rooms = ("models/", "sources/", "training/")

    def searches(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".segment")

    return [place for place in _lines(searches) if not place.module.startswith(rooms)]


def _lines(wanted: Callable[[ast.AST], bool]) -> list[Named]:
    """The lines where a node is wanted, each once."""
    found: dict[tuple[str, int], Named] = {}
    for module in modules():
        for node in ast.walk(module.tree):
            if wanted(node):
                line = node.lineno  # type: ignore[attr-defined]
                text = ast.unparse(node).splitlines()[0][:80]
                found.setdefault((module.path, line), Named(module.path, line, text))
    return list(found.values())


def signature(function: Function) -> list[str]:
    """The annotations of a function's parameters, then that of what it gives."""
    a = function.args
    arguments = [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg]
    given = [x.annotation for x in arguments if x is not None]
    return [ast.unparse(x) for x in (*given, function.returns) if x is not None]


def any_signatures() -> list[Named]:
    """Functions with `Any` in their signature."""
    return [
        Named(m.path, f.lineno, name)
        for m in modules() for f, name in functions(m)
        if any(re.search(r"\bAny\b", text) for text in signature(f))
    ]  # fmt: skip


def array_names() -> set[str]:
    """What arrays are called in annotations: the libraries' names and the package's own aliases.

    Own ones are module constants made of another array name, and protocols that can be sliced and
    have a shape, or that are made of one.
    """
    names = {"NDArray", "ndarray", "ArrayLike", "Tensor"}
    nodes = [n for m in modules() for n in m.tree.body]
    while True:
        known = re.compile(rf"\b({'|'.join(names)})\b")
        more = {name for n in nodes for name in _alias(n, known)} - names
        if not more:
            return names
        names |= more


def _alias(node: ast.stmt, known: re.Pattern[str]) -> Iterator[str]:
    if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Subscript, ast.BinOp)):
        if known.search(ast.unparse(node.value)):
            yield from (t.id for t in node.targets if isinstance(t, ast.Name))
    elif isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(b) for b in node.bases):
        own = {getattr(n, "name", "") for n in node.body}
        own |= {ast.unparse(n.target) for n in node.body if isinstance(n, ast.AnnAssign)}
        made_of = any(known.search(ast.unparse(base)) for base in node.bases)
        if made_of or {"shape", "__getitem__"} <= own:
            yield node.name


_PART = re.compile(r"(\.\.\.|\w{1,12}'?)(\s*[-+*/]\s*[\w']+)*")
_AXIS = re.compile(
    r"\.\.\.|\d+|[A-Z]\w{0,2}|[a-z]|planes|height|width|rows|columns|channels|side|grid|objects|"
    r"classes|batch|points|depth|count|tokens|sets|examples|terms|words|images|levels"
)
_IN_WORDS = re.compile(
    r"same shape|of the (plane|image|source|volume|picture|window|canvas|frame)'s shape|"
    r"any shape|\b0-d\b|one[- ]dimensional",
    re.IGNORECASE,
)


def names_shape(docstring: str) -> bool:
    """Whether a docstring gives a shape: as a tuple of axes, "(H, W, 3)", or in words."""
    for inner in re.findall(r"\(([^()]*)\)", docstring.replace("`", "")):
        parts = [part.strip() for part in inner.split(",")]
        sized = [part for part in parts if part]
        if len(parts) < 2 or sized == ["y", "x"]:  # a position
            continue
        if all(map(_PART.fullmatch, sized)) and any(
            _AXIS.fullmatch(p.split(" ")[0]) for p in sized
        ):
            return True
    return _IN_WORDS.search(docstring) is not None


def array_functions() -> list[tuple[Named, bool]]:
    """Functions that take an array, and whether their docstring gives a shape and its axes.

    Nested functions are left out; the docstring of `__init__` is that of its class.
    """
    known = re.compile(rf"\b({'|'.join(array_names())})\b")
    documented = {(m.path, node.name): ast.get_docstring(node) or "" for m, node in classes()}
    found = []
    for module in modules():
        for function, name in functions(module):
            given = signature(function)
            taken = given[:-1] if function.returns is not None else given
            if "<locals>" in name or not any(known.search(text) for text in taken):
                continue
            docstring = ast.get_docstring(function) or ""
            if function.name == "__init__":
                docstring += documented.get((module.path, name.split(".")[-2]), "")
            place = Named(module.path, function.lineno, name)
            found.append((place, names_shape(docstring)))
    return found
