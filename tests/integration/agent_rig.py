"""What the tests of real agents share: one session that turns are run in, what was heard of them, and turns that go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from sygen_bot.events import ContextSaved, Finished, ProviderEvent, SystemStatus, TextDelta, ToolActivity
from sygen_bot.providers.base import Provider, Turn
from sygen_bot.session.key import SessionKey
from sygen_bot.testing.contract import Approvals


class AgentRig:
    """One session with a provider and a home of its own. `events`: those of the last turn. Nothing is allowed, unless a turn says so."""

    directory: Path
    token: str | None = None

    def __init__(self) -> None:
        self.events: list[ProviderEvent] = []

    @property
    def agent(self) -> Provider:
        raise NotImplementedError

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def workspace(self) -> Path:
        workspace = self.directory / "workspace"
        workspace.mkdir(exist_ok=True)
        return workspace

    @property
    def answer(self) -> str:
        return "".join(event.data for event in self.events if isinstance(event, TextDelta))

    @property
    def finished(self) -> Finished:
        end = self.events[-1]
        assert isinstance(end, Finished)
        return end

    @property
    def tools(self) -> list[ToolActivity]:
        return [event for event in self.events if isinstance(event, ToolActivity)]

    @property
    def labels(self) -> list[str | None]:
        return [event.label for event in self.events if isinstance(event, SystemStatus)]

    def turn(self, text: str, **changes: Any) -> Turn:
        turn = Turn(
            session=SessionKey("test", 1, None),
            turn_id=uuid4().hex,
            text=text,
            model=None,
            resume_token=self.token,
            workspace=self.workspace,
            system_prompt=None,
            approve=Approvals("deny"),
        )
        return replace(turn, **changes)

    async def say(
        self, text: str, *, until: Callable[[ProviderEvent], bool] = lambda _event: False, **changes: Any
    ) -> None:
        """A turn, or its beginning up to the event that `until` waits for."""
        self.events = []
        async with asyncio.timeout(30), aclosing(self.agent.run(self.turn(text, **changes))) as events:
            async for event in events:
                self.events.append(event)
                if isinstance(event, ContextSaved):
                    self.token = event.resume_token
                if until(event):
                    break


@asynccontextmanager
async def running(rig: AgentRig, text: str, **changes: Any) -> AsyncIterator[asyncio.Task[None]]:
    """A turn that goes on, as a task; it has begun to use a tool or to speak."""
    begun = asyncio.Event()

    def notice(event: ProviderEvent) -> bool:
        if isinstance(event, TextDelta | ToolActivity):
            begun.set()
        return False

    task = asyncio.create_task(rig.say(text, until=notice, **changes))
    try:
        async with asyncio.timeout(20):
            await begun.wait()
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something in the file system or the process table that nothing tells about."""
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError
