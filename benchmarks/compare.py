"""Compare two runs of the click bench object by object: `python -m benchmarks compare A B`.

A and B are files that `python -m benchmarks clicks DIR --json FILE` wrote, in which the same
objects were asked for. The table gives mean differences, B minus A, with 95 % intervals: objects
are drawn again within their sets, and each set counts alike (by size: each object). Choices are
made on images that were left out of both trainings.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_seem.errors import NapariSeemError

from .records import Measured, Record, read
from .report import clicks_needed
from .sizes import SIZES

DRAWS = 2000
GOAL = 0.85

Values = dict[str, npt.NDArray[np.float64]]
"""Figure of each object, by set."""
Pair = tuple[Record, Record]
Figure = Callable[[Record], float]


def main(argv: Sequence[str]) -> int:
    """Print the differences."""
    options = _parse(argv)
    base, new = (_only(path, options.model) for path in (options.first, options.second))
    print(f"A: {base.conditions}\nB: {new.conditions}\n")
    print(table(pairs(base.records, new.records)))
    return 0


def pairs(base: Sequence[Record], new: Sequence[Record]) -> list[Pair]:
    """Return the records of the objects that both runs have.

    Raises
    ------
    NapariSeemError
        Where there are none.
    """
    known = {record.key: record for record in base}
    found = [(known[record.key], record) for record in new if record.key in known]
    if not found:
        raise NapariSeemError(
            "the two runs have no object in common; measure both on one folder with one seed"
        )
    return found


def table(found: Sequence[Pair]) -> str:
    """Return the differences overall, by domain and by size as a table."""
    drawn = [pair for pair in found if not pair[1].by_size]
    places = {"all sets": drawn}
    for domain in sorted({one.set_name.split("/")[0] for _, one in drawn}):
        places[domain] = [p for p in drawn if p[1].set_name.startswith(f"{domain}/")]
    by_size = [pair for pair in found if pair[1].by_size] or drawn
    sizes = {name: [p for p in by_size if name in p[1].sizes] for name in SIZES}
    names = _figures_of(found)
    lines = ["| | objects | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for place, some in (places | sizes).items():
        if some:
            cells = [_cell(some, figure, in_sets=place in places) for figure in names.values()]
            lines.append(f"| {place} | {len(some)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figures_of(found: Sequence[Pair]) -> dict[str, Figure]:
    """Return the figures that can be compared, by name."""
    figures = {
        f"IoU@{n}": figure_of(f"IoU@{n}")
        for n in (1, 3, 5)
        if any(len(one.curve) >= n for pair in found for one in pair)
    }
    figures |= {f"best of {n}": figure_of(f"best of {n}") for n in (2, 3)}
    if any("box" in one.single for pair in found for one in pair):
        figures["box"] = figure_of("box")
    figures[f"NoC@{GOAL * 100:.0f}"] = lambda record: float(
        clicks_needed(record.curve, GOAL) or len(record.curve)
    )
    return figures


def figure_of(name: str) -> Figure:
    """Return what reads a figure of a record: "IoU@n", "best of n", or a kind of prompt.

    It gives NaN for a record that has no such figure.
    """

    def nth(values: Sequence[float], number: int) -> float:
        return values[number - 1] if number <= len(values) else float("nan")

    if name.startswith("IoU@"):
        return lambda record: nth(record.curve, int(name[4:]))
    if name.startswith("best of "):
        return lambda record: nth(record.best, int(name[8:]))
    return lambda record: record.single.get(name, float("nan"))


def by_set(records: Sequence[Record], figure: Figure) -> Values:
    """Return one figure of each object that has it, by set."""
    out: dict[str, list[float]] = defaultdict(list)
    for record in records:
        value = figure(record)
        if not np.isnan(value):
            out[record.set_name].append(value)
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


def _cell(found: Sequence[Pair], figure: Figure, *, in_sets: bool) -> str:
    """Return the new mean, and the mean difference of the same objects with its interval."""
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for old, new in found:
        values = figure(old), figure(new)
        if not np.isnan(values).any():
            groups[new.set_name if in_sets else ""].append(values)
    if not groups:
        return ""
    both = {name: np.array(rows) for name, rows in groups.items()}
    gaps = {name: rows[:, 1] - rows[:, 0] for name, rows in both.items()}
    low, high = interval_of(gaps)
    mean = mean_over_sets({name: rows[:, 1] for name, rows in both.items()})
    return f"{mean:.3f} {mean_over_sets(gaps):+.3f} ({low:+.3f} to {high:+.3f})"


def _only(path: Path, name: str | None) -> Measured:
    """Return what a file holds of one model; its first one if none is named."""
    _, models = read(path)
    if name is not None and name not in models:
        raise NapariSeemError(f"'{path}' holds {', '.join(models)}, not {name}")
    return models[name] if name else next(iter(models.values()))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument("first", type=Path, help="written by `clicks --json`")
    parser.add_argument("second", type=Path, help="the same, of what is judged")
    parser.add_argument("--model", metavar="M", help="where the files hold several models")
    return parser.parse_args(list(argv))
