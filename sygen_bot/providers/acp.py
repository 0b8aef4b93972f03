"""Any agent that speaks the Agent Client Protocol as a provider: Gemini CLI, OpenCode, Goose, Qwen Code, or one that the user names.

acp_profiles      what is known of each agent; acp_gemini: what one of them needs
acp_process       one process: start, turn, cancel, end
acp_events        what it says, as provider events
acp_tools         the uses of tools it speaks of; acp_permissions: who decides about them
acp_session       models and modes it offers
acp_prompt        a message in its form
acp_context       what a resume token holds
acp_errors        what its errors mean
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sygen_bot.errors import ProviderUnavailable
from sygen_bot.events import ProviderEvent
from sygen_bot.providers.acp_profiles import AcpProfile, acp_environment, find_program, find_trouble
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.providers.pool import AgentProcess, ProcessPool
from sygen_bot.session.key import SessionKey

if TYPE_CHECKING:
    from sygen_bot.providers.acp_process import AcpProcess

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class AcpProvider:
    """One agent, as its `profile` describes it.

    `run_dir`: where the guard keeps its pipes, and what is written for the agent. `env`: variables for it on top of the usual ones.
    `models`: what may be asked for, the default first; empty for what the agent itself offers. `idle_ttl_s`: how long a process
    waits for the next turn of its session; `max_warm`: how many may wait at a time.
    """

    def __init__(
        self,
        *,
        profile: AcpProfile,
        run_dir: Path,
        env: Mapping[str, str] = _NOTHING,
        models: tuple[str, ...] = (),
        idle_ttl_s: float = 600.0,
        max_warm: int = 8,
    ) -> None:
        self._profile = profile
        self._run_dir = run_dir
        self._environment = acp_environment(profile, env)
        self._configured_models = models
        self._models = models or profile.models
        self._pool = ProcessPool(name=profile.name, make=self._make, idle_ttl_s=idle_ttl_s, max_warm=max_warm)

    @property
    def info(self) -> ProviderInfo:
        return ProviderInfo(id=self._profile.id, name=self._profile.name, color=self._profile.color)

    @property
    def processes(self) -> int:
        return self._pool.processes

    async def check(self) -> Availability:
        trouble = await asyncio.to_thread(find_trouble, self._profile, self._environment)
        if trouble is not None:
            return Availability(available=False, reason=trouble.reason, remedy=trouble.remedy)
        return Availability(available=True, models=self._models)

    def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        return self._pool.run(turn)

    async def forget(self, session: SessionKey) -> None:
        await self._pool.forget(session)

    async def close(self) -> None:
        await self._pool.close()

    async def _make(self, turn: Turn) -> AgentProcess:
        program = await asyncio.to_thread(find_program, self._profile, self._environment)
        if program is None:
            raise ProviderUnavailable(f"The program of {self._profile.name} is missing. {self._profile.remedy}")
        arguments, variables = await asyncio.to_thread(
            self._profile.prepare, self._run_dir / self._profile.id, self._environment
        )
        model = (self._profile.model_option, turn.model) if self._profile.model_option and turn.model else ()
        process_class = await asyncio.to_thread(_load_process_class)
        return process_class(
            profile=self._profile,
            run_dir=self._run_dir,
            argv=(program, *self._profile.argv[1:], *arguments, *model),
            environment={**self._environment, **variables},
            turn=turn,
            learned=self._learn,
        )

    def _learn(self, models: tuple[str, ...]) -> None:
        if not self._configured_models:
            self._models = models


def _load_process_class() -> type[AcpProcess]:
    # What looks after processes is loaded when there is one.
    from sygen_bot.providers.acp_process import AcpProcess

    return AcpProcess
