"""One accepted message and what becomes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sygen_bot.events import AbortReason, TurnEnd


@dataclass(eq=False, kw_only=True)
class TurnJob:
    """A turn while it is in memory. It ends once: what the agent says later is dropped.

    `ordinal`: its place among the turns of its session; `user_seq`: the place of its message in the log, once it has one.
    `has_begun`: it is stored as one that the agent gets at once. `ending` and `has_ended`: how it ends, as soon as that is decided. `done`: the same, when it is stored and everybody was told.
    `hand_on` puts into the log what the agent has said by now. `parts` and `chars_in_parts`: what of the answer is stored already.
    """

    turn_id: str
    text: str
    accepted_at: float
    ordinal: int
    client_id: str | None = None
    user_seq: int | None = None
    has_begun: bool = False
    ending: TurnEnd | None = None
    has_ended: bool = False
    stop_reason: AbortReason | None = None
    done: asyncio.Future[TurnEnd | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    task: asyncio.Task[None] | None = None
    provider: str | None = None
    model: str | None = None
    began: float | None = None  # by the monotonic clock
    hand_on: Callable[[], None] = field(default=lambda: None)
    parts: int = 0
    chars_in_parts: int = 0

    @property
    def duration_ms(self) -> int:
        """How long the agent has worked on it."""
        return 0 if self.began is None else round((time.monotonic() - self.began) * 1000)
