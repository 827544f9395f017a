"""Writing that is cancelled leaves the files that were there."""

from __future__ import annotations

import numpy as np
import pytest

import napari_seem as ns


@pytest.mark.parametrize("name", ["cells.tif", "cells.nii.gz", "cells.geojson", "cells.zarr"])
def test_what_was_there_stays(tmp_path, name):
    path, labels = tmp_path / name, np.zeros((40, 30), np.uint16)
    labels[2:9, 3:8] = 1
    ns.write_labels(path, labels)
    before = sorted(tmp_path.iterdir())
    seen = []

    def stop(done, total, what):
        seen.append(done)
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ns.write_labels(path, labels * 2, progress=stop)
    assert seen == [0, 1]
    assert sorted(tmp_path.iterdir()) == before
    assert np.asarray(ns.read_labels(path)[0]).max() == 1
