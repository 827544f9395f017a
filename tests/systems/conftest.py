"""Stand-ins for what other systems do."""

from __future__ import annotations

import pytest
from windows_files import pretend


@pytest.fixture
def windows(monkeypatch):
    """Files that are open or mapped are neither replaced nor deleted."""
    pretend(monkeypatch)
