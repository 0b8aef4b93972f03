"""Codex as a provider: the real app-server of the CLI, spoken to over JSON-RPC.

codex_login       which program, environment, login and model provider; files only
codex_settings    what it is told at its start
codex_process     one process: start, turn, interrupt, end
codex_events      what it says, as provider events
codex_gate        what it may do; codex_questions and codex_hook bring its questions there
codex_tools       what its tools are called, and which uses are harmless
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path

from sygen_bot.errors import ProviderUnavailable
from sygen_bot.events import ProviderEvent
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.providers.codex_login import (
    PROGRAM_MISSING,
    codex_environment,
    find_cli,
    find_model_provider,
    find_models,
    find_trouble,
)
from sygen_bot.providers.codex_process import CodexProcess, FirstStart
from sygen_bot.providers.codex_questions import sweep_questions
from sygen_bot.providers.codex_settings import Sandbox
from sygen_bot.providers.pool import ProcessPool
from sygen_bot.session.key import SessionKey


class CodexProvider:
    """Codex.

    `run_dir`: where its sockets and the pipes of its guard are. `command`: the CLI, None for the one of the extra. `env`: variables for
    it on top of the usual ones. `models`: what may be asked for, the default first; empty for what Codex itself knows.
    `idle_ttl_s`: how long a process waits for the next turn of its session, `max_warm`: how many may wait. `sandbox`: what its commands
    can reach without a further question. `base_url`: an endpoint of the Responses API, None for the one that Codex is set up for.
    """

    def __init__(
        self,
        *,
        run_dir: Path,
        command: str | None = None,
        env: Mapping[str, str],
        models: tuple[str, ...] = (),
        idle_ttl_s: float = 600.0,
        max_warm: int = 8,
        sandbox: Sandbox = "workspace-write",
        base_url: str | None = None,
    ) -> None:
        self._run_dir = run_dir
        self._command = command
        self._given = env
        self._found: Mapping[str, str] | None = None
        self._models = models
        self._sandbox = sandbox
        self._base_url = base_url
        self._first_start: FirstStart | None = None
        self._pool = ProcessPool(name="Codex", make=self._make, idle_ttl_s=idle_ttl_s, max_warm=max_warm)

    @property
    def info(self) -> ProviderInfo:
        return ProviderInfo(id="codex", name="Codex", color="#10A37F")

    @property
    def processes(self) -> int:
        return self._pool.processes

    async def check(self) -> Availability:
        environment = await self._environment()
        trouble = await asyncio.to_thread(find_trouble, self._command, environment, self._base_url)
        if trouble is not None:
            return Availability(available=False, reason=trouble.reason, remedy=trouble.remedy)
        models = self._models or await asyncio.to_thread(find_models, environment)
        return Availability(available=True, models=models)

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        async with aclosing(self._pool.run(turn)) as events:
            async for event in events:
                yield event

    async def forget(self, session: SessionKey) -> None:
        await self._pool.forget(session)

    async def close(self) -> None:
        await self._pool.close()

    async def _environment(self) -> Mapping[str, str]:
        """What Codex gets; the same from the first look on."""
        if self._found is None:
            self._found = await asyncio.to_thread(codex_environment, self._given)
        return self._found

    async def _make(self, turn: Turn) -> CodexProcess:
        environment = await self._environment()
        cli = await asyncio.to_thread(find_cli, self._command, environment.get("PATH"))
        if cli is None:
            raise ProviderUnavailable(PROGRAM_MISSING)
        if self._first_start is None:
            await asyncio.to_thread(sweep_questions, self._run_dir)
            self._first_start = self._first_start or FirstStart()
        return CodexProcess(
            run_dir=self._run_dir,
            cli=cli,
            environment=environment,
            turn=turn,
            sandbox=self._sandbox,
            model_provider=await asyncio.to_thread(find_model_provider, environment, self._base_url),
            default_model=self._models[0] if self._models else None,
            first_start=self._first_start,
        )
