"""Figures of the click bench: by set, by domain, and as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .classical import TOOLS
from .records import Measured, Protocol, Record
from .sizes import SIZES

AT = (1, 3, 5, 10)
GOALS = (0.80, 0.85, 0.90)
SINGLE = ("box", "scribble", "lasso", "reference", "word")
BINS = 5
Figures = dict[str, Any]


def summary(records: Sequence[Record]) -> dict[str, dict[str, Figures]]:
    """Figures by set, by domain (mean over its sets), over other sources only, and overall."""
    by_set = {
        name: _figures([r for r in records if r.set_name == name])
        for name in dict.fromkeys(r.set_name for r in records)
    }
    elsewhere = {r.set_name for r in records if r.other_source}
    domains = sorted({name.split("/")[0] for name in by_set})
    by_domain = {
        domain: _mean([f for n, f in by_set.items() if n.split("/")[0] == domain])
        for domain in domains
    }
    overall = {"all sets": _mean(list(by_set.values()))}
    if elsewhere and elsewhere != set(by_set):
        overall["sets of other sources"] = _mean([by_set[n] for n in by_set if n in elsewhere])
    return {"domains": by_domain, "overall": overall, "sets": by_set}


def size_summary(records: Sequence[Record]) -> dict[str, Figures]:
    """Figures by size: of the objects that were drawn for it, of all where none were."""
    drawn = [r for r in records if r.by_size] or records
    by_size = {size: [r for r in drawn if size in r.sizes] for size in SIZES}
    return {size: _figures(some) for size, some in by_size.items() if some}


def mean_cell(values: Sequence[float]) -> str:
    """A mean as it stands in a table; nothing where there is nothing."""
    return f"{np.mean(values):.3f}" if values else ""


def clicks_needed(curve: Sequence[float], goal: float) -> int | None:
    """The first click after which the IoU reached `goal`, or None."""
    reached = np.flatnonzero(np.asarray(curve) >= goal)
    return int(reached[0]) + 1 if reached.size else None


def _figures(records: Sequence[Record]) -> Figures:
    curves = np.array([r.curve for r in records])
    scores = np.array([r.scores for r in records])
    mean = curves.mean(0)
    most = curves.shape[1]
    figures: Figures = {"objects": len(records)}
    for click in AT:
        if click <= most:
            figures[f"iou@{click}"] = float(mean[click - 1])
    for goal in GOALS:
        needed = [clicks_needed(curve, goal) for curve in curves]
        figures[f"noc@{goal * 100:.0f}"] = float(np.mean([n or most for n in needed]))
        figures[f"never@{goal * 100:.0f}"] = float(np.mean([n is None for n in needed]))
    for count in (2, 3):
        figures[f"best@{count}"] = float(np.mean([r.best[count - 1] for r in records]))
    figures["worst drop"] = float(max(0.0, -np.diff(mean).min())) if most > 1 else 0.0
    for kind in SINGLE:
        values = [r.single[kind] for r in records if kind in r.single]
        if values:
            figures[kind] = float(np.mean(values))
    figures["score error"] = float(np.abs(scores - curves)[:, :5].mean())
    figures["reliability"] = _reliability(scores[:, :5].ravel(), curves[:, :5].ravel())
    figures["ms a turn"] = float(np.median([r.seconds for r in records]) * 1e3)
    figures["curve"] = [round(float(v), 4) for v in mean]
    return figures


def _reliability(scores: Any, truth: Any) -> list[list[float]]:
    """Mean score, mean IoU and count of the answers in bins of the score."""
    index = np.clip((scores * BINS).astype(int), 0, BINS - 1)
    return [
        [float(scores[index == b].mean()), float(truth[index == b].mean()), int((index == b).sum())]
        for b in range(BINS)
        if (index == b).any()
    ]


def _mean(figures: Sequence[Figures]) -> Figures:
    """Mean over sets of every number they have; the drop is that of the mean curve."""
    keys = dict.fromkeys(key for f in figures for key in f)
    out: Figures = {}
    for key in keys:
        values = [f[key] for f in figures if key in f]
        if key == "objects":
            out[key] = int(sum(values))
        elif key == "curve":
            out[key] = [round(float(v), 4) for v in np.mean(values, axis=0)]
        elif key != "reliability":
            out[key] = float(np.mean(values))
    if len(out["curve"]) > 1:
        out["worst drop"] = float(max(0.0, -np.diff(out["curve"]).min()))
    return out


TABLES = ("domains", "overall", "sets", "size", "beside", "curves")
"""The tables there are; by set they are long, and shown of one model only unless asked for."""
TITLES = {"domains": "Domain", "overall": "All", "sets": "Set"}


def markdown(
    models: Mapping[str, Measured], protocol: Protocol, only: Sequence[str] | None = None
) -> str:
    """Return what was measured as tables, models side by side; `only` some of `TABLES`."""
    wanted = only or [name for name in TABLES if name != "sets" or len(models) == 1]
    lines = [f"- {name}: {one.conditions}" for name, one in models.items()]
    lines += [f"- {line}" for line in _protocol(protocol, by_size="size" in wanted)]
    drawn = {
        name: summary([r for r in one.records if not r.by_size])
        for name, one in models.items() if any(not r.by_size for r in one.records)
    }  # fmt: skip
    for part in [name for name in TITLES if drawn and name in wanted]:
        found = {name: figures[part] for name, figures in drawn.items()}
        title = TITLES[part]
        lines += ["", f"### By {title.lower()}", "", *_table(found, title, COLUMNS)]
    if "size" in wanted:
        by_size = {name: size_summary(one.records) for name, one in models.items()}
        lines += ["", "### By size", "", *_table(by_size, "Side", SIZE_COLUMNS)]
    if drawn and "beside" in wanted:
        lines += _beside_tools(drawn)
    if drawn and "curves" in wanted:
        lines += _curves(drawn)
    return "\n".join(lines)


def _protocol(protocol: Protocol, *, by_size: bool) -> list[str]:
    lines = []
    if protocol.per_set:
        lines.append(
            f"at most {protocol.per_set} objects a set and 4 an image (seed {protocol.seed}), at "
            f"most {protocol.clicks} clicks each; domains and all are means over sets"
        )
    if by_size:
        lines.append(
            f"by size: at most {protocol.by_size} objects of each size, from all sets in turn"
            if protocol.by_size else "by size: means over the same objects"
        )  # fmt: skip
    return lines


def _beside_tools(figures: Mapping[str, dict[str, dict[str, Figures]]]) -> list[str]:
    """Compare each model with the best classical tool of each domain."""
    tools = [name for name in figures if name in TOOLS]
    lines = []
    for model in [name for name in figures if tools and name not in TOOLS]:
        head = ["Domain", *(w for c in (1, 3) for w in (f"IoU@{c}", "best classical", "gain"))]
        lines += ["", f"### {model} beside the best classical tool of each domain", ""]
        lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for place, mine in figures[model]["domains"].items():
            cells = [place]
            for key in [key for key in ("iou@1", "iou@3") if key in mine]:
                best = max(tools, key=lambda tool: figures[tool]["domains"][place][key])
                other = figures[best]["domains"][place][key]
                cells += [f"{mine[key]:.3f}", f"{other:.3f} ({best})", f"{mine[key] - other:+.3f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _curves(figures: Mapping[str, dict[str, dict[str, Figures]]]) -> list[str]:
    """Return the mean IoU after each click, where there are many."""
    lines = []
    for model, parts in figures.items():
        curves = {name: f["curve"] for p in ("domains", "overall") for name, f in parts[p].items()}
        if all(len(curve) > AT[1] for curve in curves.values()):
            lines += ["", f"### Mean IoU of {model} after each click", ""]
            lines += [f"- {name}: {' '.join(f'{v:.2f}' for v in c)}" for name, c in curves.items()]
    return lines


Column = tuple[str, str, Callable[[float], str]]
"""Key of a figure, its heading, and how it is written."""
COLUMNS: tuple[Column, ...] = (
    ("iou@1", "IoU@1", "{:.3f}".format),
    *((f"best@{n}", f"best of {n}", "{:.3f}".format) for n in (2, 3)),
    *((f"iou@{c}", f"IoU@{c}", "{:.3f}".format) for c in AT[1:]),
    *((f"noc@{g * 100:.0f}", f"NoC@{g * 100:.0f}", "{:.1f}".format) for g in GOALS),
    ("never@85", "never 85", "{:.0%}".format),
    ("worst drop", "drop", "{:.3f}".format),
    *((kind, kind, "{:.3f}".format) for kind in SINGLE),
    ("score error", "score off", "{:.3f}".format),
    ("ms a turn", "ms", "{:.0f}".format),
)  # fmt: skip


SIZE_COLUMNS = tuple(c for c in COLUMNS if c[0] in ("iou@1", "best@2", "best@3", "iou@3", "box"))


def _table(
    figures: Mapping[str, Mapping[str, Figures]], title: str, columns: Sequence[Column]
) -> list[str]:
    """Return lines of a table: places by models, and their figures as far as any has them."""
    known = {key for places in figures.values() for found in places.values() for key in found}
    columns = [column for column in columns if column[0] in known]
    head = [title, "model", "objects", *(name for _, name, _ in columns)]
    rows = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for place in dict.fromkeys(p for places in figures.values() for p in places):
        for model, places in figures.items():
            if place not in places:
                continue
            found = places[place]
            cells = [show(found[key]) if key in found else "" for key, _, show in columns]
            rows.append("| " + " | ".join([place, model, str(found["objects"]), *cells]) + " |")
    return rows
