"""A conversation that lives in its resume token, for providers whose model remembers nothing by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from sygen_bot.events import ContextSaved
from sygen_bot.providers.base import Turn
from sygen_bot.session.key import SessionKey

_KEPT_CUT_OFF: Final = 256


class Message(msgspec.Struct, frozen=True):
    """One message, as models are given it."""

    role: Literal["system", "user", "assistant"]
    content: str


def saved(messages: Sequence[Message]) -> ContextSaved:
    """The token that holds these messages."""
    return ContextSaved(msgspec.json.encode(messages).decode())


def remembered(resume_token: str | None) -> list[Message]:
    """The messages that a token holds; none if it is damaged."""
    try:
        return msgspec.json.decode(resume_token or "[]", type=list[Message])
    except (msgspec.DecodeError, UnicodeError):
        return []


def turn_starts(messages: Sequence[Message]) -> list[int]:
    """Where each turn begins, oldest first: a conversation is cut only there."""
    return [index for index, message in enumerate(messages) if message.role == "user"]


class CutOff:
    """The ends of answers that were broken off: nobody listened any more when they were to be saved.

    Without them the model would begin such an answer again in the next turn.
    """

    def __init__(self) -> None:
        self._tokens: dict[SessionKey, tuple[str, str]] = {}
        """By session: the token that was saved, and the one it should have been."""

    def keep(self, session: SessionKey, *, saved: str, meant: str) -> None:
        """The session's next turn comes with the token `saved`; it is to begin with `meant`."""
        if saved != meant:
            self._tokens[session] = (saved, meant)
            if len(self._tokens) > _KEPT_CUT_OFF:
                del self._tokens[next(iter(self._tokens))]

    def resumed(self, turn: Turn) -> str | None:
        """The token to begin `turn` with."""
        saved, meant = self._tokens.pop(turn.session, (None, None))
        return meant if saved == turn.resume_token else turn.resume_token

    def forget(self, session: SessionKey) -> None:
        self._tokens.pop(session, None)
