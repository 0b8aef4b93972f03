"""What the local model is given: a conversation that lives in its resume token, cut to what the model can see."""

from __future__ import annotations

from typing import Final

from sygen_bot.events import ContextSaved
from sygen_bot.providers.base import Turn
from sygen_bot.providers.conversation import Message, remembered, saved, turn_starts

ANSWER_TOKENS: Final = 512
"""The longest answer."""
SYSTEM_PROMPT: Final = (
    # All but the middle is what the model was trained with: other words make its answers worse.
    "You are a helpful AI assistant named SmolLM, a small offline demo model, trained by Hugging Face"
)

_LEAST_ANSWER_TOKENS: Final = 64
"""What a message that is long by itself must leave for its answer."""


class Conversation:
    """What one turn begins with, and what the model has answered so far."""

    def __init__(self, turn: Turn, *, resume_token: str | None) -> None:
        self._system = Message("system", turn.system_prompt or SYSTEM_PROMPT)
        self._remembered = remembered(resume_token)
        self._messages = [*self._remembered, Message("user", turn.text)]
        self.answer = ""

    @property
    def prompt(self) -> list[Message]:
        return [self._system, *self._messages]

    def saved(self) -> ContextSaved:
        answer = [Message("assistant", self.answer)] if self.answer else []
        return saved([*self._messages, *answer])

    def saved_without_this_turn(self) -> ContextSaved:
        return saved(self._remembered)

    @property
    def room(self) -> int:
        """The tokens that the prompt has to leave for the answer."""
        return ANSWER_TOKENS if self._later_turns() else _LEAST_ANSWER_TOKENS

    def cut(self) -> bool:
        """Leave out about the older half, in whole turns. False if there is only one turn.

        A half, because the model has to read everything again after a cut: there should be few.
        """
        starts = self._later_turns()
        if not starts:
            return False
        half = sum(len(message.content) for message in self._messages) // 2
        short = (start for start in starts if sum(len(message.content) for message in self._messages[start:]) <= half)
        self._messages = self._messages[next(short, starts[-1]) :]
        return True

    def _later_turns(self) -> list[int]:
        """Where all turns but the oldest begin."""
        return turn_starts(self._messages)[1:]
