"""Sharing the event loop between turns, so that no turn, however chatty, delays another session."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

PASS_BUDGET_S: Final = 0.001
HURRIED_BUDGET_S: Final = 0.0002
HURRIED_PAUSE_S: Final = 0.001
LONGEST_HURRY_S: Final = 0.02
QUIET_S: Final = 0.0001
MOST_UNMARKED: Final = 2
"""To hear of the end of a turn of the loop costs another turn. What comes rarely does without, but for one in so many: it might
be an agent that blocks the loop."""


class FairShare:
    """A budget of pumping time that all turns share in each pass of the event loop.

    A turn calls `is_spent()` after each event and, if it says so, awaits `next_pass()`. Waiting turns go on one at a time,
    round robin; turns that have said nothing yet go first, and a turn that has spoken makes way for them at once. While
    somebody is in a hurry the passes are short and pauses lie between them, in which the database's thread has the interpreter
    to itself. `clock` gives seconds.
    """

    def __init__(self, *, budget_s: float = PASS_BUDGET_S, clock: Callable[[], float] = time.perf_counter) -> None:
        self.turn_of_loop = 0
        """A number for this turn of the event loop; 0 where it is not known, because little is being said."""
        self._loop = asyncio.get_running_loop()
        self._budget_s = budget_s
        self._clock = clock
        self._turns_of_loop = 0
        self._last = 0.0
        self._unmarked = 0
        self._began: float | None = None
        self._ends_with_turn = False
        self._hurried = 0
        self._hurry_until = 0.0
        self._silent: deque[asyncio.Future[None]] = deque()
        self._talking: deque[asyncio.Future[None]] = deque()

    def is_spent(self, *, has_spoken: bool = False) -> bool:
        """Whether the turn has to let others go on. The first call in a pass starts the budget."""
        now = self._clock()
        if not self.turn_of_loop:
            since, self._last = now - self._last, now
            if since > QUIET_S and self._unmarked < MOST_UNMARKED:
                self._unmarked += 1
                return False
            self._mark()
        if self._began is None:
            self._begin(now)
            return False
        budget_s = HURRIED_BUDGET_S if self._hurried and now < self._hurry_until else self._budget_s
        return now - self._began >= budget_s or (has_spoken and bool(self._silent))

    def hurry(self) -> None:
        """Somebody waits for the database: a message or an end is being stored. `calm` has to follow."""
        self._hurried += 1
        self._hurry_until = self._clock() + LONGEST_HURRY_S

    def calm(self) -> None:
        """It is stored."""
        self._hurried -= 1

    async def next_pass(self, *, has_spoken: bool) -> None:
        """Wait for this turn's share of a later pass."""
        waiter = self._loop.create_future()
        (self._talking if has_spoken else self._silent).append(waiter)
        await waiter

    def _mark(self) -> None:
        """Have the end of this turn of the loop be heard of."""
        self._turns_of_loop += 1
        self.turn_of_loop = self._turns_of_loop
        self._unmarked = 0
        self._loop.call_soon(self._end_turn_of_loop)

    def _end_turn_of_loop(self) -> None:
        self.turn_of_loop = 0
        if self._ends_with_turn:
            self._ends_with_turn = False
            self._next_pass()

    def _begin(self, now: float) -> None:
        """A pass, which ends with this turn of the loop, or with a pause after it."""
        self._began = now
        if self._hurried and now < self._hurry_until:
            self._loop.call_later(HURRIED_PAUSE_S, self._next_pass)
        else:
            self._ends_with_turn = True
            if not self.turn_of_loop:
                self._mark()

    def _next_pass(self) -> None:
        self._began = None
        if not self._silent and not self._talking:
            return
        for queue in (self._silent, self._talking):
            while queue:
                waiter = queue.popleft()
                if not waiter.done():  # a cancelled turn leaves its waiter behind
                    waiter.set_result(None)
                    if self._silent or self._talking:
                        self._begin(self._clock())
                    return
