"""Put a run's weights into the package: `python -m training.ship training/runs/compact2`."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

HOME = Path(__file__).parents[1] / "src/napari_seem/models/compact"
LIMIT = 20_000_000


def ship(run: Path) -> None:
    """Copy `run`/compact.safetensors into the package and note its digest."""
    source = run / "compact.safetensors"
    size = source.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{source} has {size} bytes; the package takes at most {LIMIT}")
    shutil.copyfile(source, HOME / source.name)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    facts = {"sha256": digest, "size": size}
    (HOME / "compact.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(f"{size / 1e6:.1f} MB, sha256 {digest}")


if __name__ == "__main__":
    ship(Path(sys.argv[1]))
