"""Figures of the click bench: by set, by domain, and as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .clicks import Protocol, Record

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
    return {"sets": by_set, "domains": by_domain, "overall": overall}


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


def markdown(figures: dict[str, dict[str, dict[str, Figures]]], protocol: Protocol) -> str:
    """The figures of several models as tables, models side by side."""
    lines = [
        "# Clicks", "",
        f"At most {protocol.per_set} objects a set and 4 an image (seed {protocol.seed}), at most "
        f"{protocol.clicks} clicks: the first in the middle of the object, each next one in the "
        "middle of the largest error. Domains are means over their sets. NoC counts objects that "
        "never got there with the largest number of clicks. The classical tools see the image at "
        "256 pixels along its longest side, the models at its own size.", "",
    ]  # fmt: skip
    for part, title in (("domains", "Domain"), ("overall", "All"), ("sets", "Set")):
        lines += [f"## By {title.lower()}", "", *_table(figures, part, title), ""]
    return "\n".join(lines)


COLUMNS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    *((f"iou@{c}", f"IoU@{c}", "{:.3f}".format) for c in AT),
    *((f"noc@{g * 100:.0f}", f"NoC@{g * 100:.0f}", "{:.1f}".format) for g in GOALS),
    ("never@85", "never 85", "{:.0%}".format),
    ("worst drop", "drop", "{:.3f}".format),
    *((kind, kind, "{:.3f}".format) for kind in SINGLE),
    ("score error", "score off", "{:.3f}".format),
    ("ms a turn", "ms", "{:.0f}".format),
)  # fmt: skip


def _table(figures: dict[str, dict[str, dict[str, Figures]]], part: str, title: str) -> list[str]:
    head = [title, "model", "objects", *(name for _, name, _ in COLUMNS)]
    rows = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for place in dict.fromkeys(p for model in figures.values() for p in model[part]):
        for model, parts in figures.items():
            if place not in parts[part]:
                continue
            found = parts[part][place]
            cells = [show(found[key]) if key in found else "" for key, _, show in COLUMNS]
            rows.append("| " + " | ".join([place, model, str(found["objects"]), *cells]) + " |")
    return rows
