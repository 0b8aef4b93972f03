"""The session log: an ordered log of what one conversation said. Everything that shows the conversation reads from here.

Every event has a place, `seq`, counted from 1 within an `epoch`. A text or thinking delta advances `seq` by its number of
code points, any other event by one. So the place inside an answer does not depend on how its deltas were cut, and what
followed any place can be rebuilt from the stored text.

This is the part in memory: it holds the turns that run, and the last few that ended; storage holds all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from sygen_bot.errors import NotFound
from sygen_bot.events import (
    ApprovalRequest,
    ApprovalResolved,
    Failed,
    Result,
    SessionDeleted,
    SessionEvent,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
    UserMessage,
)
from sygen_bot.session.trace import (
    ApprovalAnswered,
    ApprovalAsked,
    StatusChange,
    TextSpan,
    Thought,
    ToolUse,
    TraceEntry,
    events_after,
)

_KEPT_ENDED_TURNS: Final = 8
_KEPT_ENDED_CHARS: Final = 1024 * 1024
_MAX_LOOSE_PARTS: Final = 1024


class LoggedEvent(msgspec.Struct, gc=False):
    """An event with its place in the log. `wires`: its encodings for clients, by form, kept so that each is made once for all."""

    seq: int
    turn_id: str
    event: SessionEvent
    wires: dict[int, bytes] | None = None


class Cursor(msgspec.Struct, frozen=True):
    """The place after an event. Text form `epoch:seq`; opaque to clients."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises CursorGap for what is no cursor: nothing can be said of what followed it."""
        epoch, _, seq = text.rpartition(":")
        if not epoch or not (seq.isascii() and seq.isdigit() and len(seq) < 20):
            raise CursorGap
        return cls(epoch, int(seq))


class CursorGap(NotFound):
    """The log does not hold all that followed a cursor: another epoch, ahead of the log, or too old."""

    sentence = "What followed this place is no longer here."


Subscriber = Callable[[LoggedEvent], None]


class _TextBuffer:
    """A growing text. Joined now and then, so that a long answer in small pieces costs its characters and little more."""

    __slots__ = ("_joined", "_loose", "length")

    def __init__(self) -> None:
        self._joined: list[str] = []
        self._loose: list[str] = []
        self.length = 0

    def append(self, part: str) -> None:
        self._loose.append(part)
        self.length += len(part)
        if len(self._loose) >= _MAX_LOOSE_PARTS:
            self._join()

    def value(self) -> str:
        self._join()
        self._joined = ["".join(self._joined)]
        return self._joined[0]

    def after(self, start: int) -> str:
        """The text from the place `start` on. Costs what it returns, and not what came before."""
        self._join()
        wanted, tail = self.length - start, []
        for part in reversed(self._joined):
            if wanted <= 0:
                break
            tail.append(part[-wanted:] if len(part) > wanted else part)
            wanted -= len(part)
        return "".join(reversed(tail))

    def _join(self) -> None:
        self._joined.append("".join(self._loose))
        self._loose.clear()


class _Thinking:
    """A run of thinking that still grows."""

    __slots__ = ("buffer", "seq")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.buffer = _TextBuffer()


@dataclass(slots=True, eq=False)
class _TurnRecord:
    """What the log holds of one turn. `entries` is its trace, its newest run of thinking still open."""

    user: LoggedEvent | None = None
    answer: _TextBuffer = field(default_factory=_TextBuffer)
    entries: list[TraceEntry | _Thinking] = field(default_factory=list)
    end: LoggedEvent | None = None


@dataclass(slots=True, eq=False)
class _TextRun:
    """What the next delta of the turn continues."""

    turn_id: str
    span: TextSpan
    answer: _TextBuffer


