"""Claude Code as a provider: the real CLI, driven by the Claude Agent SDK.

The SDK is an extra and takes most of a second to load, so nothing of it is imported before the first turn.

    claude_login      which program, environment and login; files only
    claude_process    one process: start, turn, interrupt, end
    claude_message    what it is told, files included
    claude_events     what it says, as provider events
    claude_tools      what it may do
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sygen_bot.errors import ProviderUnavailable
from sygen_bot.events import ProviderEvent
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.providers.claude_login import PROGRAM_MISSING, SDK_MISSING, claude_environment, find_cli, find_trouble
from sygen_bot.providers.pool import AgentProcess, ProcessPool
from sygen_bot.session.key import SessionKey

if TYPE_CHECKING:
    from sygen_bot.providers.claude_process import ClaudeProcess

DEFAULT_MODELS: Final = ("sonnet", "opus", "haiku")
"""Names that Claude Code resolves to the newest model of a family."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class ClaudeProvider:
    """Claude Code.

    `run_dir`: where the guard keeps its pipes. `command`: the CLI, None for the one in the SDK. `env`: variables for it on
    top of the usual ones. `models`: what may be asked for, the default first. `idle_ttl_s`: how long a process waits for the
    next turn of its session.
    """

    def __init__(
        self,
        *,
        run_dir: Path,
        command: str | None = None,
        env: Mapping[str, str] = _NOTHING,
        models: tuple[str, ...] = (),
        idle_ttl_s: float = 600.0,
        max_warm: int = 8,
    ) -> None:
        self._run_dir = run_dir
        self._command = command
        self._environment = claude_environment(env)
        self._models = models or DEFAULT_MODELS
        self._pool = ProcessPool(name=self.info.name, make=self._make, idle_ttl_s=idle_ttl_s, max_warm=max_warm)

    @property
    def info(self) -> ProviderInfo:
        return ProviderInfo(id="claude", name="Claude Code", color="#F97316")

    @property
    def processes(self) -> int:
        return self._pool.processes

    async def check(self) -> Availability:
        trouble = await asyncio.to_thread(find_trouble, self._command, self._environment)
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
        try:
            process_class = await asyncio.to_thread(_load_process_class)
        except ModuleNotFoundError as error:
            raise ProviderUnavailable(f"{SDK_MISSING.reason} {SDK_MISSING.remedy}") from error
        cli = await asyncio.to_thread(find_cli, self._command, self._environment.get("PATH"))
        if cli is None:
            raise ProviderUnavailable(PROGRAM_MISSING)
        return await process_class.make(
            run_dir=self._run_dir,
            cli=cli,
            environment=self._environment,
            turn=turn,
            default_model=self._models[0],
        )


def _load_process_class() -> type[ClaudeProcess]:
    from sygen_bot.providers.claude_process import ClaudeProcess

    return ClaudeProcess
