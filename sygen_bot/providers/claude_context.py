"""What Claude Code's resume token holds."""

from __future__ import annotations

import msgspec


class Context(msgspec.Struct, frozen=True):
    """A conversation: its id in Claude Code, and what it has cost so far, as the CLI last said.

    The CLI counts the cost of a whole conversation, over all its processes; the cost of one turn is a difference.
    """

    session_id: str
    cost_usd: float = 0.0

    def encode(self) -> str:
        return msgspec.json.encode(self).decode()


def decode_context(token: str | None) -> Context | None:
    """The context of a resume token; None for none, or one that is not ours."""
    if token is None:
        return None
    try:
        return msgspec.json.decode(token, type=Context)
    except msgspec.DecodeError:
        return None