class SessionLog:
    """The log of one session. Appending is one step on the event loop: subscribers see every event once, in order.

    `epoch` and `seq`: where the log stands, as storage has it.
    """

    def __init__(self, *, epoch: str, seq: int = 0) -> None:
        self.epoch: Final = epoch
        self._seq = seq
        self._start = seq
        self._turns: dict[str, _TurnRecord] = {}
        self._ended: list[str] = []
        self._text_run: _TextRun | None = None
        self._thinking: tuple[str, _Thinking] | None = None  # the same for thinking; at most one of the two is there
        self._subscribers: tuple[Subscriber, ...] = ()
        self.turns_changed = 0
        """Counts messages and ends, so that who read something elsewhere can tell whether it is still the whole."""

    @property
    def cursor(self) -> Cursor:
        """The place after the newest event."""
        return Cursor(self.epoch, self._seq)

    @property
    def start(self) -> int:
        """Everything after this place is held here."""
        return self._start

    @property
    def is_followed(self) -> bool:
        return bool(self._subscribers)

    def append(self, turn_id: str, event: SessionEvent, *, seq: int | None = None) -> LoggedEvent:
        """Record `event` and hand it to every subscriber. `seq`: its place, ahead of the newest; the next one without."""
        if isinstance(event, TextDelta):
            return self.append_text(turn_id, event)
        if isinstance(event, ThinkingDelta):
            logged = self._append_thinking(turn_id, event)
        else:
            logged = self._append_other(turn_id, event, seq)
        for subscriber in self._subscribers:
            subscriber(logged)
        return logged

    def append_text(self, turn_id: str, delta: TextDelta) -> LoggedEvent:
        """`append` for what comes most often."""
        length, run = len(delta.data), self._text_run
        if run is None or run.turn_id != turn_id:
            run = self._begin_text(turn_id)
        self._seq = seq = self._seq + length
        span = run.span
        span.seq = seq
        span.length += length
        run.answer.append(delta.data)
        logged = LoggedEvent(seq, turn_id, delta)
        for subscriber in self._subscribers:
            subscriber(logged)
        return logged

    def tell(self, event: SessionDeleted) -> None:
        """Hand something that is not part of the conversation to every subscriber."""
        for subscriber in self._subscribers:
            subscriber(LoggedEvent(self._seq, "", event))

    def text(self, turn_id: str, *, start: int = 0) -> str:
        """What the turn has said so far, from the code point `start` on."""
        record = self._turns.get(turn_id)
        if record is None:
            return ""
        return record.answer.after(start) if start else record.answer.value()

    def trace(self, turn_id: str, *, after: int = 0) -> list[TraceEntry]:
        """What else happened in the turn, after the place `after`."""
        record = self._turns.get(turn_id)
        entries = [] if record is None else [_closed(entry) for entry in record.entries if entry.seq > after]
        if entries and isinstance(first := entries[0], TextSpan) and first.seq - first.length < after:
            entries[0] = TextSpan(first.seq, first.seq - after)
        elif entries and isinstance(first, Thought) and first.seq - len(first.text) < after:
            entries[0] = Thought(first.seq, first.text[-(first.seq - after) :])
        return entries

    def end_of(self, turn_id: str) -> LoggedEvent | None:
        """How the turn ended, if it did and is still held."""
        record = self._turns.get(turn_id)
        return None if record is None else record.end

    def subscribe(
        self, subscriber: Subscriber, *, after: Cursor | None = None, older: list[LoggedEvent] | None = None
    ) -> Callable[[], None]:
        """Hand every later event to `subscriber`, and first, with `after`, all that followed that place. Returns the way out.

        `older`: what followed `after` up to `start`, from storage, if `after` lies before it.
        Subscribers run inside `append`: they are quick and do not raise. Raises CursorGap, and then subscribes nothing.
        """
        if after is not None:
            for logged in self._replay(after, older):
                subscriber(logged)
        self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            self._subscribers = tuple(other for other in self._subscribers if other is not subscriber)

        return unsubscribe

    def check(self, cursor: Cursor) -> None:
        """Raises CursorGap if the cursor is of another epoch or ahead of the log."""
        if cursor.epoch != self.epoch or cursor.seq > self._seq:
            raise CursorGap

    def _replay(self, after: Cursor, older: list[LoggedEvent] | None) -> list[LoggedEvent]:
        self.check(after)
        if after.seq < self._start and older is None:
            raise CursorGap
        missed = list(older or ())
        told = {logged.seq for logged in missed}
        seen = max(after.seq, self._start)
        for turn_id, record in self._turns.items():
            entries = [_closed(entry) for entry in record.entries]
            missed += [
                LoggedEvent(seq, turn_id, event) for seq, event in events_after(entries, record.answer.value(), seen)
            ]
            # The message of a turn that waits may lie before all that is held of others.
            ends = (logged for logged in (record.user, record.end) if logged is not None)
            missed += [logged for logged in ends if logged.seq > after.seq and logged.seq not in told]
        missed.sort(key=lambda logged: logged.seq)
        return missed

    # --- recording ----------------------------------------------------------------------------------------------------

    def _record(self, turn_id: str) -> _TurnRecord:
        record = self._turns.get(turn_id)
        if record is None:
            record = self._turns[turn_id] = _TurnRecord()
        return record

    def _begin_text(self, turn_id: str) -> _TextRun:
        record, span = self._record(turn_id), TextSpan(self._seq, 0)
        record.entries.append(span)
        self._text_run, self._thinking = _TextRun(turn_id, span, record.answer), None
        return self._text_run

    def _append_thinking(self, turn_id: str, event: ThinkingDelta) -> LoggedEvent:
        self._seq += len(event.data)
        last = self._thinking
        if last is None or last[0] != turn_id:
            thinking = _Thinking(self._seq)
            self._record(turn_id).entries.append(thinking)
            self._thinking, self._text_run = (turn_id, thinking), None
        else:
            thinking = last[1]
        thinking.seq = self._seq
        thinking.buffer.append(event.data)
        return LoggedEvent(self._seq, turn_id, event)

    def _append_other(self, turn_id: str, event: SessionEvent, seq: int | None) -> LoggedEvent:
        self._seq = self._seq + 1 if seq is None else max(seq, self._seq + 1)
        self._text_run = self._thinking = None
        record, logged = self._record(turn_id), LoggedEvent(self._seq, turn_id, event)
        match event:
            case UserMessage():
                self.turns_changed += 1
                record.user = logged
            case Result() | Failed():
                self.turns_changed += 1
                record.end = logged
                self._end(turn_id)
            case SystemStatus(label):
                record.entries.append(StatusChange(self._seq, label))
            case ToolActivity():
                record.entries.append(ToolUse(self._seq, event))
            case ApprovalRequest():
                record.entries.append(ApprovalAsked(self._seq, event))
            case ApprovalResolved():
                record.entries.append(ApprovalAnswered(self._seq, event))
        return logged

    def _end(self, turn_id: str) -> None:
        """Let go of the oldest ended turns, and of all that the log held up to their end."""
        self._ended.append(turn_id)
        while len(self._ended) > _KEPT_ENDED_TURNS or self._ended_chars() > _KEPT_ENDED_CHARS:
            end = self._turns.pop(self._ended.pop(0)).end
            self._start = self._start if end is None else end.seq

    def _ended_chars(self) -> int:
        return sum(self._turns[turn_id].answer.length for turn_id in self._ended)


def _closed(entry: TraceEntry | _Thinking) -> TraceEntry:
    return Thought(entry.seq, entry.buffer.value()) if isinstance(entry, _Thinking) else entry
