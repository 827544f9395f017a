"""Run shell steps of the workflows' Linux jobs, in a clean clone each: run_workflow.py [JOB ...].

What `uses:` does elsewhere (checkout, Python) is there already. A matrix is run for the Python
that runs this script.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from version import version

ROOT = Path(__file__).resolve().parents[1]
HERE = {"os": "ubuntu-latest", "python": f"{sys.version_info[0]}.{sys.version_info[1]}"}
"""What stands for these keys of a matrix; of other keys every value is run."""
TAG = {"GITHUB_REF_NAME": f"v{version()}"}
"""Names what a release is of."""
AS_ROOT = 'sudo() { "$@"; }\n'


def jobs(path: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield every Linux job of a workflow: its name, and the names and texts of its shell steps."""
    for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
        matrix = job.get("strategy", {}).get("matrix", {})
        values = [[HERE[key]] if key in HERE else options for key, options in matrix.items()]
        for chosen in itertools.product(*values):
            known = dict(zip(matrix, map(str, chosen), strict=True))
            if filled(job["runs-on"], known).startswith("ubuntu"):
                title = "-".join([name, *(v for k, v in known.items() if k not in HERE)])
                yield title, [(filled(step.get("name", "step"), known), filled(step["run"], known))
                              for step in job["steps"] if "run" in step]  # fmt: skip


def filled(text: str, matrix: dict[str, str]) -> str:
    """Return a text with the values of the matrix in place of their expressions."""
    return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: matrix[found[1]], text)


def run(steps: list[tuple[str, str]]) -> str | None:
    """Run the steps of a job in a clean clone; return the name of the step that failed."""
    with TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", clone], check=True)
        prefix = Path(folder) / "python"
        subprocess.run([sys.executable, "-m", "venv", prefix], check=True)
        path = f"{prefix / 'bin'}{os.pathsep}{os.environ['PATH']}"
        for name, text in steps:
            print(f"  {name}", flush=True)
            command: list[Any] = ["bash", "-eo", "pipefail", "-c", AS_ROOT + text]
            if subprocess.run(command, cwd=clone, env=os.environ | {"PATH": path} | TAG).returncode:
                return name
    return None


def main() -> int:
    """Run the named jobs, or list them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="without one they are listed")
    wanted = parser.parse_args().jobs
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    known = {name: steps for path in workflows for name, steps in jobs(path) if steps}
    if not wanted:
        print("\n".join(known))
    failed = {}
    for name in wanted:
        print(name, flush=True)
        if (step := run(known[name])) is not None:
            failed[name] = step
    for name, step in failed.items():
        print(f"{name} failed at: {step}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
