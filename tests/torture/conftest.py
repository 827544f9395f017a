"""How much torture: `make torture COUNT=n` sets it, and each test takes its share of it."""

import os

import pytest


@pytest.fixture
def count():
    """How many sequences, damaged files or kills a test is asked for."""
    return int(os.environ.get("TORTURE", "10"))
