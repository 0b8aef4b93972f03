"""What the tests of the real Codex share: one session with a scripted model, a home and marked processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import psutil

from sygen_bot.events import ContextSaved, Finished, ProviderEvent, SystemStatus, TextDelta, ToolActivity
from sygen_bot.providers.base import Approver, Attachment, Turn
from sygen_bot.providers.codex import CodexProvider
from sygen_bot.providers.codex_settings import Sandbox
from sygen_bot.session.key import SessionKey
from sygen_bot.testing.contract import Approvals
from tests.fakes.openai_responses import FakeResponses
from tests.fakes.survivors import MARK, marked, new_mark

NOTHING: Mapping[str, str] = MappingProxyType({})
FOREVER = "while true; do sleep 1; done"


@dataclass
class Rig:
    """One session with a provider, a model and a home of its own. `settings`: the user's configuration of Codex, as TOML."""

    api: FakeResponses
    directory: Path
    mark: str
    token: str | None = None
    settings: str = ""
    events: list[ProviderEvent] = field(default_factory=list)
    provider: CodexProvider = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def codex_home(self) -> Path:
        return self.home / ".codex"

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

    @property
    def told(self) -> str:
        """All that the model was last told, as one text."""
        return json.dumps(self.api.conversations[-1].body)

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
        approve: Approver | None = None,
        model: str | None = None,
        system_prompt: str | None = None,
        attachments: tuple[Attachment, ...] = (),
        until: Callable[[ProviderEvent], bool] = lambda _event: False,
    ) -> None:
        """A turn, or its beginning up to the event that `until` waits for. Its events are `events` from its start on."""
        turn = replace(self.turn(text), model=model, system_prompt=system_prompt, attachments=attachments)
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

    def restart(
        self,
        *,
        env: Mapping[str, str] = NOTHING,
        idle_ttl_s: float = 600.0,
        sandbox: Sandbox = "workspace-write",
        command: Path | None = None,
        base_url: str | None = None,
    ) -> None:
        """Another provider in the same home. One that has run has to be closed before."""
        self.provider = CodexProvider(
            run_dir=self.directory / "run",
            command=None if command is None else str(command),
            env=self.api.environment(self.home, settings=self.settings) | {MARK: self.mark} | dict(env),
            idle_ttl_s=idle_ttl_s,
            sandbox=sandbox,
            base_url=base_url,
        )

    def processes(self) -> dict[int, str]:
        """The names of the processes that are there, by pid."""
        found = {}
        for pid in marked(self.mark):
            with contextlib.suppress(psutil.NoSuchProcess):
                found[pid] = psutil.Process(pid).name()
        return found

    def cli(self) -> psutil.Process:
        """The app-server."""
        (pid,) = (
            pid
            for pid, name in self.processes().items()
            if name == "codex" and psutil.Process(pid).cmdline()[-1] == "app-server"
        )
        return psutil.Process(pid)


@asynccontextmanager
async def codex_rig(directory: Path) -> AsyncIterator[Rig]:
    """A rig whose processes are all gone afterwards."""
    async with FakeResponses() as api:
        rig = Rig(api, directory, new_mark())
        yield rig
        await rig.provider.close()
        assert marked(rig.mark) == set()
        assert rig.provider.processes == 0


@asynccontextmanager
async def running(rig: Rig, text: str, *, approve: Approver | None = None) -> AsyncIterator[asyncio.Task[None]]:
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


def bash(command: str, **more: object) -> str:
    return f"TOOL exec_command {json.dumps({'cmd': command, **more})}"


def patch(path: Path | str) -> str:
    """Add a file with one line."""
    return f"TOOL apply_patch {json.dumps(f'*** Begin Patch{chr(10)}*** Add File: {path}{chr(10)}+x{chr(10)}*** End Patch{chr(10)}')}"
