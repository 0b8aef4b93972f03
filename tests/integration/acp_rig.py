"""What the tests of ACP agents share: one session with an agent, a home, a workspace and marked processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import psutil
import pytest

from sygen_bot.events import ContextSaved, Finished, ProviderEvent, SystemStatus, TextDelta, ToolActivity
from sygen_bot.providers.acp import AcpProvider
from sygen_bot.providers.acp_profiles import AcpProfile, custom_profile
from sygen_bot.providers.base import Turn
from sygen_bot.session.key import SessionKey
from sygen_bot.testing.contract import Approvals
from tests.fakes.survivors import MARK, marked, new_mark

GEMINI_PROGRAM = Path(__file__).parents[1] / "node" / "node_modules" / ".bin" / "gemini"
GEMINI_ARGV = (str(GEMINI_PROGRAM), "--acp")
needs_gemini = pytest.mark.skipif(
    not GEMINI_PROGRAM.exists(), reason="Gemini CLI is not installed; `npm ci --prefix tests/node` installs it."
)
SCRIPTED = custom_profile("scripted-acp", "Scripted", (sys.executable, "-m", "sygen_bot.testing.acp_agent"))
HOSTILE = Path(__file__).parents[1] / "fakes" / "hostile_acp.py"
_NOTHING: Mapping[str, str] = MappingProxyType({})


def hostile(manner: str, **changes: Any) -> AcpProfile:
    """An agent that misbehaves in that manner."""
    profile = custom_profile("hostile", "Hostile", (sys.executable, "-I", "-S", str(HOSTILE), manner))
    return replace(profile, **changes)


@dataclass
class Rig:
    """One session with a provider and a home of its own."""

    directory: Path
    profile: AcpProfile
    env: Mapping[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=new_mark)
    token: str | None = None
    events: list[ProviderEvent] = field(default_factory=list)
    provider: AcpProvider = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def sessions(self) -> Path:
        """Where the scripted agent keeps its conversations."""
        return self.directory / "sessions"

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

    def agents(self) -> list[psutil.Process]:
        """The processes of the agent, without the guards that stand before them."""
        processes = [psutil.Process(pid) for pid in marked(self.mark)]
        return [process for process in processes if not any("guard.py" in word for word in process.cmdline())]

    def restart(self, *, profile: AcpProfile | None = None, **settings: Any) -> None:
        """Another provider in the same home. One that has run has to be closed before."""
        environment = {"HOME": str(self.home), "ACP_AGENT_SESSIONS": str(self.sessions), MARK: self.mark, **self.env}
        self.profile = profile or self.profile
        self.provider = AcpProvider(profile=self.profile, run_dir=self.directory / "run", env=environment, **settings)

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
        """A turn, or its beginning up to the event that `until` waits for. Its events are `events` from its start on."""
        self.events = []
        async with asyncio.timeout(30), aclosing(self.provider.run(self.turn(text, **changes))) as events:
            async for event in events:
                self.events.append(event)
                if isinstance(event, ContextSaved):
                    self.token = event.resume_token
                if until(event):
                    break


@asynccontextmanager
async def acp_rig(directory: Path, profile: AcpProfile, env: Mapping[str, str] = _NOTHING) -> AsyncIterator[Rig]:
    """A rig whose processes are all gone afterwards."""
    rig = Rig(directory, profile, env)
    rig.home.mkdir(exist_ok=True)
    yield rig
    await rig.provider.close()
    assert marked(rig.mark) == set()


@asynccontextmanager
async def running(rig: Rig, text: str, **changes: Any) -> AsyncIterator[asyncio.Task[None]]:
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
