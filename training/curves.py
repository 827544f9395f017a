"""Draw how weights became better: `python -m training.curves OUT.png NAME=FOLDER ...`.

Each folder holds what `python -m benchmarks clicks DIR --model FILE --json at15.json` measured of
the weights of one run at several moments, `at15.json` for minute 15 and so on.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from benchmarks.compare import by_set, figure_of, interval_of, mean_over_sets
from benchmarks.records import Record, read

FIGURES = ("IoU@1", "IoU@3", "box")


def main() -> None:
    """Draw a panel for each figure, a line for each run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    options = _parse()
    figure, panels = pyplot.subplots(1, len(FIGURES), figsize=(10, 3.4), sharey=True)
    for name, folder in (run.split("=", 1) for run in options.runs):
        moments = _moments(Path(folder))
        for panel, title in zip(panels, FIGURES, strict=True):
            values = [by_set(rows, figure_of(title)) for rows in moments.values()]
            means = [mean_over_sets(value) for value in values]
            spans = [interval_of(value) for value in values]
            below = [mean - low for mean, (low, _) in zip(means, spans, strict=True)]
            above = [high - mean for mean, (_, high) in zip(means, spans, strict=True)]
            panel.errorbar(
                list(moments), means, yerr=[below, above], marker="o", capsize=3, label=name
            )
            panel.set_title(title)
            panel.set_xlabel(options.axis)
            panel.grid(alpha=0.3)
    panels[0].set_ylabel("intersection over union")
    panels[0].set_ylim(bottom=0)
    panels[0].legend()
    figure.tight_layout()
    figure.savefig(options.out, dpi=110)


def _moments(folder: Path) -> dict[int, list[Record]]:
    """Measured objects by minute."""
    found = {}
    for path in folder.glob("at*.json"):
        match = re.fullmatch(r"at(\d+)", path.stem)
        if match:
            _, models = read(path)
            found[int(match[1])] = next(iter(models.values())).records
    return dict(sorted(found.items()))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--axis", default="minutes", help="label of the horizontal axis")
    return parser.parse_args()


if __name__ == "__main__":
    main()
