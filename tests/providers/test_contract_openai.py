"""The provider for OpenAI-compatible endpoints, through the official client, keeps the contract of all providers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.providers.base import Attachment, Provider
from sygen_bot.providers.openai import OpenAIProvider
from sygen_bot.testing.contract import ProviderContract
from tests.fakes.openai_chat import FakeOpenAI


class TestOpenAI(ProviderContract):
    turn_timeout_s = 20.0
    attaches = True

    @pytest.fixture(autouse=True)
    async def model(self) -> AsyncIterator[None]:
        async with FakeOpenAI() as api:
            self.api = api
            yield

    async def make_provider(self, tmp_path: Path, marker: str) -> Provider:
        del tmp_path, marker  # it has neither files nor processes
        return OpenAIProvider(base_url=self.api.url, api_key=None)

    def something(self) -> str:
        return "SAY the sea is wide"

    def slow(self) -> str:
        return "SLOW 1000 0.02"

    def teach(self) -> str:
        return "SAY I shall remember"

    def recall(self) -> str:
        return "ECHO_HISTORY"

    def remembers(self, answer: str, resume_token: str | None) -> bool:
        return answer == "2 turns" and "I shall remember" in (resume_token or "")

    def sees(self, attachment: Attachment) -> bool:
        picture = base64.b64encode(attachment.path.read_bytes()).decode()
        return f"data:image/png;base64,{picture}" in json.dumps(self.api.requests[-1].body)
