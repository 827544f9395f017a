"""Picture banks for the commands of this folder, kept on disk: their superpixels take minutes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from napari_seem.training import Picture, PictureBank
from napari_seem.training.recipe import FURTHER, ONE_GPU, REHEARSAL, TWO_CORES
from training.corpus import group_weights, read_pool, read_real, vocabulary
from training.pack import read_pack

RECIPES = {"two-cores": TWO_CORES, "further": FURTHER, "one-gpu": ONE_GPU, "rehearsal": REHEARSAL}


@dataclass(frozen=True)
class Sources:
    """Where pictures come from.

    Attributes
    ----------
    data : Path or None
        A folder laid out like shared/data/train.
    packs : sequence of Path
        What `python -m training.pack` wrote.
    pools : sequence of Path
        What `python -m training.procedural --pool` wrote.
    without : collection of str
        Sets to leave out, as `<domain>/<set>`.
    longest : int or None
        Side in pixels to which longer pictures are shrunk.
    """

    data: Path | None = None
    packs: Sequence[Path] = ()
    pools: Sequence[Path] = ()
    without: Collection[str] = ()
    longest: int | None = None

    def pictures(self) -> Iterator[Picture]:
        """All pictures."""
        parts: list[Iterable[Picture]] = [read_pool(self.pools, self.longest)]
        if self.data is not None:
            parts.append(read_real(self.data, self.without, self.longest))
        if self.packs:
            parts.append(read_pack(self.packs, self.without, self.longest))
        return chain(*parts)

    def key(self, seed: int) -> str:
        """Tells apart what a bank was built from, as far as names and sizes of files do."""
        folders = [folder for folder in (self.data, *self.pools) if folder is not None]
        files = sorted(chain(self.packs, *(f.rglob("*.npz") for f in folders)))
        facts: dict[str, Any] = asdict(self) | {
            "without": sorted(self.without), "seed": seed,
            "files": [(file, file.stat().st_size) for file in files],
        }  # fmt: skip
        return json.dumps(facts, default=str, sort_keys=True)


def build_bank(
    pictures: Sequence[Picture], seed: int, workers: int
) -> tuple[PictureBank, tuple[str, ...]]:
    """Lay pictures out; gives the bank, on the CPU, and the vocabulary."""
    words = vocabulary(pictures)
    return PictureBank.build(pictures, words, group_weights(pictures), seed, workers), words


def cached_bank(
    file: Path, sources: Sources, seed: int = 0, workers: int = 0
) -> tuple[PictureBank, tuple[str, ...]]:
    """The bank in a file where it was built from the same; else a new one, which is put there.

    A bank that was read lies in memory only as far as it is used, and processes share it.
    """
    key = sources.key(seed)
    if not file.exists() or _read(file)["key"] != key:
        bank, words = build_bank(list(sources.pictures()), seed, workers)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        torch.save({"key": key, "words": list(words), "bank": vars(bank)}, part)
        part.replace(file)
        del bank
    saved = _read(file)
    return PictureBank(**saved["bank"]), tuple(saved["words"])


def _read(file: Path) -> dict[str, Any]:
    return torch.load(file, mmap=True, weights_only=True)
