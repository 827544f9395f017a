"""`napari-seem teach`: a word taught by labelled objects, kept in a library."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from .options import add_model, add_window, numbers, window_from


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    teach = commands.add_parser("teach", help="teach a word by labelled objects of an image")
    teach.set_defaults(run=_teach)
    teach.add_argument("image", type=Path, help="the image in which objects are marked")
    teach.add_argument("labels", type=Path, help="labels of the same size; each id is one object")
    teach.add_argument("--name", required=True, metavar="WORD", help="the word to teach")
    teach.add_argument("--synonym", action="append", default=[], metavar="WORD",
                       help="another word for it; may be given several times")  # fmt: skip
    teach.add_argument("--library", type=Path, metavar="FILE",
                       help="library of words; by default the docks' own")  # fmt: skip
    teach.add_argument("--ids", metavar="ID,ID", help="learn from these objects only")
    teach.add_argument("--not-ids", metavar="ID,ID", help="objects of another kind")
    teach.add_argument("--same-name", choices=["replace", "rename", "join"], default="ask",
                       help="what to do if the library has a word of that name")  # fmt: skip
    teach.add_argument("--no-examples", action="store_true",
                       help="keep no pieces of the image in the library")  # fmt: skip
    add_model(teach)
    add_window(teach)


def _teach(options: argparse.Namespace) -> int:
    """Teach one word and write the library."""
    from ..commands.base import ModelRef
    from ..commands.models import ModelCache
    from ..commands.taught_words import TaughtWords
    from ..commands.vocabulary import Teach, marked_examples, marks
    from ..concepts import default_library
    from ..embeddings import EmbeddingCache
    from ..io.files import read_labels
    from ..io.images import open_plane
    from ..sources.source import source_of_array

    path = options.library or default_library()
    words = TaughtWords(path)
    image, _ = open_plane(options.image)
    labels = np.asarray(read_labels(options.labels, shape=image.shape[:2])[0])
    marked, others = marks(labels, _ids(options.ids), _ids(options.not_ids) or ())
    source = source_of_array(
        image, window=window_from(options), colours=image.ndim == 3, name=options.image.name
    )
    window = source.input.resolved[0].to_dict()
    examples = marked_examples(source, marked, others, (0, 0, *source.shape), window)
    command = Teach(
        name=options.name, synonyms=options.synonym, model=ModelRef(name=options.model),
        same_name=options.same_name, keep_examples=not options.no_examples,
    )  # fmt: skip
    concept = command.run(ModelCache(None, EmbeddingCache(), words=words), examples)
    known = len(words.library)
    print(f"'{concept.name}' taught by {concept.objects} objects; {known} words -> {path}")
    return 0


def _ids(text: str | None) -> list[int] | None:
    """Ids with commas between them; None where none are given."""
    return [int(value) for value in numbers(text, text.count(",") + 1)] if text else None
