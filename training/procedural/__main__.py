"""`python -m training.procedural --pool DIR --count N`, `--sheet PNG`, or `--time`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.segmentation import mark_boundaries

from training.procedural import FAMILIES, write_pool
from training.procedural.scene import draw


def sheet(path: Path, seed: int, columns: int = 6) -> None:
    """Draw every family a few times, with outlines."""
    rng = np.random.default_rng(seed)
    rows = []
    for family in FAMILIES:
        samples = [draw(family, rng, 240) for _ in range(columns)]
        drawn = [mark_boundaries(s.image, s.instances, color=(1, 1, 0)) for s in samples]
        rows.append(np.concatenate(drawn, 1))
    Image.fromarray((np.concatenate(rows) * 255).astype(np.uint8)).save(path)


def timing(seed: int) -> None:
    """Print milliseconds a picture takes, by family."""
    rng = np.random.default_rng(seed)
    for family in FAMILIES:
        start = time.perf_counter()
        for _ in range(5):
            draw(family, rng)
        print(f"{family:12s} {(time.perf_counter() - start) * 200:6.0f} ms")


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0, help="processes that draw")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--time", action="store_true")
    options = parser.parse_args()
    if options.sheet:
        sheet(options.sheet, options.seed)
    if options.time:
        timing(options.seed)
    if options.pool:
        write_pool(options.pool, options.count, options.seed, workers=options.workers)


if __name__ == "__main__":
    main()
