"""The running Claude Codes: at most one a session, kept warm between its turns, ended when idle for too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from sygen_bot.errors import ProviderFailed, ProviderUnavailable
from sygen_bot.events import ProviderEvent, SystemStatus, TextDelta, ThinkingDelta, ToolActivity
from sygen_bot.providers.base import Turn
from sygen_bot.providers.claude_context import Context, decode_context
from sygen_bot.providers.claude_login import find_cli
from sygen_bot.providers.claude_process import (
    PROGRAM_MISSING,
    ClaudeProcess,
    ConversationMissing,
    ProcessEnded,
    Setting,
)
from sygen_bot.session.key import SessionKey

STARTED_ANEW: Final = "the earlier conversation is gone, a new one begins"

_GRACE_S: Final = 0.7
"""How long a CLI that is not needed any more has to go by itself. It needs about 0.05 s."""
_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Seat:
    """What one session has: a process or none yet, the timer that ends it when idle, and processes that are on their way out."""

    process: ClaudeProcess | None = None
    eviction: asyncio.TimerHandle | None = None
    leaving: set[asyncio.Task[None]] = field(default_factory=set)
    in_turn: bool = False
    is_forgotten: bool = False


class ClaudePool:
    """Runs turns. `default_model` is for turns that name none; the rest is as in `ClaudeProvider`."""

    def __init__(
        self,
        *,
        run_dir: Path,
        command: str | None,
        environment: Mapping[str, str],
        default_model: str,
        idle_ttl_s: float,
    ) -> None:
        self._run_dir = run_dir
        self._command = command
        self._environment = environment
        self._default_model = default_model
        self._idle_ttl_s = idle_ttl_s
        self._seats: dict[SessionKey, _Seat] = {}

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        """One turn, with a second try where the first one could not even begin; see `Provider.run`."""
        context = decode_context(turn.resume_token)
        has_spoken = has_died = False
        while True:
            try:
                async with aclosing(self._try(turn, context)) as events:
                    async for event in events:
                        has_spoken = has_spoken or isinstance(event, TextDelta | ThinkingDelta | ToolActivity)
                        yield event
            except ConversationMissing:
                if context is None:
                    raise ProviderFailed("Claude Code lost its conversation.") from None
                context = None
                yield SystemStatus(STARTED_ANEW)
            except ProcessEnded:
                _log.warning("claude_ended_in_turn", session=str(turn.session), has_spoken=has_spoken)
                if has_spoken or has_died:
                    raise ProviderFailed("Claude Code ended unexpectedly, before its answer was complete.") from None
                has_died = True
            else:
                return

    async def forget(self, session: SessionKey) -> None:
        """End the process of `session`; in the middle of a turn, when the turn is over."""
        seat = self._seats.get(session)
        if seat is None:
            return
        if seat.in_turn:
            seat.is_forgotten = True
            return
        self._dismiss(session, seat)
        await _all_done(seat.leaving)

    async def close(self) -> None:
        """End all processes."""
        for session, seat in self._seats.items():
            self._dismiss(session, seat)
        await _all_done([task for seat in self._seats.values() for task in seat.leaving])

    async def _try(self, turn: Turn, context: Context | None) -> AsyncGenerator[ProviderEvent, None]:
        seat = self._seats.setdefault(turn.session, _Seat())
        seat.in_turn, seat.is_forgotten = True, False
        if seat.eviction is not None:
            seat.eviction.cancel()
        try:
            process = await self._process(seat, turn, context)
            async with aclosing(process.turn(turn)) as events:
                async for event in events:
                    yield event
        finally:
            await _undisturbed(asyncio.create_task(self._rest(turn.session, seat)))

    async def _process(self, seat: _Seat, turn: Turn, context: Context | None) -> ClaudeProcess:
        """The process of this session, warm if it fits the turn. One that does not is gone before a new one starts."""
        setting = Setting(
            model=turn.model or self._default_model,
            workspace=turn.workspace,
            system_prompt=turn.system_prompt,
            starts_tasks=turn.start_task is not None,
        )
        warm = seat.process
        if warm is not None:
            wanted = context.session_id if context else None
            known = warm.context.session_id if warm.context else None
            if warm.is_alive and warm.setting == setting and known == wanted:
                return warm
            self._dismiss(turn.session, seat)
        await _all_done(seat.leaving)
        cli = await asyncio.to_thread(find_cli, self._command, self._environment.get("PATH"))
        if cli is None:
            raise ProviderUnavailable(PROGRAM_MISSING)
        try:
            seat.process = ClaudeProcess(
                run_dir=self._run_dir,
                cli=cli,
                environment=self._environment,
                setting=setting,
                resume=context,
            )
        except OSError as error:
            raise ProviderFailed(f"Claude Code could not be started: {error.strerror}.") from error
        await seat.process.start()
        return seat.process

    async def _rest(self, session: SessionKey, seat: _Seat) -> None:
        """After a turn, however it went: the agent is at rest, and its process waits for the next turn or is gone."""
        try:
            usable = seat.process is not None and await seat.process.interrupt()
            if usable and not seat.is_forgotten:
                loop = asyncio.get_running_loop()
                seat.eviction = loop.call_later(self._idle_ttl_s, self._dismiss, session, seat)
                return
            self._dismiss(session, seat, grace_s=_GRACE_S if usable else 0.0)
            await _all_done(seat.leaving)
        finally:
            seat.in_turn = False
            self._tidy(session, seat)

    def _dismiss(self, session: SessionKey, seat: _Seat, grace_s: float = _GRACE_S) -> None:
        """Begin to end the process of `seat`."""
        if seat.eviction is not None:
            seat.eviction.cancel()
        process, seat.process = seat.process, None
        if process is not None:
            task = asyncio.create_task(process.end(grace_s=grace_s))
            seat.leaving.add(task)
            task.add_done_callback(seat.leaving.discard)
            task.add_done_callback(lambda _: self._tidy(session, seat))

    def _tidy(self, session: SessionKey, seat: _Seat) -> None:
        if seat.process is None and not (seat.in_turn or seat.leaving) and self._seats.get(session) is seat:
            del self._seats[session]


async def _all_done(tasks: Collection[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


async def _undisturbed(task: asyncio.Task[None]) -> None:
    """Wait until `task` is done, and raise what it raised. A cancellation of the caller passes on only then."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    task.result()
