"""A folder of made-up pictures, written once and read by every run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from training.procedural.scene import Sample, generate

SHARD = 100


def write_pool(folder: Path, count: int, seed: int, size: int = 320, workers: int = 0) -> None:
    """Write `count` pictures in shards; finished shards are kept.

    Parameters
    ----------
    folder : Path
    count : int
    seed : int
    size : int
        Side of each picture in pixels.
    workers : int
        Processes that draw; 0 for none beside this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(-(-count // SHARD))
    counts = [min(SHARD, count - number * SHARD) for number in shards]
    write = partial(_write_shard, folder, seed, size)
    if workers:
        with ProcessPoolExecutor(workers) as pool:
            list(pool.map(write, shards, counts))
    else:
        list(map(write, shards, counts))


def _write_shard(folder: Path, seed: int, size: int, number: int, count: int) -> None:
    path = folder / f"shard-{number:04d}.npz"
    if path.exists():
        return
    rng = np.random.default_rng([seed, number])
    samples = [generate(rng, size) for _ in range(count)]
    facts = [{"family": s.family, "names": s.names} for s in samples]
    temporary = path.with_suffix(".part.npz")
    np.savez_compressed(
        temporary, images=np.stack([s.image for s in samples]),
        instances=np.stack([s.instances for s in samples]), facts=json.dumps(facts),
    )  # fmt: skip
    temporary.rename(path)


def load_pool(folder: Path) -> Iterator[Sample]:
    """Yield the pictures of a pool."""
    for path in sorted(folder.glob("shard-*.npz")):
        if path.name.endswith(".part.npz"):
            continue
        with np.load(path) as shard:
            images, instances = shard["images"], shard["instances"]
            for index, facts in enumerate(json.loads(str(shard["facts"]))):
                names = {int(key): word for key, word in facts["names"].items()}
                yield Sample(images[index], instances[index], names, facts["family"])
