"""The reference of the documentation site: pages made from the public API and the command line."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import napari_seem
from napari_seem.cli import parsers

TOPIC = re.compile(r"^(?P<title>[A-Z][a-z]+(?: [a-z]+)?)  +(?P<what>.+)$")
WIDTH = 78


def topics() -> dict[str, list[str]]:
    """Return the public names by topic, as the docstring of the package lists them.

    Raises
    ------
    ValueError
        A public name is in no topic, or in two.
    """
    found: dict[str, list[str]] = {}
    names = set(napari_seem.__all__) - {"__version__"}
    for line in (napari_seem.__doc__ or "").splitlines():
        if topic := TOPIC.match(line):
            title, what = topic["title"], topic["what"]
            found[title] = found.get(title, [])
        elif found and line.startswith("            "):
            what = line
        else:
            continue
        found[title] += [name for name in re.findall(r"(?<!\.)\b\w+\b", what) if name in names]
    listed = [name for topic_names in found.values() for name in topic_names]
    if sorted(listed) != sorted(names):
        odd = {name for name in names | set(listed) if listed.count(name) != 1}
        raise ValueError(f"the docstring of napari_seem has to list {sorted(odd)} once each")
    return {title: listed for title, listed in found.items() if listed}


def page_of_topic(title: str, names: list[str]) -> str:
    """Return the page of a topic, in reStructuredText; `ValueError` without a docstring."""
    lines = [title, "=" * len(title), "", ".. currentmodule:: napari_seem", ""]
    for name in names:
        lines += [name, "-" * len(name), "", *_directive(name), ""]
    return "\n".join(lines)


def undocumented(thing: type) -> list[str]:
    """Return the public methods and properties of a class that have no docstring, of itself."""
    return [
        f"{thing.__name__}.{name}" for name, member in vars(thing).items()
        if not name.startswith("_") and not inspect.getdoc(getattr(thing, name))
        and (inspect.isroutine(getattr(thing, name)) or isinstance(member, property))
    ]  # fmt: skip


def _directive(name: str) -> list[str]:
    thing = getattr(napari_seem, name)
    if inspect.isclass(thing):
        if bare := undocumented(thing):
            raise ValueError(f"{', '.join(bare)} has no docstring")
        kind = "exception" if issubclass(thing, Exception) else "class"
        return [f".. auto{kind}:: {name}", "   :members:"]
    if inspect.isroutine(thing):
        return [f".. autofunction:: {name}"]
    home = napari_seem._HOME_OF[name]  # where the text of data stands, below it
    return [f".. autodata:: napari_seem.{home}.{name}", "   :no-value:"]


def page_of_commands() -> str:
    """Return the page of the command line, in reStructuredText."""
    title = "Command line"
    lines = [title, "=" * len(title), "", "What ``napari-seem COMMAND --help`` says.", ""]
    for name, parser in parsers().items():
        lines += [name, "-" * len(name), "", ".. code-block:: none", ""]
        lines += [f"    {line}".rstrip() for line in help_of(parser).splitlines()] + [""]
    return "\n".join(lines)


def help_of(parser: argparse.ArgumentParser) -> str:
    """Return the help of a command at one width, whatever the terminal's."""
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=WIDTH)
    return parser.format_help()


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every page."""
    for title, names in topics().items():
        yield re.sub(r"\W+", "-", title.lower()), page_of_topic(title, names)
    yield "command-line", page_of_commands()


def write(folder: Path) -> None:
    """Write the pages into a folder, and remove those of before."""
    folder.mkdir(exist_ok=True)
    made = {f"{name}.rst": text for name, text in pages()}
    for path in folder.glob("*.rst"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
