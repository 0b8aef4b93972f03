"""A message that was sent, and what was heard of its answer."""

from __future__ import annotations

from sygen_bot.api.protocol import ServerEvent, UserText
from sygen_bot.client.errors import TurnFailed
from sygen_bot.client.inbox import Inbox
from sygen_bot.events import Failed, Result, SystemStatus, TextDelta, ThinkingDelta, ToolActivity

AnswerEvent = TextDelta | ThinkingDelta | ToolActivity | SystemStatus | Result


class Question:
    """A message that was sent and has no end yet, with what was heard of its answer."""

    def __init__(self, message: UserText) -> None:
        self.message = message
        self.message_id: str = message.id or ""
        self.turn_id: str | None = None
        self.inbox: Inbox[AnswerEvent] = Inbox()
        self.has_gap = False
        """Some of the answer was missed for good: what follows is held back, and the rest comes with the end."""
        self._heard_chars = 0

    def take(self, event: ServerEvent) -> bool:
        """Note an event of the turn. Returns whether it was the last."""
        match event:
            case TextDelta(data) if not self.has_gap:
                self._heard_chars += len(data)
                self.inbox.put(event)
            case ThinkingDelta() | ToolActivity() | SystemStatus():
                self.inbox.put(event)
            case Result(text, stream_fallback):
                if not stream_fallback and len(text) > self._heard_chars:
                    self.inbox.put(TextDelta(text[self._heard_chars :]))
                self.inbox.put(event)
                return True
            case Failed(code, message):
                self.inbox.fail(TurnFailed(code, message))
                return True
        return False
