"""Fixtures that several parts of the suite need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sygen_bot.providers.weights import install_weights


@pytest.fixture(scope="session")
def weights() -> Path:
    """The real model file of the local provider, downloaded once per machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return install_weights(cache / "sygen-tests" / "smollm2-135m.gguf")
