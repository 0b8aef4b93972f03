"""What the tests of OpenAI-compatible endpoints share: one session with a scripted endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from sygen_bot.events import ContextSaved, Finished, ProviderEvent, SystemStatus, TextDelta, ThinkingDelta
from sygen_bot.providers.base import Attachment, Turn
from sygen_bot.providers.openai import OpenAIProvider
from sygen_bot.session.key import SessionKey
from sygen_bot.testing.contract import Approvals
from tests.fakes.openai_chat import FakeOpenAI, Request

KEY = "sk-a-secret-key"
SESSION = SessionKey("test", 1, None)


@dataclass
class Rig:
    """One session with a provider and its endpoint. `events` are those of the last turn."""

    api: FakeOpenAI
    provider: OpenAIProvider
    token: str | None = None
    events: list[ProviderEvent] = field(default_factory=list)

    @property
    def answer(self) -> str:
        return "".join(event.data for event in self.events if isinstance(event, TextDelta))

    @property
    def thoughts(self) -> str:
        return "".join(event.data for event in self.events if isinstance(event, ThinkingDelta))

    @property
    def labels(self) -> list[str | None]:
        return [event.label for event in self.events if isinstance(event, SystemStatus)]

    @property
    def finished(self) -> Finished:
        end = self.events[-1]
        assert isinstance(end, Finished)
        return end

    @property
    def asked(self) -> Request:
        """The last conversation that the endpoint got."""
        return self.api.chats[-1]

    async def restart(self, **options: Any) -> None:
        """Another provider for the same endpoint."""
        await self.provider.close()
        self.provider = provider_for(self.api, **options)

    async def say(
        self,
        text: str,
        *,
        model: str | None = None,
        system_prompt: str | None = None,
        attachments: tuple[Attachment, ...] = (),
        until: Callable[[ProviderEvent], bool] = lambda _event: False,
    ) -> None:
        """A turn, or its beginning up to the event that `until` waits for."""
        turn = Turn(
            session=SESSION,
            turn_id=uuid4().hex,
            text=text,
            model=model,
            resume_token=self.token,
            workspace=Path("/nowhere"),
            system_prompt=system_prompt,
            approve=Approvals("deny"),
            attachments=attachments,
        )
        self.events = []
        async with asyncio.timeout(20), aclosing(self.provider.run(turn)) as events:
            async for event in events:
                self.events.append(event)
                if isinstance(event, ContextSaved):
                    self.token = event.resume_token
                if until(event):
                    break


def provider_for(api: FakeOpenAI, **options: Any) -> OpenAIProvider:
    return OpenAIProvider(**{"name": "Endpoint", "base_url": api.url, "api_key": None, **options})


@asynccontextmanager
async def openai_rig() -> AsyncIterator[Rig]:
    async with FakeOpenAI() as api:
        rig = Rig(api, provider_for(api))
        yield rig
        await rig.provider.close()
