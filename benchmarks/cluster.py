"""Batch work here, and on a LocalCluster of one and of two processes, side by side.

    python benchmarks/cluster.py --images 12 --side 1024

Prints a Markdown table. All three do the same tasks in turn, several times; the ratio is what
counts. A process of the cluster has one thread, as `local:N` starts it; the work here uses all
cores for every image.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import tifffile
from skimage import data, transform

from napari_seem.batch import plan, run
from napari_seem.batch.tasks import Kind
from napari_seem.embeddings.cluster import cluster

KINDS: tuple[Kind, ...] = ("embed", "segment")


def main() -> None:
    """Measure and print."""
    options = _parse()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write_pictures(root / "pictures", options.images, options.side)
        seconds: dict[tuple[str, str], list[float]] = {}
        with cluster("local:1") as one, cluster("local:2") as two:
            places = {"here": None, "1 process": one, "2 processes": two}
            for turn in range(options.turns + 1):  # the first loads models
                for kind in KINDS:
                    for place, client in places.items():
                        out = root / f"{kind}-{place}-{turn}".replace(" ", "")
                        tasks = plan(kind, [root / "pictures"], out, {})
                        start = time.perf_counter()
                        report = run(tasks, out, client=client)
                        assert not report.failed, report.failed
                        if turn:
                            took = time.perf_counter() - start
                            seconds.setdefault((kind, place), []).append(took)
    size = f"{options.side} x {options.side}"
    print(f"{options.images} images of {size}, median of {options.turns}\n")
    print("| work | place | seconds | images a second | against 1 process |\n|---|---|---|---|---|")
    for (kind, place), took in seconds.items():
        median = statistics.median(took)
        ratio = statistics.median(seconds[kind, "1 process"]) / median
        print(f"| {kind} | {place} | {median:.1f} | {options.images / median:.2f} | {ratio:.2f} |")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args()


def _write_pictures(folder: Path, count: int, side: int) -> None:
    """A picture that scikit-image carries, turned: none is like another."""
    folder.mkdir()
    coins = data.coins()
    for number in range(count):
        turned = transform.rotate(coins, 360 * number / count, mode="reflect")
        picture = transform.resize(turned, (side, side), order=1)
        tifffile.imwrite(folder / f"{number:02}.tif", (picture * 255).astype("uint8"))


if __name__ == "__main__":
    main()
