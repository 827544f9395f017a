"""Features that another program or a person gave a Labels layer, matched to its objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...edits import ObjectRecord, ObjectTable, is_empty
from .features import OURS, of_others

if TYPE_CHECKING:
    import pandas as pd

NAMES = ("index", "label")
"""Columns that tell which object a row is of: napari's, and that of scikit-image's tables."""


def adopted(given: pd.DataFrame, former: pd.DataFrame) -> pd.DataFrame | None:
    """The features that a layer has once others were given to it: nothing known is lost.

    Rows are matched by their ids; where no column tells them, by their order. What is said anew
    of an object counts, as far as it can be read; empty cells say nothing. Columns of other
    programs stay, but where a table with all columns of ours lacks them on purpose.

    Parameters
    ----------
    given : DataFrame
    former : DataFrame
        The features before.

    Returns
    -------
    DataFrame or None
        None where the given features are right as they are.
    """
    import pandas as pd

    table = ObjectTable.from_features(former)
    ids, sure = _ids(given, table)
    rows = dict(table.items())
    if sure:
        known = [name for name in OURS[1:] if name in given]
        for at, label_id in enumerate(ids):
            if label_id > 0:
                said = {name: given[name].iloc[at] for name in known}
                rows[label_id] = _record(rows.get(label_id, ObjectRecord()), said)
    frame = pd.DataFrame(ObjectTable(rows).to_features())
    others, earlier = of_others(given, ids), of_others(former, _ids(former, table)[0])
    if not set(OURS) <= set(given.columns):
        others = others.combine_first(earlier)[[*earlier, *(c for c in others if c not in earlier)]]
    elif others.shape[1]:  # rows that are left out keep what they have
        missing = earlier[~earlier.index.isin(others.index)]
        others = pd.concat([others, missing.reindex(columns=others.columns)])
    if others.shape[1]:
        frame = frame.join(others, on="index")
    same = frame.columns.equals(given.columns) and frame.equals(given)
    return None if same else frame


def _ids(frame: pd.DataFrame, table: ObjectTable) -> tuple[Sequence[int], bool]:
    """The object of every row, 0 or less for none, and whether that is sure."""
    import pandas as pd

    for name in NAMES:
        if name in frame:
            values = pd.to_numeric(frame[name], errors="coerce")
            whole = values.notna() & (values % 1 == 0)
            if whole.any():
                return values.where(whole, -1).astype("int64").tolist(), True
    count, known = len(frame), list(table)
    for ids in ([0, *known], known):
        if count == len(ids):
            return ids, True
    return range(count), not known


def _record(known: ObjectRecord, said: dict[str, object]) -> ObjectRecord:
    """An object of which something is said anew; what can't be read says nothing."""
    for name, value in said.items():
        try:
            read = getattr(ObjectRecord.from_row({name: value}), name)
        except (TypeError, ValueError):
            continue
        if not is_empty(value):
            known = replace(known, **{name: read})
    return known
