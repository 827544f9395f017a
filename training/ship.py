"""Put a run's weights into the package: `python -m training.ship training/runs/compact2`.

With `--share 0.5` what is put there lies halfway between the packaged weights, from which the run
began, and the run's. The model card is told size and sha256 of the new file; how it was made is for
a person to write.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import math
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file

from benchmarks.pages import put_table
from napari_seem.models.compact.network import CompactConfig, CompactNetwork
from napari_seem.training.state import between, export, take_over

CARD = Path(__file__).parents[1] / "docs/model-card.md"
MARK = "weights"
HOME = Path(__file__).parents[1] / "src/napari_seem/models/compact"
LIMIT = 20_000_000


def ship(run: Path, share: float = 1.0) -> None:
    """Write `run`/compact.safetensors into the package, `share` of the way, and note its digest."""
    source, home = run / "compact.safetensors", HOME / "compact.safetensors"
    size = source.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{source} has {size} bytes; the package takes at most {LIMIT}")
    network, words = mixed(home, source, share)
    export(network, words, home)
    facts = {"sha256": hashlib.sha256(home.read_bytes()).hexdigest(), "size": home.stat().st_size}
    (HOME / "compact.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    put_table(CARD, described(home), MARK, "Model card")
    print(f"{facts['size'] / 1e6:.1f} MB, sha256 {facts['sha256']}")


def mixed(given: Path, trained: Path, share: float) -> tuple[CompactNetwork, list[str]]:
    """Return the network between files of weights, and the words of the trained one.

    What the given weights lack is that of the trained ones.
    """
    with safe_open(trained, "pt") as file:
        about = {key: json.loads(file.metadata()[key]) for key in ("config", "words")}
    network = CompactNetwork(CompactConfig(**about["config"]))
    network.load_state_dict(load_file(trained), strict=False)  # counters of batches are left out
    before = copy.deepcopy(network)
    take_over(before, given, about["words"])
    return between(before, network, share), about["words"]


def described(path: Path) -> str:
    """Return size, sha256 and number of parameters and words of a weights file as a table."""
    content = path.read_bytes()
    counts = {"encoder": 0, "decoder": 0}
    with safe_open(path, "np") as file:
        words = len(json.loads(file.metadata()["words"]))
        for name in file.keys():  # noqa: SIM118
            part = name.split(".")[0]
            if part in counts:
                counts[part] += math.prod(file.get_slice(name).get_shape())
    rows = {
        "File": f"`{path.name}`, {len(content) / 1e6:.1f} MB, half precision",
        "sha256": f"`{hashlib.sha256(content).hexdigest()}`",
        "Parameters": ", ".join(f"{n / 1e6:.1f} M {part}" for part, n in counts.items()),
        "Vocabulary": f"{words} words",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {text} |" for key, text in rows.items())])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the training")
    parser.add_argument("--share", type=float, default=1.0, help="way from the packaged weights")
    options = parser.parse_args()
    ship(options.run, options.share)
