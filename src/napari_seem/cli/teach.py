"""`napari-seem teach`: a word taught by labelled objects, kept in a library."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .options import add_window, numbers, usage, window_from


def add_to(commands: Any) -> None:
    """Add the command to a parser."""
    teach = commands.add_parser("teach", help="teach a word by labelled objects of an image")
    teach.set_defaults(run=_teach)
    teach.add_argument("image", type=Path)
    teach.add_argument("labels", type=Path, help="labels of the same size; each id is one object")
    teach.add_argument("--name", required=True, metavar="WORD")
    teach.add_argument("--synonym", action="append", default=[], metavar="WORD")
    teach.add_argument("--library", type=Path, metavar="FILE",
                       help="of taught words; by default the docks' own")  # fmt: skip
    teach.add_argument("--ids", metavar="ID,ID", help="learn from these objects only")
    teach.add_argument("--not-ids", metavar="ID,ID", help="these are surely something else")
    teach.add_argument("--same-name", choices=["replace", "rename", "join"], default="ask",
                       help="what to do where the library has a word of that name")  # fmt: skip
    teach.add_argument("--no-examples", action="store_true",
                       help="keep no pieces of the image in the library")  # fmt: skip
    teach.add_argument("--model", default="compact")
    add_window(teach)


def _teach(options: argparse.Namespace) -> int:
    """Teach one word and write the library."""
    from ..concepts import ConceptLibrary, Shown, default_library, teach_word
    from ..io.images import open_plane, read_array
    from ..models.registry import load_model

    path = options.library or default_library()
    library = ConceptLibrary.load(path) if path.exists() else ConceptLibrary()
    image, _ = open_plane(options.image)
    labels = read_array(options.labels)
    if labels.shape != image.shape[:2]:
        raise usage(
            f"'{options.labels}' has the shape {labels.shape}, '{options.image}' "
            f"{image.shape[:2]}; give labels on the image's own grid"
        )
    look = window_from(options).resolved(image, image.ndim == 3)
    wanted, others = _marked(options, labels)
    model: Any = load_model(options.model)
    shown = Shown(look.apply(image), wanted, others, options.image.name, look.to_dict())
    concept = teach_word(
        model, options.name, [shown], options.synonym, keep_examples=not options.no_examples
    )
    library = library.added(concept, options.same_name, model)
    library.save(path)
    print(f"'{concept.name}' taught by {concept.objects} objects; {len(library)} words -> {path}")
    return 0


def _marked(options: argparse.Namespace, labels: Any) -> tuple[Any, Any]:
    """Labels of the objects to learn from, and a mask of those that are something else."""
    import numpy as np

    others = np.isin(labels, _ids(options.not_ids, labels)) if options.not_ids else None
    if options.ids:
        return np.where(np.isin(labels, _ids(options.ids, labels)), labels, 0), others
    return labels if others is None else np.where(others, 0, labels), others


def _ids(text: str, labels: Any) -> list[int]:
    ids = [int(value) for value in numbers(text, text.count(",") + 1)]
    absent = [i for i in ids if i <= 0 or not (labels == i).any()]
    if absent:
        raise usage(f"there is no object {absent[0]} in the labels")
    return ids
