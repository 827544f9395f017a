"""Compare weights object by object: `python -m training.compare A.safetensors B.safetensors ...`.

Every model is given the same objects, clicks and boxes (`benchmarks.clicks`). Differences
to the first model come with 95 % intervals: objects are drawn again within their sets, and each
set counts alike. Choices are made on sets that were left out of both trainings.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.clicks import Protocol, evaluate_set, open_model
from benchmarks.datasets import find_sets

CLICKS = (1, 3, 5)
DRAWS = 2000

Values = dict[str, npt.NDArray[np.float64]]
"""Figure of each object, by set."""


def main() -> None:
    """Measure what is not measured yet, and print the differences."""
    options = _parse()
    protocol = Protocol(options.per_set, options.clicks, options.seed, extras=True)
    measured = {str(path): _measured(path, options, protocol) for path in options.models}
    first, *others = measured
    for name in measured:
        print(f"\n{name}")
        for figure in _figures(options.clicks):
            mine = by_set(measured[name], figure)
            line = f"  {figure:10s} {mean_over_sets(mine):.3f}"
            if name in others:
                line += "  difference " + _interval(mine, by_set(measured[first], figure))
            print(line)
        if name in others:
            _print_domains(measured[name], measured[first], options.clicks)


def _print_domains(mine: list[dict[str, Any]], base: list[dict[str, Any]], clicks: int) -> None:
    for domain in sorted({row["set"].split("/")[0] for row in mine}):
        parts = [[r for r in rows if r["set"].startswith(domain)] for rows in (mine, base)]
        for figure in _figures(clicks):
            new, old = (by_set(part, figure) for part in parts)
            print(f"  {domain:12s} {figure:10s} {mean_over_sets(new):.3f}  {_interval(new, old)}")


def _measured(path: Path, options: argparse.Namespace, protocol: Protocol) -> list[dict[str, Any]]:
    """A row for each object, kept beside the weights."""
    kept = path.with_name(f"{path.stem}-{options.name}.json")
    if kept.exists() and not options.again:
        return list(json.loads(kept.read_text()))
    model = open_model(str(path))
    rows = []
    for chosen in find_sets(options.data):
        if options.sets and chosen.name not in options.sets:
            continue
        for record in evaluate_set(model, chosen, protocol):
            rows.append({"set": record.set_name, "curve": record.curve, **record.single})
        print(f"{path.name} {chosen.name}: {len(rows)} objects so far", flush=True)
    kept.write_text(json.dumps(rows))
    return rows


def _figures(clicks: int) -> list[str]:
    return [*(f"IoU@{n}" for n in CLICKS if n <= clicks), "box"]


def by_set(rows: Sequence[dict[str, Any]], figure: str) -> Values:
    """One figure of each object, by set: "IoU@n" or a kind of prompt."""
    out: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        value = row["curve"][int(figure[4:]) - 1] if figure.startswith("IoU@") else row[figure]
        out[row["set"]].append(value)
    return {name: np.array(values) for name, values in out.items()}


def mean_over_sets(values: Values) -> float:
    """Mean in which each set counts alike."""
    return float(np.mean([part.mean() for part in values.values()]))


def interval_of(values: Values) -> tuple[float, float]:
    """95 % interval of the mean over sets, objects drawn again within sets."""
    rng = np.random.default_rng(0)
    drawn = [
        part[rng.integers(len(part), size=(DRAWS, len(part)))].mean(1) for part in values.values()
    ]
    low, high = np.percentile(np.mean(drawn, axis=0), [2.5, 97.5])
    return float(low), float(high)


def _interval(mine: Values, base: Values) -> str:
    """Mean difference of the same objects, and its interval."""
    gaps = {name: mine[name] - base[name] for name in mine}
    low, high = interval_of(gaps)
    return f"{mean_over_sets(gaps):+.3f} ({low:+.3f} to {high:+.3f})"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", help="weights of the compact model")
    parser.add_argument("--data", type=Path, required=True, help="a folder of sets")
    parser.add_argument("--sets", nargs="*", default=[], help="only these, as <domain>/<set>")
    parser.add_argument("--name", default="compared", help="of the files with the measured rows")
    parser.add_argument("--per-set", type=int, default=20, help="objects a set")
    parser.add_argument("--clicks", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="measure again what is on disk")
    return parser.parse_args()


if __name__ == "__main__":
    main()
