"""Agents for what a script cannot say: they plug in where every provider does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from sygen_bot.events import ProviderEvent
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.session.key import SessionKey

Part = ProviderEvent | Exception | Callable[[], Awaitable[object]]


class Agent:
    """Says `parts` in every turn: events are yielded, exceptions raised, anything else is called and waited for.

    `heard` is what it was told. `stopped` is set when a turn was cancelled.
    """

    def __init__(self, *parts: Part) -> None:
        self._parts = parts
        self.heard: list[str] = []
        self.stopped = asyncio.Event()

    @property
    def info(self) -> ProviderInfo:
        return ProviderInfo(id="scripted", name="Scripted", color="#64748B")

    @property
    def processes(self) -> int:
        return 0

    async def check(self) -> Availability:
        return Availability(available=True, models=("scripted",))

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        self.heard.append(turn.text)
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            if not callable(part):
                yield part
                continue
            try:
                await part()
            except asyncio.CancelledError:
                self.stopped.set()
                raise

    async def forget(self, session: SessionKey) -> None:
        """Nothing is kept."""

    async def close(self) -> None:
        """Nothing is open."""
