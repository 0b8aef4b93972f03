"""What the resume token of an ACP agent holds: its session, and the last that was said, for an agent that loses it."""

from __future__ import annotations

from typing import Final

import msgspec

MAX_EXCHANGES: Final = 6
MAX_CHARS: Final = 1500
"""How much of one message is kept."""


class Exchange(msgspec.Struct, frozen=True):
    """What the user said, and what the agent answered."""

    said: str
    answered: str = ""


class Context(msgspec.Struct, frozen=True):
    """A conversation: its id at the agent, when a process last began or loaded it (epoch seconds), and what it has cost so far.

    `told`: a digest of the system prompt that was said in it. `recent`: the last exchanges, oldest first, shortened.
    """

    session_id: str
    opened_at: float
    told: str = ""
    cost_usd: float = 0.0
    recent: tuple[Exchange, ...] = ()

    def encode(self) -> str:
        return msgspec.json.encode(self).decode()

    def having(self, said: str, answered: str = "") -> Context:
        """The context with one more exchange."""
        exchange = Exchange(_cut(said), _cut(answered))
        return msgspec.structs.replace(self, recent=(*self.recent, exchange)[-MAX_EXCHANGES:])

    def answered(self, answer: str) -> Context:
        """The context with `answer` to what was said last."""
        if not self.recent:
            return self
        last = msgspec.structs.replace(self.recent[-1], answered=_cut(answer))
        return msgspec.structs.replace(self, recent=(*self.recent[:-1], last))

    def retold(self) -> str:
        """What was said, for an agent that does not know it any more; empty if nothing was."""
        lines = [
            line for each in self.recent for line in (f"User: {each.said}", f"You: {each.answered or '(no answer)'}")
        ]
        if not lines:
            return ""
        heading = "The conversation so far is lost but for its last messages, shortened:"
        return "\n\n".join([heading, *lines, "The conversation goes on with the next message."])


def decode_context(token: str | None) -> Context | None:
    """The context of a resume token; None for none, or one that is not ours."""
    if token is None:
        return None
    try:
        return msgspec.json.decode(token, type=Context)
    except msgspec.DecodeError:
        return None


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}…"
