"""The local provider, with the real model, keeps the contract of all providers."""

from __future__ import annotations

from pathlib import Path

import pytest

from sygen_bot.providers.base import Provider
from sygen_bot.providers.local import LocalProvider
from sygen_bot.testing.contract import ProviderContract


@pytest.mark.integration
class TestLocal(ProviderContract):
    turn_timeout_s = 60.0
    keeps_warm = True

    @pytest.fixture(autouse=True)
    def _with_weights(self, weights: Path) -> None:
        self.weights = weights

    async def make_provider(self, tmp_path: Path, marker: str) -> Provider:
        return LocalProvider(run_dir=tmp_path / "run", weights=self.weights, env={self.marker_variable: marker})
