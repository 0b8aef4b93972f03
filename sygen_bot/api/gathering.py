"""Fewer writes where much is said: frames that follow one another closely leave the process together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

GATHER_S: Final = 0.004
"""Shorter than anybody notices: a screen shows something new every 4 to 17 ms."""
MOST_HELD_BYTES: Final = 16 * 1024
_MOST_AT_ONCE: Final = 256


class Gathering:
    """Lets go of what sockets hold back, `GATHER_S` after the first of them began to: one timer for all sockets of an event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._holders: list[Callable[[], None]] = []

    def add(self, let_go: Callable[[], None]) -> None:
        """Call `let_go` soon. It is not cancelled: a socket that has nothing any more does nothing."""
        if not self._holders:
            self._loop.call_later(GATHER_S, self._let_go)
        self._holders.append(let_go)

    def _let_go(self) -> None:
        """At most so many in one turn of the loop, so that nobody else waits for all of their writes."""
        due, self._holders = self._holders[:_MOST_AT_ONCE], self._holders[_MOST_AT_ONCE:]
        if self._holders:
            self._loop.call_soon(self._let_go)
        for let_go in due:
            let_go()
