"""What the tests of the real Claude Code share: one session with a scripted model, a home and marked processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import psutil

from sygen_bot.events import (
    ContextSaved,
    Finished,
    ProviderEvent,
    SystemStatus,
    TextDelta,
    ToolActivity,
)
from sygen_bot.providers.base import Turn
from sygen_bot.providers.claude import ClaudeProvider
from sygen_bot.session.key import SessionKey
from sygen_bot.testing.contract import Approvals
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.survivors import MARK, marked, new_mark

NOTHING: Mapping[str, str] = MappingProxyType({})
FOREVER = "while true; do sleep 1; done"
"""Claude Code refuses a mere `sleep`."""


@dataclass
class Rig:
    """One session with a provider, a model and a home of its own."""

    api: FakeAnthropic
    directory: Path
    mark: str
    token: str | None = None
    events: list[ProviderEvent] = field(default_factory=list)
    provider: ClaudeProvider = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

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

    def settings(self, document: object) -> None:
        """The user's own settings of Claude Code."""
        (self.home / ".claude").mkdir(parents=True, exist_ok=True)
        (self.home / ".claude" / "settings.json").write_text(json.dumps(document))

    def turn(self, text: str) -> Turn:
        return Turn(
            session=SessionKey("test", 1, None),
            turn_id=uuid4().hex,
            text=text,
            model=None,
            resume_token=self.token,
            workspace=self.workspace,
            system_prompt=None,
            approve=Approvals("deny"),
        )

    async def say(
        self,
        text: str,
        *,
        approve: Approvals | None = None,
        model: str | None = None,
        system_prompt: str | None = None,
        until: Callable[[ProviderEvent], bool] = lambda _event: False,
    ) -> None:
        """A turn, or its beginning up to the event that `until` waits for. Its events are `events` from its start on."""
        turn = replace(self.turn(text), model=model, system_prompt=system_prompt)
        if approve is not None:
            turn = replace(turn, approve=approve)
        self.events = []
        async with asyncio.timeout(30), aclosing(self.provider.run(turn)) as events:
            async for event in events:
                self.events.append(event)
                if isinstance(event, ContextSaved):
                    self.token = event.resume_token
                if until(event):
                    break

    def restart(self, *, idle_ttl_s: float = 600.0, env: Mapping[str, str] = NOTHING) -> None:
        """Another provider in the same home. One that has run has to be closed before."""
        environment = self.api.environment(self.home) | {MARK: self.mark} | dict(env)
        self.provider = ClaudeProvider(run_dir=self.directory / "run", env=environment, idle_ttl_s=idle_ttl_s)

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(pid) for pid in marked(self.mark)]

    def cli(self) -> psutil.Process:
        (process,) = (process for process in self.processes() if process.name() == "claude")
        return process


@asynccontextmanager
async def claude_rig(directory: Path) -> AsyncIterator[Rig]:
    """A rig whose processes are all gone afterwards."""
    async with FakeAnthropic() as api:
        rig = Rig(api, directory, new_mark())
        yield rig
        await rig.provider.close()
        assert marked(rig.mark) == set()


@asynccontextmanager
async def running(rig: Rig, text: str, *, approve: Approvals | None = None) -> AsyncIterator[asyncio.Task[None]]:
    """A turn that goes on, as a task; it has begun to use a tool or to speak."""
    begun = asyncio.Event()

    def notice(event: ProviderEvent) -> bool:
        if isinstance(event, TextDelta | ToolActivity):
            begun.set()
        return False

    task = asyncio.create_task(rig.say(text, approve=approve, until=notice))
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


def bash(command: str) -> str:
    return f"TOOL Bash {json.dumps({'command': command})}"
