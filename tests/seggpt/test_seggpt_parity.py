"""Agreement with the authors' code, by vectors measured on it."""

from __future__ import annotations

import pytest
import torch
from seggpt_recipe import made_up_network, vectors


@pytest.fixture(scope="module")
def network():
    return made_up_network()


@pytest.mark.parametrize("kind", ["instance", "semantic"])
@pytest.mark.parametrize("examples", [1, 3])
def test_the_painted_target_agrees_with_the_original(network, examples, kind):
    known = vectors()
    prefix = f"n{examples}"
    with torch.inference_mode():
        painted = network(
            known[f"{prefix}.prompt_images"],
            known[f"{prefix}.prompt_masks"],
            known[f"{prefix}.image"],
            kind,
        )
    expected = known[f"{prefix}.{kind}.pred"][:, 64:]
    assert painted.shape == expected.shape
    assert (painted - expected).abs().max() < 1e-5
    assert expected.std() > 0.1
