"""`napari-seem models`: the models, and fine-tuned ones installed and removed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    models = commands.add_parser(
        "models", help="list the models",
        description="List the models, the prompts they take, and whether their weights are here.",
    )  # fmt: skip
    models.set_defaults(run=_models)
    models.add_argument("--download", metavar="MODEL",
                        help="fetch a model (and decoder); its licence is told first")  # fmt: skip
    models.add_argument("--use", nargs=2, metavar=("MODEL", "FILE"),
                        help="take a model's weights from a file of yours from now on")  # fmt: skip
    models.add_argument("--install", type=Path, metavar="FILE",
                        help="keep a fine-tuned model that was shared as a file")  # fmt: skip
    models.add_argument("--name", help="with --install: its name; by default the file's")
    models.add_argument("--remove", metavar="NAME", help="delete an installed fine-tuned model")
    models.add_argument("--force", action="store_true",
                        help="with --install: replace another of that name")  # fmt: skip


def _models(options: argparse.Namespace) -> int:
    from ..models.registry import (
        MODELS,
        check_file,
        install_model,
        remember_file,
        remove_model,
    )

    if options.download is not None:
        _download(options.download)
    if options.use is not None:
        name, file = options.use
        check_file(name, Path(file))
        remember_file(name, Path(file))
    if options.remove is not None:
        remove_model(options.remove)
    if options.install is not None:
        install_model(options.install, options.name, replace=options.force)
    wide = max(map(len, MODELS))
    for name, spec in MODELS.items():
        where = "ready" if spec.installed else "not downloaded"
        if spec.installed and spec.lacks_decoder:
            where = "no decoder"
        takes = ", ".join(sorted(capability.value for capability in spec.capabilities))
        published = f" As published: {spec.published}." if spec.published else ""
        print(f"{name:{wide}s} {where:15s} {spec.licence:14s} {spec.size}".rstrip())
        print(f"{'':{wide}s} {spec.description}{published}\n{'':{wide}s} {takes}")
    return 0


def _download(name: str) -> None:
    """Fetch the weights of a model; tell whose they are before anything is fetched."""
    from ..models.registry import download_model, model_spec
    from .options import show_progress

    spec = model_spec(name)
    if spec.weights.url is not None and (not spec.installed or spec.lacks_decoder):
        print(f"{spec.title}: {spec.size}, from {spec.weights.url}\nLicence of the weights: "
              f"{spec.licence}. Cite {spec.citation}", file=sys.stderr)  # fmt: skip
    megabyte = 1_000_000

    def show(done: int, total: int | None, _: str) -> None:
        show_progress(done // megabyte, (total or done) // megabyte, "MB")

    try:
        path = download_model(name, show)
    finally:
        print(file=sys.stderr)  # below the line of progress
    print(f"'{name}' is ready at {path}", file=sys.stderr)
