"""What the sender of a message is told of it: that it is kept and will be answered, or why it is not taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sygen_bot.errors import SygenError
from sygen_bot.events import TurnEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A message is kept and will be answered. `position`: turns ahead of it.

    `is_duplicate`: it was accepted before, under the same id. `end` is then how its turn ended, if it has.
    """

    turn_id: str
    position: int
    is_duplicate: bool = False
    end: TurnEnd | None = None


Receipt = Acceptance | SygenError
ReceiptHandler = Callable[[Receipt], None]
"""Told once, before any event of the turn, what became of a message: accepted, or refused with an error that says why."""
