"""The table of objects as a Labels layer's features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..edits import ObjectTable
from .private import unwrap

if TYPE_CHECKING:
    from napari.layers import Labels


def table_of(labels: Labels) -> ObjectTable:
    """What a layer's features tell of its objects."""
    return ObjectTable.from_features(unwrap(labels).features)


def set_table(labels: Labels, table: ObjectTable, known: Any = None) -> None:
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
    frame = pd.DataFrame(table.to_features())
    others = others_columns(layer)
    if known is not None:
        fresh = known[~known.index.isin(others.index)]
        others = pd.concat([others, fresh]) if others.shape[1] else fresh
    if others.shape[1]:
        frame = frame.join(others, on="index")
    layer.features = frame


def others_columns(layer: Labels, ids: Iterable[int] | None = None) -> Any:
    """Columns that are not ours, as a DataFrame over ids: all, or some."""
    features = layer.features
    ours = ObjectTable().to_features()
    columns = [name for name in features.columns if name not in ours]
    frame = features[columns]
    frame = frame.set_axis(features["index"] if "index" in features else range(len(frame)))
    frame = frame[~frame.index.duplicated()]
    return frame if ids is None else frame[frame.index.isin(list(ids))]


def rows_of(layer: Labels) -> dict[str, dict[str, object]]:
    """The table of objects as plain values for the log: id as text -> row."""
    features = layer.features
    if "index" not in features:
        return {}
    names = [str(name) for name in features.columns if name != "index"]
    columns = [features[name].tolist() for name in names]
    rows = zip(features["index"].tolist(), zip(*columns, strict=True), strict=True)
    return {
        str(int(label_id)): {
            name: None if value != value else value  # unknown numbers are NaN there
            for name, value in zip(names, values, strict=True)
            if (name, value) != ("parent", 0)
        }
        for label_id, values in rows
        if int(label_id) > 0
    }
