"""What a conversation holds that was not said here: its past, and what other devices say now."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sygen_bot.cli.chat_answer import finished_length
from sygen_bot.cli.printing import REASONS
from sygen_bot.client import ApprovalRequest, ClientError, Result, TextDelta, UserMessage
from sygen_bot.events import Failed

if TYPE_CHECKING:
    from sygen_bot.api.protocol import ServerEvent
    from sygen_bot.cli.conversation import Screen
    from sygen_bot.client import Gateway, Received

RECALLED: Final = 10
"""How many messages of the past a chat begins with."""
_ENDS: Final = {"aborted": REASONS["abort"], "interrupted": REASONS["interrupted"]}


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the past. `note`: how it ended, if not as it should."""

    is_question: bool
    text: str
    note: str = ""


class Elsewhere:
    """Shows the past once, then what others say: whole blocks of an answer as they are finished."""

    def __init__(self, gateway: Gateway, screen: Screen) -> None:
        self._gateway = gateway
        self._screen = screen
        self._own: dict[str, str] = {}
        """Messages whose answers are shown as they come: their names, and their turns once they have one."""
        self._answers: dict[str, str] = {}
        """By turn, what was heard and not shown yet."""
        self._shown_until = ("", 0)
        self._events = gateway.follow()
        self._next: asyncio.Future[Received] | None = None

    def expect(self, message_id: str) -> None:
        """That message is asked here: its answer is none of our business."""
        self._own[message_id] = ""

    def leave_to_us(self, message_id: str) -> None:
        """Nobody waits here for its answer any more: what is still to come of it is shown as if from elsewhere."""
        self._answers[self._own.pop(message_id)] = ""

    async def recall(self) -> None:
        """Show the end of what was said before."""
        self._next = asyncio.ensure_future(anext(self._events))  # from now on nothing is missed
        with suppress(ClientError):
            page = await self._gateway.history(limit=RECALLED)
            self._shown_until = _place(page["cursor"])
            self._show_past(page)

    async def follow(self) -> None:
        """Show what comes, until the connection is over."""
        with suppress(ClientError, StopAsyncIteration):
            while True:
                received = await (self._next or anext(self._events))
                self._next = None
                event = self._unseen(received)
                if event is not None:
                    self._show(event, received.turn_id)

    async def close(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
        await self._events.aclose()

    def _show_past(self, page: dict[str, Any]) -> None:
        messages = [message for message in page["messages"] if message["status"] != "running"]
        if messages:
            self._screen.past([_said(message) for message in messages], left_out=page["total"] - len(page["messages"]))
        for message in page["messages"]:
            if message["status"] == "running":
                self._answers[message["turn_id"]] = ""
                self._hear(message["turn_id"], message["content"])

    def _unseen(self, received: Received) -> ServerEvent | None:
        """What of an event is not in the past that was shown."""
        where, number = _place(received.cursor or "")
        known, until = self._shown_until
        if where != known:
            return received.event
        event, ahead = received.event, number - until
        if ahead <= 0:
            return None
        return TextDelta(event.data[-ahead:]) if isinstance(event, TextDelta) else event

    def _show(self, event: ServerEvent, turn_id: str) -> None:
        match event:
            case UserMessage(_, _, message_id) if message_id in self._own:
                self._own[message_id] = turn_id
            case UserMessage(text):
                self._screen.message(text)
                self._answers[turn_id] = ""
            case TextDelta(text) if turn_id in self._answers:
                self._hear(turn_id, text)
            case ApprovalRequest() if turn_id in self._answers:  # who is asked has to know what was said
                said, self._answers[turn_id] = self._answers[turn_id], ""
                if said.strip():
                    self._screen.block(said)
            case Result() if turn_id in self._answers:
                rest = self._answers.pop(turn_id) or (event.text if event.stream_fallback else "")
                if rest.strip():
                    self._screen.block(rest)
                if event.aborted:
                    self._screen.note(REASONS.get(event.reason or "", REASONS["abort"]))
            case Failed(_, message) if turn_id in self._answers:
                del self._answers[turn_id]
                self._screen.note(message, is_error=True)

    def _hear(self, turn_id: str, text: str) -> None:
        self._answers[turn_id] += text
        if length := finished_length(self._answers[turn_id]):
            self._screen.block(self._answers[turn_id][:length])
            self._answers[turn_id] = self._answers[turn_id][length:]


def _said(message: dict[str, Any]) -> Said:
    error = message.get("error") or {}
    note = str(error.get("message") or _ENDS.get(message["status"], ""))
    return Said(message["sender"] == "user", message["content"], "" if message["sender"] == "user" else note)


def _place(cursor: str) -> tuple[str, int]:
    where, _, number = cursor.rpartition(":")
    return where, int(number) if number.isdecimal() else 0
