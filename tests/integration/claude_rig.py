"""What the tests of the real Claude Code share: one session with a scripted model, a home and marked processes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psutil

from sygen_bot.providers.base import Provider
from sygen_bot.providers.claude import ClaudeProvider
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.survivors import MARK, marked, new_mark
from tests.integration.agent_rig import AgentRig

NOTHING: Mapping[str, str] = MappingProxyType({})
FOREVER = "while true; do sleep 1; done"
"""Claude Code refuses a mere `sleep`."""


@dataclass
class Rig(AgentRig):
    """One session with a provider, a model and a home of its own."""

    api: FakeAnthropic
    directory: Path
    mark: str
    provider: ClaudeProvider = field(init=False)

    def __post_init__(self) -> None:
        super().__init__()
        self.restart()

    @property
    def agent(self) -> Provider:
        return self.provider

    def settings(self, document: object) -> None:
        """The user's own settings of Claude Code."""
        (self.home / ".claude").mkdir(parents=True, exist_ok=True)
        (self.home / ".claude" / "settings.json").write_text(json.dumps(document))

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


def bash(command: str) -> str:
    return f"TOOL Bash {json.dumps({'command': command})}"
