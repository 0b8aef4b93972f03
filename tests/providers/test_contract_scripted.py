"""The scripted provider keeps the contract of all providers."""

from __future__ import annotations

import json
from pathlib import Path

from sygen_bot.providers.base import Provider
from sygen_bot.testing.contract import ProviderContract
from sygen_bot.testing.scripted import ScriptedProvider


class TestScripted(ProviderContract):
    turn_timeout_s = 20.0
    writes = False

    async def make_provider(self, tmp_path: Path, marker: str) -> Provider:
        return ScriptedProvider(run_dir=tmp_path / "run", marker=marker)

    def something(self) -> str:
        return "SAY the sea is wide"

    def slow(self) -> str:
        return "SPAWN_DETACHED 60\nSLOW 1000 0.02"

    def teach(self) -> str:
        return "SAY I shall remember"

    def recall(self) -> str:
        return "ECHO_HISTORY"

    def remembers(self, answer: str, resume_token: str | None) -> bool:
        return answer == "I remember 1 turns." and resume_token == '{"turns":2}'

    def write_file(self, path: Path) -> str | None:
        return f"ASK Write {json.dumps({'path': str(path)})}"

    def spawn(self, seconds: int) -> str | None:
        return f"SPAWN_DETACHED {seconds}\nSLOW 1000 0.1"
