"""What the tests of ACP agents share: one session with an agent, a home, a workspace and marked processes."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import pytest

from sygen_bot.providers.acp import AcpProvider
from sygen_bot.providers.acp_profiles import AcpProfile, custom_profile
from sygen_bot.providers.base import Provider
from tests.fakes.survivors import MARK, marked, new_mark
from tests.integration.agent_rig import AgentRig

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
class Rig(AgentRig):
    """One session with a provider and a home of its own."""

    directory: Path
    profile: AcpProfile
    env: Mapping[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=new_mark)
    provider: AcpProvider = field(init=False)

    def __post_init__(self) -> None:
        super().__init__()
        self.restart()

    @property
    def agent(self) -> Provider:
        return self.provider

    @property
    def sessions(self) -> Path:
        """Where the scripted agent keeps its conversations."""
        return self.directory / "sessions"

    def agents(self) -> list[psutil.Process]:
        """The processes of the agent, without the guards that stand before them."""
        processes = [psutil.Process(pid) for pid in marked(self.mark)]
        return [process for process in processes if not any("guard.py" in word for word in process.cmdline())]

    def restart(self, *, profile: AcpProfile | None = None, **settings: Any) -> None:
        """Another provider in the same home. One that has run has to be closed before."""
        environment = {"HOME": str(self.home), "ACP_AGENT_SESSIONS": str(self.sessions), MARK: self.mark, **self.env}
        self.profile = profile or self.profile
        self.provider = AcpProvider(profile=self.profile, run_dir=self.directory / "run", env=environment, **settings)


@asynccontextmanager
async def acp_rig(directory: Path, profile: AcpProfile, env: Mapping[str, str] = _NOTHING) -> AsyncIterator[Rig]:
    """A rig whose processes are all gone afterwards."""
    rig = Rig(directory, profile, env)
    rig.home.mkdir(exist_ok=True)
    yield rig
    await rig.provider.close()
    assert marked(rig.mark) == set()
