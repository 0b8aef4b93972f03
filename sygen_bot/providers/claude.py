"""Claude Code as a provider: the real CLI, driven by the Claude Agent SDK.

The SDK is an extra and takes most of a second to load, so nothing of it is imported before the first turn.

    claude_login      which program, environment and login; files only
    claude_pool       the running processes, one a session
    claude_process    one process: start, turn, interrupt, end
    claude_events     what it says, as provider events
    claude_tools      what it may do
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sygen_bot.errors import ProviderUnavailable
from sygen_bot.events import ProviderEvent
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.providers.claude_login import SDK_MISSING, claude_environment, find_trouble
from sygen_bot.session.key import SessionKey

if TYPE_CHECKING:
    from sygen_bot.providers.claude_pool import ClaudePool

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
    ) -> None:
        self._run_dir = run_dir
        self._command = command
        self._environment = claude_environment(env)
        self._models = models or DEFAULT_MODELS
        self._idle_ttl_s = idle_ttl_s
        self._pool: ClaudePool | None = None

    @property
    def info(self) -> ProviderInfo:
        return ProviderInfo(id="claude", name="Claude Code", color="#F97316")

    async def check(self) -> Availability:
        trouble = await asyncio.to_thread(find_trouble, self._command, self._environment)
        if trouble is not None:
            return Availability(available=False, reason=trouble.reason, remedy=trouble.remedy)
        return Availability(available=True, models=self._models)

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        pool = await self._loaded_pool()
        async with aclosing(pool.run(turn)) as events:
            async for event in events:
                yield event

    async def forget(self, session: SessionKey) -> None:
        if self._pool is not None:
            await self._pool.forget(session)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    async def _loaded_pool(self) -> ClaudePool:
        if self._pool is None:
            try:
                pool_class = await asyncio.to_thread(_load_pool_class)
            except ModuleNotFoundError as error:
                raise ProviderUnavailable(f"{SDK_MISSING.reason} {SDK_MISSING.remedy}") from error
            if self._pool is None:  # another session may have been first
                self._pool = pool_class(
                    run_dir=self._run_dir,
                    command=self._command,
                    environment=self._environment,
                    default_model=self._models[0],
                    idle_ttl_s=self._idle_ttl_s,
                )
        return self._pool


def _load_pool_class() -> type[ClaudePool]:
    from sygen_bot.providers.claude_pool import ClaudePool

    return ClaudePool
