"""The features table of a Labels layer as object records, read again only where it changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ...edits import ObjectRecord, ObjectTable
from ..private import unwrap

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Labels

OURS = tuple(ObjectTable().to_features())
"""Columns of the table that hold an `ObjectRecord`; the others are left to their programs."""


class _Known:
    """What the features of a layer held when they were read last.

    Features are a DataFrame that anybody may replace or change in place without an event. To
    compare it as a whole takes a hundredth of the time that reading its cells takes.
    """

    def __init__(self) -> None:
        self.frame: Any = None
        self.records: dict[int, ObjectRecord] = {}
        self.rows: dict[str, dict[str, object]] = {}

    def read(self, frame: pd.DataFrame) -> None:
        """Read the rows of a DataFrame that are other than before."""
        if self.frame is not None and self.frame.equals(frame):
            return
        fresh = frame
        if self._is_comparable(frame):
            before = self.frame.reset_index(drop=True)
            after = frame.reset_index(drop=True)
            common = min(len(before), len(after))
            old, new = before.iloc[:common], after.iloc[:common]
            same = ((old == new) | (old.isna() & new.isna())).to_numpy().all(axis=1)
            for label_id in [*old["index"][~same], *before["index"][common:]]:
                self.records.pop(int(label_id), None)
                self.rows.pop(str(int(label_id)), None)
            fresh = after[[*~same, *[True] * (len(after) - common)]]
        else:
            self.records, self.rows = {}, {}
        self.records.update(ObjectTable.from_features(fresh).items())
        self.rows.update(_plain_rows(fresh))
        self.frame = frame.copy(deep=True)

    def _is_comparable(self, frame: pd.DataFrame) -> bool:
        known = self.frame
        return (
            known is not None
            and "index" in frame
            and list(known.columns) == list(frame.columns)
            and bool((known.dtypes == frame.dtypes).all())
            and frame["index"].dtype.kind in "iu"
            and "object" not in map(str, frame.dtypes)  # such cells can't be compared as a whole
            and bool(known["index"].is_unique and frame["index"].is_unique)
        )


_KNOWN: WeakKeyDictionary[Labels, _Known] = WeakKeyDictionary()


def table_of(labels: Labels) -> ObjectTable:
    """What a layer's features tell of its objects."""
    return ObjectTable(_known(unwrap(labels)).records)


def rows_of(labels: Labels) -> dict[str, dict[str, object]]:
    """The table of objects as plain values for the log: id as text -> row."""
    return dict(_known(unwrap(labels)).rows)


def set_table(labels: Labels, table: ObjectTable, known: pd.DataFrame | None = None) -> None:
    """Show an object table as the layer's features; columns of others stay with their ids.

    Parameters
    ----------
    labels : Labels
    table : ObjectTable
    known : DataFrame, optional
        As `others_columns` gave it: of ids that are in the table again.
    """
    import pandas as pd

    layer = unwrap(labels)
    before = _known(layer).records
    changed = {i: record for i, record in table.items() if before.get(i) is not record}
    frame = pd.DataFrame(ObjectTable(changed).to_features())
    others = others_columns(layer)
    if known is not None:
        fresh = known[~known.index.isin(others.index)]
        others = pd.concat([others, fresh]) if others.shape[1] else fresh
    if others.shape[1]:
        frame = frame.join(others, on="index")
    features = layer.features
    if set(OURS) <= set(features.columns):
        ids = features["index"]
        stays = ids.isin([0, *(i for i in before if i in table and i not in changed)])
        frame = pd.concat([features[stays], frame[~frame["index"].isin(ids[stays])]])
        frame = frame.sort_values("index", ignore_index=True)
    layer.features = frame


def others_columns(layer: Labels, ids: Iterable[int] | None = None) -> pd.DataFrame:
    """Columns that are not ours, as a DataFrame over ids: all, or some."""
    features = layer.features
    frame = of_others(features, features.get("index", range(len(features))))
    return frame if ids is None else frame[frame.index.isin(list(ids))]


def of_others(frame: pd.DataFrame, ids: Iterable[int]) -> pd.DataFrame:
    """Columns of a DataFrame that are not ours, over the ids of its rows; below 0 are none."""
    columns = [name for name in frame.columns if name not in OURS]
    found = frame[columns].set_axis(list(ids))
    return found[~found.index.duplicated() & (found.index >= 0)]


def _known(layer: Labels) -> _Known:
    known = _KNOWN.setdefault(layer, _Known())
    known.read(layer.features)
    return known


def _plain_rows(frame: pd.DataFrame) -> dict[str, dict[str, object]]:
    if "index" not in frame:
        return {}
    names = [str(name) for name in frame if name != "index"]
    columns = [frame[name].tolist() for name in names]
    rows = zip(frame["index"].tolist(), zip(*columns, strict=True), strict=True)
    return {
        str(int(label_id)): {
            name: None if value != value else value  # unknown numbers are NaN there
            for name, value in zip(names, values, strict=True)
            if (name, value) != ("parent", 0)
        }
        for label_id, values in rows
        if int(label_id) > 0
    }
