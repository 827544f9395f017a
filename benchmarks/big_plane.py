"""Clicks on a plane of any size, from a zarr on disk: time, memory.

python benchmarks/big_plane.py [side] [folder]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import zarr

from benchmarks.memory import peak
from napari_seem import Point, TiledModel, load_model

CHUNK = 512
CELLS = 400
"""Pixels between the middles of the discs."""


def make(path: Path, side: int) -> Any:
    """Discs of many sizes on a noisy ground, written block by block."""
    if path.exists():
        return zarr.open_array(path, mode="r")
    array = zarr.create_array(path, shape=(side, side), chunks=(CHUNK, CHUNK), dtype="uint8")
    rng = np.random.default_rng(0)
    noise = rng.normal(80, 12, (CHUNK, side))
    cols = np.arange(side)
    radii = 20 + 8 * ((cols // CELLS) % 17)
    for top in range(0, side, CHUNK):
        rows = np.arange(top, min(side, top + CHUNK))[:, None]
        block = np.roll(noise[: len(rows)], top, axis=1)
        near = (rows % CELLS - CELLS / 2) ** 2 + (cols % CELLS - CELLS / 2) ** 2
        far = (rows - side / 2) ** 2 + (cols - side / 2) ** 2
        block = block + 60 * ((near <= radii**2) | (far <= 900**2))
        array[top : top + len(rows)] = block.clip(0, 255).astype(np.uint8)
    return array


def main() -> None:
    """Print one row for each click."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else mkdtemp())
    array = make(folder / f"plane{side}.zarr", side)
    model = TiledModel(load_model("compact"))
    model.model.predict(model.model.encode(np.zeros((99, 99), np.uint8)), [Point(5, 5)])
    print(f"{side} x {side}; before the first click {peak():.0f} MB")
    embedding = model.encode(array)
    cell = CELLS * 3 + CELLS // 2
    clicks = [
        ("first click", Point(cell, cell)),
        ("next to it", Point(cell, cell + 20)),
        ("elsewhere", Point(cell * 3, cell * 3)),
        ("1800 px across", Point(side // 2, side // 2)),
        ("the same again", Point(side // 2, side // 2)),
    ]
    for name, point in clicks:
        start, cpu = time.perf_counter(), time.process_time()
        found = model.predict(embedding, [point])
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(
            f"{name:15s} {seconds:6.2f} s  cpu {cpu:6.2f} s  {found.cut_out()[0].sum():8d} px  "
            f"cache {model.cache.nbytes / 2**20:4.0f} MB  peak {peak():.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
