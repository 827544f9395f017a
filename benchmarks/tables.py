"""Rewrite the tables of the docs: `python -m benchmarks tables shared/data/dev-eval`.

Every table is made by the command named in `TABLES`, one after the other, and put into its page
between its marks. All of them take a night on two cores.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_seem.errors import NapariSeemError

from .classical import TOOLS as CLASSICAL

DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True)
class Table:
    """A table of a page: its mark there, and the benchmark with the options that make it."""

    mark: str
    page: str
    command: str


ALL_TOOLS = " ".join(f"--model {name}" for name in ("compact", *CLASSICAL))
NUCLEI = "--sets dsb2018 --sets nuclei3d --sets hela"
TABLES = (
    Table("clicks", "benchmarks.md", "clicks --model compact --per-set 4 --max-clicks 20"),
    Table("by-size", "benchmarks.md",
          "clicks --model compact --per-set 0 --by-size 40 --max-clicks 3 --tables size"),
    Table("nuclei", "benchmarks.md",
          f"clicks --model compact --model random-walker --per-set 40 {NUCLEI} --tables sets"),
    Table("context", "benchmarks.md", "adapt --ways context --objects 14 --max-clicks 8"),
    Table("adapt", "benchmarks.md",
          "adapt --objects 14 --max-clicks 8 --sets flood_oblique spider_spine axon_sem "
          "blood_cells dsb2018 nasa_super usiigaci bsds500 fruits_nuts ctc_fluo_hela ctc_phc_psc"),
    Table("classical", "benchmarks.md",
          f"clicks {ALL_TOOLS} --per-set 8 --max-clicks 3 --clicks-only "
          "--tables domains overall beside"),
    Table("everything", "benchmarks-everything.md", "everything --per-set 3"),
    Table("everything-nuclei", "benchmarks-everything.md",
          "everything --per-set 41 --sets dsb2018 --sets hela"),
    Table("in-context", "benchmarks-stacks.md", "in-context"),
    Table("propagate", "benchmarks-stacks.md", "propagate --per-set 2 --objects 4"),
    Table("concepts", "concepts.md", "concepts"),
)  # fmt: skip
"""In the order in which they are made."""


def main(argv: Sequence[str]) -> int:
    """Make the tables that are asked for; go on where one can't be made."""
    options = _parse(argv)
    failed = 0
    for table in TABLES:
        if options.only and table.mark not in options.only:
            continue
        start = time.perf_counter()
        name, *rest = table.command.split()
        arguments = [str(options.folder), *rest, "--mark", table.mark]
        arguments += ["--table", str(options.docs / table.page)]
        if options.json:
            arguments += ["--json", str(options.json / f"{table.mark}.json")]
        print(f"\n{table.mark}: python -m benchmarks {name} {' '.join(arguments)}", flush=True)
        try:
            bench = importlib.import_module(f"{__package__}.{name.replace('-', '_')}")
            bench.main(arguments)
        except (NapariSeemError, OSError) as error:
            failed += 1
            print(f"{table.mark}: {error}")
        print(f"{table.mark}: {time.perf_counter() - start:.0f} s", flush=True)
    return min(failed, 1)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks tables", description=__doc__)
    parser.add_argument("folder", type=Path, help="shared/data/dev-eval, or laid out like it")
    marks = [table.mark for table in TABLES]
    parser.add_argument("--only", nargs="*", choices=marks, help="only these tables")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder of the pages")
    parser.add_argument(
        "--json", type=Path, metavar="FOLDER", help="keep what was measured in an existing folder"
    )
    return parser.parse_args(list(argv))
