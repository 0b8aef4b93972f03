"""What the tests of the real Codex share: one session with a scripted model, a home and marked processes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psutil

from sygen_bot.providers.base import Provider
from sygen_bot.providers.codex import CodexProvider
from sygen_bot.providers.codex_settings import Sandbox
from tests.fakes.openai_responses import FakeResponses
from tests.fakes.survivors import MARK, marked, new_mark
from tests.integration.agent_rig import AgentRig

NOTHING: Mapping[str, str] = MappingProxyType({})
FOREVER = "while true; do sleep 1; done"


@dataclass
class Rig(AgentRig):
    """One session with a provider, a model and a home of its own. `settings`: the user's configuration of Codex, as TOML."""

    api: FakeResponses
    directory: Path
    mark: str
    settings: str = ""
    provider: CodexProvider = field(init=False)

    def __post_init__(self) -> None:
        super().__init__()
        self.restart()

    @property
    def agent(self) -> Provider:
        return self.provider

    @property
    def codex_home(self) -> Path:
        return self.home / ".codex"

    @property
    def told(self) -> str:
        """All that the model was last told, as one text."""
        return json.dumps(self.api.conversations[-1].body)

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


def bash(command: str, **more: object) -> str:
    return f"TOOL exec_command {json.dumps({'cmd': command, **more})}"


def patch(path: Path | str) -> str:
    """Add a file with one line."""
    return f"TOOL apply_patch {json.dumps(f'*** Begin Patch{chr(10)}*** Add File: {path}{chr(10)}+x{chr(10)}*** End Patch{chr(10)}')}"
