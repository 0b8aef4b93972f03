"""What arrived and was not read yet. Never blocks the connection, and never holds more than an answer does."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Generic, TypeVar

from sygen_bot.events import TextDelta, ThinkingDelta

_LOOSE_EVENTS: Final = 64
_MERGED_CHARS: Final = 16 * 1024

Event = TypeVar("Event")


class Inbox(Generic[Event]):
    """A queue with one reader. Deltas merge behind a reader that lags, so that a burst costs its characters and little more."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._error: Exception | None = None
        self._arrived = asyncio.Event()

    def put(self, event: Event) -> None:
        last = self._events[-1] if len(self._events) > _LOOSE_EVENTS else None
        if (
            isinstance(event, TextDelta | ThinkingDelta)
            and type(event) is type(last)
            and len(last.data) + len(event.data) <= _MERGED_CHARS
        ):
            self._events[-1] = type(event)(last.data + event.data)
        else:
            self._events.append(event)
        self._arrived.set()

    def fail(self, error: Exception) -> None:
        """Nothing more comes: raise `error` when what is here has been read."""
        self._error = error
        self._arrived.set()

    async def get(self) -> Event:
        """The next event. Raises what `fail` was given."""
        while not self._events:
            if self._error is not None:
                raise self._error
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()
