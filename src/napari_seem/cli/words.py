"""`napari-seem words`: taught words listed, renamed, removed and merged."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..concepts import ConceptLibrary


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    words = commands.add_parser("words", help="list, rename, remove or merge taught words")
    words.set_defaults(run=_words)
    words.add_argument("--library", type=Path, metavar="FILE", help="by default the docks' own")
    words.add_argument("--rename", nargs=2, action="append", default=[], metavar=("OLD", "NEW"),
                       help="give a word another name")  # fmt: skip
    words.add_argument("--remove", action="append", default=[], metavar="WORD",
                       help="take a word out of the library")  # fmt: skip
    words.add_argument("--merge", type=Path, action="append", default=[], metavar="FILE",
                       help="add the words of another library")  # fmt: skip
    words.add_argument("--same-name", choices=["replace", "rename", "join"], default="ask",
                       help="what to do with merged words of a known name")  # fmt: skip
    words.add_argument("--model", default="compact", help="model to teach when words are joined")


def _words(options: argparse.Namespace) -> int:
    """Change a library as asked, whole or not at all, and tell what it holds."""
    from ..concepts import ConceptLibrary, default_library

    path = options.library or default_library()
    changes = options.remove or options.rename or options.merge
    with ConceptLibrary.held(path) if changes else nullcontext():
        fresh = not path.exists() and (options.merge or options.library is None)
        library = before = ConceptLibrary() if fresh else ConceptLibrary.load(path)
        for name in options.remove:
            library = library.removed(name)
        for old, new in options.rename:
            library = library.renamed(old, new)
        library = _merged(library, options)
        if library is not before:
            library.save(path)
    for one in library:
        also = f" ({', '.join(one.synonyms)})" if one.synonyms else ""
        kept = "examples kept" if one.at_hand else "examples not kept"
        print(f"{one.name}{also}: {one.objects} objects, {one.made}, {one.model}, {kept}")
    print(f"{len(library)} words in {path}")
    return 0


def _merged(library: ConceptLibrary, options: argparse.Namespace) -> ConceptLibrary:
    from ..concepts import ConceptLibrary
    from ..models.registry import load_model

    model: Any = None
    if options.merge and options.same_name == "join":
        model = load_model(options.model)
    for other in options.merge:
        library = library.merged(ConceptLibrary.load(other), options.same_name, model)
    return library
