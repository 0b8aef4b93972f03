"""Codex, the real app-server against a scripted model, keeps the contract of all providers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.providers.base import Attachment, Provider
from sygen_bot.providers.codex import CodexProvider
from sygen_bot.testing.contract import ProviderContract
from tests.fakes.openai_responses import FakeResponses


@pytest.mark.integration
class TestCodex(ProviderContract):
    turn_timeout_s = 30.0
    keeps_warm = True
    attaches = True

    @pytest.fixture(autouse=True)
    async def model(self) -> AsyncIterator[None]:
        async with FakeResponses() as api:
            self.api = api
            yield

    async def make_provider(self, tmp_path: Path, marker: str) -> Provider:
        environment = self.api.environment(tmp_path / "home") | {self.marker_variable: marker}
        return CodexProvider(run_dir=tmp_path / "run", env=environment)

    def something(self) -> str:
        return "SAY the sea is wide"

    def slow(self) -> str:
        return "SLOW 1000 0.02"

    def teach(self) -> str:
        return "SAY I shall remember"

    def recall(self) -> str:
        return "ECHO_HISTORY"

    def remembers(self, answer: str, resume_token: str | None) -> bool:
        del resume_token  # tells nothing: the memory is Codex's
        return answer == "2 turns"

    def write_file(self, path: Path) -> str | None:
        patch = f"*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch\n"
        return f"TOOL apply_patch {json.dumps(patch)}"

    def spawn(self, seconds: int) -> str | None:
        return f"TOOL exec_command {json.dumps({'cmd': f'setsid sleep {seconds} & wait'})}"

    def sees(self, attachment: Attachment) -> bool:
        picture = base64.b64encode(attachment.path.read_bytes()).decode()
        return f"data:{attachment.mime};base64,{picture}" in json.dumps(self.api.conversations[-1].body)
