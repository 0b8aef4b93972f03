"""Gemini CLI, the real program against a scripted model, keeps the contract of all providers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sygen_bot.providers.acp import AcpProvider
from sygen_bot.providers.acp_profiles import GEMINI
from sygen_bot.providers.base import Attachment, Provider
from sygen_bot.testing.contract import ProviderContract
from tests.fakes.gemini_api import FakeGemini
from tests.integration.acp_rig import GEMINI_ARGV, needs_gemini


@needs_gemini
@pytest.mark.integration
class TestGemini(ProviderContract):
    turn_timeout_s = 60.0
    keeps_warm = True
    attaches = True

    @pytest.fixture(autouse=True)
    async def model(self) -> AsyncIterator[None]:
        async with FakeGemini() as api:
            self.api = api
            yield

    async def make_provider(self, tmp_path: Path, marker: str) -> Provider:
        environment = self.api.environment(tmp_path / "home") | {self.marker_variable: marker}
        profile = replace(GEMINI, argv=GEMINI_ARGV)
        return AcpProvider(profile=profile, run_dir=tmp_path / "run", env=environment)

    def something(self) -> str:
        return "SAY the sea is wide"

    def slow(self) -> str:
        return "SLOW 1000 0.02"

    def teach(self) -> str:
        return "SAY I shall remember"

    def recall(self) -> str:
        return "SAY what was it?"

    def remembers(self, answer: str, resume_token: str | None) -> bool:
        del answer, resume_token  # what counts is what the model is given
        return any("SAY I shall remember" in text for text in self.api.conversations[-1].turns)

    def write_file(self, path: Path) -> str | None:
        return f"TOOL write_file {json.dumps({'file_path': str(path), 'content': 'x'})}"

    def spawn(self, seconds: int) -> str | None:
        return f"TOOL run_shell_command {json.dumps({'command': f'setsid sleep {seconds} & wait'})}"

    def sees(self, attachment: Attachment) -> bool:
        return self.api.conversations[-1].inline_types == [attachment.mime]
