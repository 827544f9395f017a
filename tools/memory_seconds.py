"""Print what carrying an object by the memory of a SAM 2.1 costs: `python tools/memory_seconds.py`.

Processor seconds of one thread, random weights (their values do not matter), 1024 x 1024 pixels.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from napari_seem.models.memory import Recalled
from napari_seem.models.sam.model import SamModel
from napari_seem.models.sam.network import build
from napari_seem.models.sam.sizes import sizes_of

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = Path(__file__).parents[1] / "tests/data/sam_keys.json"
T = TypeVar("T")


def _timed(what: str, work: Callable[[], T]) -> T:
    begun = time.process_time()
    found = work()
    print(f"{what:44} {time.process_time() - begun:6.2f} s")
    return found


def main(name: str = "sam2.1-tiny") -> None:
    """Print the processor seconds of each step, for a SAM 2.1 by name."""
    torch.set_num_threads(1)
    shapes = {
        key: tuple(shape)
        for key, shape in json.loads(KEYS.read_text(encoding="utf-8"))[name].items()
    }
    model = SamModel(build(sizes_of(shapes, KEYS)).eval().requires_grad_(False), name)
    plane = np.random.default_rng(0).integers(0, 255, (1024, 1024), dtype=np.uint8)
    mask = np.zeros(plane.shape, bool)
    mask[300:500, 300:600] = True
    model.encode(plane)  # the first takes longer
    embedding = _timed("encode a plane", lambda: model.encode(plane))
    memory = _timed("remember a labelled object", lambda: model.remember(embedding, mask))
    for tracked in (0, 6):
        recalled = [Recalled(memory, tracked + 1, given=True)]
        recalled += [Recalled(memory, behind, given=False) for behind in range(1, tracked + 1)]
        what = f"carry an object, looking back on {tracked + 1}"
        _timed(what, lambda recalled=recalled: model.track(embedding, recalled, 100))


if __name__ == "__main__":
    main(*sys.argv[1:])
