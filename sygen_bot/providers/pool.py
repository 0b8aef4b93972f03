"""Running agents: at most one process a session, kept warm between its turns, ended when idle for too long.

What an agent process is, and how one is made, the provider says; see `AgentProcess`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog

from sygen_bot.errors import AgentDied, ProviderFailed, ProviderUnavailable
from sygen_bot.events import ProviderEvent, SystemStatus, TextDelta, ThinkingDelta, ToolActivity
from sygen_bot.providers.base import Turn
from sygen_bot.providers.guard import to_its_end
from sygen_bot.session.key import SessionKey

STARTED_ANEW: Final = "the earlier conversation is gone, a new one begins"
TRYING_AGAIN: Final = "the agent ended unexpectedly, it is started again"

_GRACE_S: Final = 0.7
"""How long a process that is not needed any more has to go by itself."""
_log = structlog.get_logger(__name__)


class ProcessEnded(Exception):
    """The agent's process ended while something was expected of it."""


class ConversationMissing(Exception):
    """The agent knows nothing of the conversation that should go on."""


class AgentProcess(Protocol):
    """One process with one conversation. Turns follow each other; `start` before the first one, `end` once after the last.

    `start` and `turn` raise ConversationMissing, ProcessEnded, ProviderUnavailable, ProviderFailed, and `start` OSError. After a
    `start` that raised or was cancelled `end` follows; after a `turn` that was left early `interrupt`, or `end`.
    """

    @property
    def is_alive(self) -> bool: ...

    def fits(self, turn: Turn) -> bool:
        """Whether this process, as it is, can run that turn: its model, its workspace, its conversation."""
        ...

    async def start(self) -> None: ...

    def turn(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]: ...

    async def interrupt(self) -> bool:
        """Stop the turn, if one is on. True if the process waits for the next one and nothing of this one is left."""
        ...

    async def end(self, *, grace_s: float) -> None:
        """End the process and everything it started: it has `grace_s` to go by itself."""
        ...


@dataclass(eq=False, slots=True)
class _Seat:
    """What one session has: a process or none yet, the timer that ends it when idle, and processes that are on their way out."""

    process: AgentProcess | None = None
    eviction: asyncio.TimerHandle | None = None
    leaving: set[asyncio.Task[None]] = field(default_factory=set)
    rested_at: float = 0.0
    in_turn: bool = False
    is_forgotten: bool = False


class ProcessPool:
    """Runs turns. `name`: the agent's, for people. `make`: a process for a turn, not started yet; raises ProviderUnavailable, OSError.

    `idle_ttl_s`: how long a process waits for the next turn of its session. `max_warm`: how many may wait at a time; the one that has
    waited longest goes first.
    """

    def __init__(
        self, *, name: str, make: Callable[[Turn], Awaitable[AgentProcess]], idle_ttl_s: float, max_warm: int
    ) -> None:
        self._name = name
        self._make = make
        self._idle_ttl_s = idle_ttl_s
        self._max_warm = max_warm
        self._seats: dict[SessionKey, _Seat] = {}
        self._is_closed = False

    @property
    def processes(self) -> int:
        """Those that are alive or about to end."""
        return sum((seat.process is not None) + len(seat.leaving) for seat in self._seats.values())

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        """One turn, with a second try where the first one could not even begin; see `Provider.run`."""
        has_spoken = has_died = False
        while True:
            try:
                async with aclosing(self._try(turn)) as events:
                    async for event in events:
                        has_spoken = has_spoken or isinstance(event, TextDelta | ThinkingDelta | ToolActivity)
                        yield event
            except ConversationMissing:
                if turn.resume_token is None:
                    raise ProviderFailed(f"{self._name} lost its conversation.") from None
                turn = replace(turn, resume_token=None)
                yield SystemStatus(STARTED_ANEW)
            except ProcessEnded:
                _log.warning("agent_ended_in_turn", agent=self._name, session=str(turn.session), has_spoken=has_spoken)
                if has_spoken:
                    raise AgentDied(
                        f"{self._name} ended unexpectedly, before its answer was complete. Send the message again to retry."
                    ) from None
                if has_died or self._is_closed:
                    raise ProviderFailed(
                        f"{self._name} ended unexpectedly, twice, before it said anything. The gateway's log may say why."
                    ) from None
                has_died = True
                yield SystemStatus(TRYING_AGAIN)
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
        """End all processes, and start none any more."""
        self._is_closed = True
        for session, seat in self._seats.items():
            self._dismiss(session, seat)
        await _all_done([task for seat in self._seats.values() for task in seat.leaving])

    async def _try(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        seat = self._seats.setdefault(turn.session, _Seat())
        seat.in_turn, seat.is_forgotten = True, False
        if seat.eviction is not None:
            seat.eviction.cancel()
        try:
            process = await self._process(seat, turn)
            async with aclosing(process.turn(turn)) as events:
                async for event in events:
                    yield event
        finally:
            await to_its_end(asyncio.create_task(self._rest(turn.session, seat)))

    async def _process(self, seat: _Seat, turn: Turn) -> AgentProcess:
        """The process of this session, warm if it fits the turn. One that does not is gone before a new one starts."""
        warm = seat.process
        if warm is not None:
            if warm.is_alive and warm.fits(turn):
                return warm
            self._dismiss(turn.session, seat)
        await _all_done(seat.leaving)
        if self._is_closed:
            raise ProviderUnavailable(f"{self._name} is not asked any more: the gateway stops.")
        try:
            process = seat.process = await self._make(turn)
            await process.start()
        except OSError as error:
            self._dismiss(turn.session, seat, grace_s=0.0)
            raise ProviderFailed(f"{self._name} could not be started: {error.strerror}.") from error
        except BaseException:
            self._dismiss(turn.session, seat, grace_s=0.0)
            raise
        return process

    async def _rest(self, session: SessionKey, seat: _Seat) -> None:
        """After a turn, however it went: the agent is at rest, and its process waits for the next turn or is gone."""
        try:
            usable = seat.process is not None and await seat.process.interrupt()
            if usable and not seat.is_forgotten:
                seat.rested_at = time.monotonic()
                loop = asyncio.get_running_loop()
                seat.eviction = loop.call_later(self._idle_ttl_s, self._dismiss, session, seat)
                return
            self._dismiss(session, seat, grace_s=_GRACE_S if usable else 0.0)
            await _all_done(seat.leaving)
        finally:
            seat.in_turn = False
            self._tidy(session, seat)
            self._dismiss_surplus()

    def _dismiss_surplus(self) -> None:
        waiting = [
            (seat.rested_at, session, seat)
            for session, seat in self._seats.items()
            if seat.process is not None and not seat.in_turn
        ]
        waiting.sort(key=lambda rested: rested[0])
        for _, session, seat in waiting[: max(len(waiting) - self._max_warm, 0)]:
            self._dismiss(session, seat)

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
