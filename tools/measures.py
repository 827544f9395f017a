"""Print the measures of the code as a Markdown table: what holds now, and what is aimed at.

python tools/measures.py            the table
python tools/measures.py --path     also the way of a click, call by call
python tools/measures.py --lists    also what each number counts, by name
python tools/measures.py --static   without the click, which needs Qt and a screen (or Xvfb)

`code_measures.py` and `click_path.py` say how each is taken; `tests/test_measures.py` holds them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

import click_path
import code_measures as code
from click_path import Trace

Row = tuple[str, str, str]
TOP = 10


def main() -> None:
    """Print what the options ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--path", action="store_true", help="print the way of a click")
    parser.add_argument("--lists", action="store_true", help="print what the numbers count")
    parser.add_argument("--static", action="store_true", help="leave the click out")
    options = parser.parse_args()
    clicks = () if options.static else click_path.trace_in_new_viewer()
    print(table([*size_rows(), *click_rows(*clicks), *structure_rows(), *text_rows()]))
    if options.path:
        for which, trace in zip(("first", "second"), clicks, strict=False):
            print(path_text(which, trace))
    if options.lists:
        print(lists_text())


def table(rows: Iterable[Row]) -> str:
    """A Markdown table of measures, what they are now, and their goals."""
    lines = ["| measure | now | goal |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def size_rows() -> list[Row]:
    """Lines, modules and the largest folder."""
    folder, files = code.largest_folder()
    return [
        ("lines in src", f"{sum(m.lines for m in code.modules()):,}", "at most 30,000"),
        ("modules", str(len(code.modules())), "about 180"),
        ("files in the largest folder", f"{files} ({folder})", "20"),
    ]


def click_rows(first: Trace | None = None, second: Trace | None = None) -> list[Row]:
    """What a click passes, and all that it sets going; nothing where it was not traced."""
    if first is None or second is None:
        return []
    both = "a first click; one on an encoded image"
    return [
        (f"our modules on the path of {both}", f"{len(first.passed)}; {len(second.passed)}", "10"),
        (
            "calls between them on the path",
            f"{len(first.path_calls)}; {len(second.path_calls)}",
            "15",
        ),
        (
            "our modules entered in all, helpers and listeners included",
            f"{len(first.entered)}; {len(second.entered)}",
            "10, if these count",
        ),
        (
            "calls between those",
            f"{len(first.calls)}; {len(second.calls)}",
            "15, if these count",
        ),
    ]


def structure_rows() -> list[Row]:
    """Circles, ways to do the same, and sizes."""
    largest, properties = code.public_methods()[0]
    lazy = len(code.circles(code.imports(local=True)))
    writers = code.label_writers()
    stacks, searches = code.undo_stacks(), code.word_searches()
    return [
        ("import circles", str(len(code.circles(code.imports(local=False)))), "0"),
        ("import circles, imports within functions counted", str(lazy), "0"),
        (
            "places outside labels/ and viewer/undo.py that may write labels; their modules",
            f"{len(writers)}; {len({place.module for place in writers})}",
            "0",
        ),
        ("classes with an undo stack", _names(stacks), "2 and the timeline that orders them"),
        ("calls to look for words; their modules",
         f"{len(searches)}; {len({place.module for place in searches})}", "1"),
        ("lines with `id(`", str(len(code.id_lines())), "0"),
        (
            "public methods of the largest class; its properties",
            f"{largest.count}; {properties} ({largest.name})",
            str(code.MOST_METHODS),
        ),
        (f"functions over {code.LONGEST_FUNCTION} lines", str(len(code.long_functions())), "0"),
        (f"files over {code.LONGEST_FILE} lines", str(len(code.long_files())), "0"),
    ]  # fmt: skip


def text_rows() -> list[Row]:
    """Docstrings, signatures and names."""
    arrays = code.array_functions()
    good = sum(named for _, named in arrays)
    repeated = code.repeated_classes()
    return [
        (
            "array functions whose docstring gives the shape and axis order",
            f"{100 * good / len(arrays):.0f} % ({good} of {len(arrays)})",
            "95 %",
        ),
        ("functions with `Any` in their signature", str(len(code.any_signatures())), "under 120"),
        ("class names defined twice or more", str(len(repeated)), "0"),
    ]


def path_text(which: str, trace: Trace) -> str:
    """The path of a click, and all modules entered."""
    calls = [f"  {caller}  =>  {callee}" for caller, callee in trace.path_calls]
    return "\n".join([
        "", f"# The {which} click", trace.describe(), "", f"{len(calls)} calls between modules:",
        *calls, "", f"{len(trace.entered)} modules entered: {', '.join(trace.entered)}",
    ])  # fmt: skip


def lists_text() -> str:
    """What is counted, by name."""
    circles = [" - ".join(group) for group in code.circles(code.imports(local=False))]
    lazy = [" - ".join(group) for group in code.circles(code.imports(local=True))]
    most = [f"{named}; {also} properties" for named, also in code.public_methods()[:TOP]]
    repeated = [f"{name}: {', '.join(where)}" for name, where in code.repeated_classes().items()]
    shapeless = [str(place) for place, named in code.array_functions() if not named]
    parts: dict[str, Sequence[object]] = {
        "Import circles": circles,
        "Import circles, imports within functions counted": lazy,
        "Places that may write labels": code.label_writers(),
        "Classes with an undo stack": code.undo_stacks(),
        "Calls to look for words": code.word_searches(),
        "Lines with id(": code.id_lines(),
        "Classes with most public methods": most,
        f"Functions over {code.LONGEST_FUNCTION} lines": code.long_functions(),
        f"Files over {code.LONGEST_FILE} lines": code.long_files(),
        "Class names defined twice or more": repeated,
        "Array functions without a shape": shapeless,
        "Any in signatures": code.any_signatures(),
    }
    return "\n".join(
        line for title, items in parts.items() for line in ["", f"# {title}", *map(str, items)]
    )


def _names(places: list[code.Named]) -> str:
    return f"{len(places)} ({', '.join(place.name for place in places)})"


if __name__ == "__main__":
    main()
