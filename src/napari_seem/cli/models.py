"""`napari-seem models`: the models, and fine-tuned ones installed and removed."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    models = commands.add_parser(
        "models", help="list the models",
        description="List the models, the prompts they take, and whether their weights are here.",
    )  # fmt: skip
    models.set_defaults(run=_models)
    models.add_argument("--install", type=Path, metavar="FILE",
                        help="keep a fine-tuned model that was shared as a file")  # fmt: skip
    models.add_argument("--name", help="with --install: its name; by default the file's")
    models.add_argument("--download", metavar="MODEL",
                        help="download a published model, with its decoder if any")  # fmt: skip
    models.add_argument("--remove", metavar="NAME", help="delete an installed fine-tuned model")
    models.add_argument("--force", action="store_true",
                        help="with --install: replace another of that name")  # fmt: skip


def _models(options: argparse.Namespace) -> int:
    from ..models.registry import MODELS, download_model, install_model, model_spec, remove_model

    if options.download is not None:
        spec = model_spec(options.download)
        print(f"{spec.title}: licence {spec.licence}. {spec.citation}")
        download_model(spec.name, progress=True)
    if options.remove is not None:
        remove_model(options.remove)
    if options.install is not None:
        install_model(options.install, options.name, replace=options.force)
    for name, spec in MODELS.items():
        where = "ready" if spec.installed else "not downloaded"
        if spec.installed and spec.lacks_decoder:
            where = "no decoder"
        takes = ", ".join(sorted(capability.value for capability in spec.capabilities))
        print(f"{name:14s} {where:15s} {spec.licence:14s} {spec.description}\n{'':14s} {takes}")
    return 0
