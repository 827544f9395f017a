"""`napari-seem embed`: images encoded ahead."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .options import add_model, add_window, usage, window_from


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    embed = commands.add_parser("embed", help="encode images in advance, for clicks on them later")
    embed.set_defaults(run=_embed)
    embed.add_argument("images", type=Path, nargs="*", metavar="IMAGE", help="files to encode")
    embed.add_argument("--axis", type=int, help="the files are stacks along this axis; without it "
                       "files of more axes than an image are stacks along axis 0")  # fmt: skip
    add_model(embed)
    embed.add_argument("--folder", type=Path, help="where to keep them, by default the docks' own")
    embed.add_argument("--megabytes", type=int, default=4096, help="most disk space to use (4096)")
    embed.add_argument("--clear", action="store_true", help="first delete the encoded images there")
    add_window(embed)


def _embed(options: argparse.Namespace) -> int:
    """Fill the store of encoded images; 2 where a file could not be done."""
    from ..embeddings import EmbeddingCache, EmbeddingStore, encode_files
    from ..models.registry import load_model
    from ..sources import is_big

    if not options.images and not options.clear:
        raise usage("give image files to encode, or --clear")
    if options.megabytes < 0:
        raise usage("--megabytes must not be negative")
    store = EmbeddingStore(options.folder, options.megabytes << 20)
    if options.clear:
        gone = store.clear()
        print(f"{gone.images} encoded images deleted ({gone.nbytes >> 20} MB) in {store.folder}")
    if not options.images:
        return 0
    done = {"encoded": 0, "there": 0, "failed": 0}
    cache = EmbeddingCache(0, store)
    model, window = load_model(options.model), window_from(options)
    planes = encode_files(model, options.images, cache, options.axis, window, is_big)
    try:
        for path, count, ready in planes:
            done[ready.outcome] += 1
            place = f"plane {ready.index + 1} of {count} " if count else ""
            line = f"\r{path.name}: {place}{ready.outcome} {ready.problem}"
            print(line, end="\n" if ready.problem else "   ", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped; give the same command again to continue", end="", file=sys.stderr)
        return 130
    finally:
        print(file=sys.stderr)
    print(f"{done['encoded']} planes encoded, {done['there']} were there, {done['failed']} failed "
          f"-> {store.folder}")  # fmt: skip
    return 2 if done["failed"] else 0
