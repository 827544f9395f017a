"""The features of a Labels layer, read again only where they changed."""

import numpy as np
import pandas as pd
import pytest
from napari.layers import Labels

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.viewer.label_layers.features import rows_of, set_table, table_of

KNOWN = ObjectTable({i: ObjectRecord(f"cell {i}", 0.5, "disc", 1) for i in range(1, 6)})


@pytest.fixture
def layer():
    layer = Labels(np.zeros((8, 8), np.uint16))
    set_table(layer, KNOWN)
    table_of(layer)
    return layer


def changed_in_place(features):
    features.loc[features["index"] == 2, "name"] = "painted"
    return features


CHANGES = {
    "in place": changed_in_place,
    "one row more": lambda f: pd.concat([f, f.iloc[-1:].assign(index=9)], ignore_index=True),
    "one row less": lambda f: f[f["index"] != 3],
    "other order": lambda f: f.sample(frac=1, random_state=1),
    "score unknown": lambda f: f.assign(score=np.where(f["index"] == 4, np.nan, f["score"])),
    "ids as text": lambda f: f.assign(index=f["index"].astype(str)),
    "another column": lambda f: f.assign(note=[f"seen {i}" for i in f["index"]]),
    "lists as cells": lambda f: f.assign(note=[[i] for i in f["index"]]),
    "no score": lambda f: f.drop(columns="score"),
    "two rows of one id": lambda f: pd.concat([f, f.iloc[-1:].assign(name="last")]),
    "nothing": lambda f: f.iloc[:0],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_table_and_rows_are_those_of_the_features_whatever_changed(layer, change):
    layer.features = change(layer.features)
    fresh = Labels(layer.data, features=layer.features)

    assert dict(table_of(layer).items()) == dict(ObjectTable.from_features(layer.features).items())
    assert rows_of(layer) == rows_of(fresh)


def test_a_table_that_is_set_keeps_columns_of_others(layer):
    layer.features = CHANGES["another column"](layer.features)
    table = table_of(layer)
    table[7] = ObjectRecord("new")
    del table[1]
    table[3] = ObjectRecord("renamed")
    set_table(layer, table)

    assert dict(table_of(layer).items()) == dict(table.items())
    notes = dict(zip(layer.features["index"], layer.features["note"], strict=True))
    assert [notes[i] for i in (2, 3, 4, 5)] == [f"seen {i}" for i in (2, 3, 4, 5)]
    assert notes[7] != notes[7] or notes[7] is None
    assert layer.features["index"].tolist() == [0, 2, 3, 4, 5, 7]
