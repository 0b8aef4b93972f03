"""The session log: an ordered log of what one conversation said. Everything that shows the conversation reads from here.

Every event has a place, `seq`, counted from 1 within an `epoch`. A text or thinking delta advances `seq` by its number of
code points, any other event by one. So the place inside an answer does not depend on how its deltas were cut, and what
followed any place can be rebuilt from the stored text.

This is the part in memory: it holds the turns that run, and the last few that ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from sygen_bot.errors import NotFound
from sygen_bot.events import Failed, Result, SessionEvent, TextDelta, ThinkingDelta

_KEPT_ENDED_TURNS: Final = 8
_KEPT_ENDED_CHARS: Final = 1024 * 1024
_MAX_LOOSE_PARTS: Final = 1024


class LoggedEvent(msgspec.Struct, gc=False):
    """An event with its place in the log. `wire`: its encoding for clients, kept so that it is made once for all of them."""

    seq: int
    turn_id: str
    event: SessionEvent
    wire: bytes | None = None


class Cursor(msgspec.Struct, frozen=True):
    """The place after an event. Text form `epoch:seq`; opaque to clients."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


class CursorGap(NotFound):
    """The log does not hold all that followed a cursor: another epoch, ahead of the log, or too old."""

    sentence = "What followed this place is no longer here."


Subscriber = Callable[[LoggedEvent], None]


class _TextBuffer:
    """A growing text. Joined now and then, so that a long answer in small pieces costs its characters and little more."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._loose = 0
        self.length = 0

    def append(self, part: str) -> None:
        self._parts.append(part)
        self._loose += 1
        self.length += len(part)
        if self._loose >= _MAX_LOOSE_PARTS:
            self._parts[-self._loose :] = ["".join(self._parts[-self._loose :])]
            self._loose = 0

    def value(self) -> str:
        self._parts = ["".join(self._parts)]
        self._loose = 0
        return self._parts[0]


class _Span(msgspec.Struct, gc=False):
    """A run of text deltas of one turn without another event between: `length` code points from `offset` of its text."""

    seq: int  # of its end
    turn_id: str
    offset: int
    length: int


class SessionLog:
    """The log of one session. Appending is one step on the event loop: subscribers see every event once, in order."""

    def __init__(self) -> None:
        self.epoch: Final = secrets.token_hex(8)
        self._seq = 0
        self._start = 0  # everything after this place is held
        self._entries: list[LoggedEvent | _Span] = []
        self._texts: dict[str, _TextBuffer] = {}
        self._ended: list[str] = []
        self._subscribers: tuple[Subscriber, ...] = ()

    @property
    def cursor(self) -> Cursor:
        """The place after the newest event."""
        return Cursor(self.epoch, self._seq)

    @property
    def is_followed(self) -> bool:
        return bool(self._subscribers)

    def append(self, turn_id: str, event: SessionEvent) -> LoggedEvent:
        """Record `event` and hand it to every subscriber."""
        if type(event) is TextDelta:
            self._record_text(turn_id, event.data)
            logged = LoggedEvent(self._seq, turn_id, event)
        else:
            self._seq += len(event.data) if type(event) is ThinkingDelta else 1
            logged = LoggedEvent(self._seq, turn_id, event)
            self._entries.append(logged)
            if isinstance(event, Result | Failed):
                self._end(turn_id)
        for subscriber in self._subscribers:
            subscriber(logged)
        return logged

    def text(self, turn_id: str) -> str:
        """What the turn has said so far."""
        buffer = self._texts.get(turn_id)
        return "" if buffer is None else buffer.value()

    def subscribe(self, subscriber: Subscriber, *, after: Cursor | None = None) -> Callable[[], None]:
        """Hand every later event to `subscriber`, and first, with `after`, all that followed that place. Returns the way out.

        Subscribers run inside `append`: they are quick and do not raise. Raises CursorGap, and then subscribes nothing.
        """
        missed = [] if after is None else self._replay(after)
        for logged in missed:
            subscriber(logged)
        self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            self._subscribers = tuple(other for other in self._subscribers if other is not subscriber)

        return unsubscribe

    def _replay(self, after: Cursor) -> list[LoggedEvent]:
        if after.epoch != self.epoch or not self._start <= after.seq <= self._seq:
            raise CursorGap
        missed: list[LoggedEvent] = []
        for entry in self._entries:
            if entry.seq <= after.seq:
                continue
            if isinstance(entry, _Span):
                said = min(entry.length, entry.seq - after.seq)
                end = entry.offset + entry.length
                text = self._texts[entry.turn_id].value()[end - said : end]
                missed.append(LoggedEvent(entry.seq, entry.turn_id, TextDelta(text)))
            elif isinstance(entry.event, ThinkingDelta):
                rest = entry.event.data[-(entry.seq - after.seq) :]
                missed.append(LoggedEvent(entry.seq, entry.turn_id, ThinkingDelta(rest)))
            else:
                missed.append(entry)
        return missed

    def _record_text(self, turn_id: str, text: str) -> None:
        buffer = self._texts.get(turn_id)
        if buffer is None:
            buffer = self._texts[turn_id] = _TextBuffer()
        length = len(text)
        self._seq += length
        last = self._entries[-1] if self._entries else None
        if type(last) is _Span and last.turn_id == turn_id:
            last.seq, last.length = self._seq, last.length + length
        else:
            self._entries.append(_Span(self._seq, turn_id, buffer.length, length))
        buffer.append(text)

    def _end(self, turn_id: str) -> None:
        """Let go of the oldest ended turns, and of all that the log held up to their end."""
        self._ended.append(turn_id)
        while len(self._ended) > _KEPT_ENDED_TURNS or self._ended_chars() > _KEPT_ENDED_CHARS:
            dropped = self._ended.pop(0)
            self._texts.pop(dropped, None)
            self._start = max((entry.seq for entry in self._entries if entry.turn_id == dropped), default=self._start)
            self._entries = [entry for entry in self._entries if entry.seq > self._start]

    def _ended_chars(self) -> int:
        return sum(self._texts[turn_id].length for turn_id in self._ended if turn_id in self._texts)
