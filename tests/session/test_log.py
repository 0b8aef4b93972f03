"""The session log: whoever reads it, from wherever, misses nothing and sees nothing twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from sygen_bot.events import (
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
from sygen_bot.session.log import Cursor, CursorGap, LoggedEvent, SessionLog
from sygen_bot.session.trace import PIECE_CHARS, StatusChange, TextSpan, Thought, TraceEntry, events_after

Unit = tuple[str, object]
"""What one step of `seq` stands for: a turn, and a character of it or an event."""


def units(turn_id: str, event: SessionEvent) -> list[Unit]:
    match event:
        case TextDelta(data):
            return [(turn_id, ("said", character)) for character in data]
        case ThinkingDelta(data):
            return [(turn_id, ("thought", character)) for character in data]
        case _:
            return [(turn_id, event)]


def units_of(trace: Sequence[TraceEntry], answer: str) -> list[Unit]:
    return [unit for _, event in events_after(trace, answer, 0) for unit in units("t", event)]


class Reader:
    """A subscriber that remembers what it was told."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.places: list[int] = []

    def __call__(self, logged: LoggedEvent) -> None:
        self.units += units(logged.turn_id, logged.event)
        self.places.append(logged.seq)


_others = st.one_of(
    st.builds(SystemStatus, st.none() | st.text(max_size=5)),
    st.builds(ToolActivity, st.text(max_size=5), phase=st.sampled_from(["start", "end"])),
)
_ends = st.builds(Result, st.text(max_size=5)) | st.builds(Failed, st.just("internal_error"), st.text(max_size=5))


class ReadersOfALog(RuleBasedStateMachine):
    """Any events of any turns, and readers that come and go anywhere in between. `all[n]` is what stands at the place n + 1."""

    turns = Bundle("turns")

    def __init__(self) -> None:
        super().__init__()
        self.log = SessionLog(epoch="e")
        self.all: list[Unit | None] = []  # None: a place that was reserved and not used
        self.said: dict[str, str] = {}
        self.open: set[str] = set()
        self.ended = 0
        self.readers: list[tuple[int, Reader, Callable[[], None]]] = []

    def after(self, place: int) -> list[Unit]:
        return [unit for unit in self.all[place:] if unit is not None]

    def append(self, turn_id: str, event: SessionEvent, *, ahead: int | None = None) -> None:
        if ahead is not None:
            self.all += [None] * ahead
        self.all += units(turn_id, event)
        seq = None if ahead is None else len(self.all)
        logged = self.log.append(turn_id, event, seq=seq)
        assert (logged.seq, logged.event) == (len(self.all), event)

    @rule(target=turns)
    def begin(self) -> str:
        turn_id = f"turn {len(self.said)}"
        self.said[turn_id] = ""
        self.open.add(turn_id)
        self.append(turn_id, UserMessage("go", 0.0, turn_id))
        return turn_id

    @rule(turn_id=turns, text=st.text(max_size=12))
    def say(self, turn_id: str, text: str) -> None:
        if turn_id in self.open:
            self.said[turn_id] += text
            self.append(turn_id, TextDelta(text))

    @rule(turn_id=turns, text=st.text(min_size=1, max_size=5))
    def think(self, turn_id: str, text: str) -> None:
        if turn_id in self.open:
            self.append(turn_id, ThinkingDelta(text))

    @rule(turn_id=turns, event=_others)
    def do(self, turn_id: str, event: SessionEvent) -> None:
        if turn_id in self.open:
            self.append(turn_id, event)

    @rule(turn_id=turns, event=_ends, ahead=st.none() | st.integers(0, 3))
    def end(self, turn_id: str, event: SessionEvent, ahead: int | None) -> None:
        if turn_id in self.open:
            self.open.remove(turn_id)
            self.append(turn_id, event, ahead=ahead)
            self.ended += 1
            told = self.log.end_of(turn_id)
            assert told is not None
            assert (told.event, told.seq) == (event, len(self.all))

    @rule(data=st.data())
    def subscribe_after_any_place(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.all)))
        cursor, reader = Cursor("e", place), Reader()
        if place < self.log.start:
            assert self.ended > 8, "the last turns that ended are always there"
            with pytest.raises(CursorGap):
                self.log.subscribe(reader, after=cursor)
            assert not reader.units
        leave = self.log.subscribe(reader, after=cursor, older=self.stored(place) if place < self.log.start else None)
        assert reader.units == self.after(place)
        self.readers.append((place, reader, leave))

    def stored(self, place: int) -> list[LoggedEvent]:
        """What a storage that knows everything has after a place, up to where memory begins."""
        found = []
        for seq, unit in enumerate(self.all[place : self.log.start], place + 1):
            match unit:
                case (str() as turn_id, ("said", str() as character)):
                    found.append(LoggedEvent(seq, turn_id, TextDelta(character)))
                case (str() as turn_id, ("thought", str() as character)):
                    found.append(LoggedEvent(seq, turn_id, ThinkingDelta(character)))
                case (str() as turn_id, event):
                    found.append(LoggedEvent(seq, turn_id, event))  # type: ignore[arg-type]  # `units` put it there
        return found

    @rule()
    def subscribe_from_now_on(self) -> None:
        reader = Reader()
        self.readers.append((len(self.all), reader, self.log.subscribe(reader)))

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        _, reader, leave = self.readers.pop(data.draw(st.integers(0, len(self.readers) - 1)))
        leave()
        before = list(reader.units)
        self.append("aside", SystemStatus("nobody who left hears this"))
        assert reader.units == before

    @invariant()
    def every_reader_has_seen_everything_after_its_place_once(self) -> None:
        for place, reader, _ in self.readers:
            assert reader.units == self.after(place)
            assert reader.places == sorted(reader.places)

    @invariant()
    def the_cursor_is_after_the_newest_event(self) -> None:
        assert self.log.cursor == Cursor("e", len(self.all))
        assert self.log.is_followed == bool(self.readers)
        assert self.log.start <= len(self.all)

    @invariant()
    def the_text_and_trace_of_an_open_turn_are_what_it_said(self) -> None:
        for turn_id in self.open:
            assert self.log.text(turn_id) == self.said[turn_id]
            spans = [entry.length for entry in self.log.trace(turn_id) if isinstance(entry, TextSpan)]
            assert sum(spans) == len(self.said[turn_id])


TestReadersOfALog = ReadersOfALog.TestCase
TestReadersOfALog.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)


class Turn:
    """A turn in a log that may be far along: what is said is noted by places."""

    def __init__(self, *, seq: int = 0) -> None:
        self.log = SessionLog(epoch="e", seq=seq)
        self.log.append("t", UserMessage("go", 0.0))

    def say(self, *pieces: str) -> None:
        for piece in pieces:
            self.log.append("t", TextDelta(piece))

    def think(self, *pieces: str) -> None:
        for piece in pieces:
            self.log.append("t", ThinkingDelta(piece))


def cut(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(bounds) if start < end]


@given(st.text(max_size=60), st.lists(st.integers(0, 60), max_size=8), st.lists(st.integers(0, 60), max_size=8))
@settings(deadline=None)
def test_however_deltas_are_cut_text_and_places_are_the_same(text: str, one: list[int], other: list[int]) -> None:
    logs = []
    for places in (one, other):
        turn = Turn()
        turn.say(*cut(text, places))
        turn.log.append("t", Result(text))
        logs.append(turn.log)
    first, second = logs
    assert first.text("t") == second.text("t") == text
    assert first.trace("t") == second.trace("t")
    assert first.cursor.seq == second.cursor.seq
    for place in range(first.cursor.seq + 1):
        readers = []
        for log in logs:
            reader = Reader()
            log.subscribe(reader, after=Cursor("e", place))
            readers.append(reader)
        assert readers[0].units == readers[1].units


# --- what follows a place ---------------------------------------------------------------------------------------------


def test_a_replayed_answer_comes_in_a_few_pieces_however_small_its_deltas_were() -> None:
    turn, heard = Turn(), list[LoggedEvent]()
    turn.say(*(f"{number} " for number in range(1000)))
    turn.log.subscribe(heard.append, after=Cursor("e", 3))
    text = turn.log.text("t")[2:]
    assert [logged.event for logged in heard] == [
        TextDelta(text[start : start + PIECE_CHARS]) for start in range(0, len(text), PIECE_CHARS)
    ]
    assert [logged.seq for logged in heard[:-1]] == [3 + PIECE_CHARS * number for number in range(1, len(heard))]
    assert heard[-1].seq == turn.log.cursor.seq


def test_every_place_a_replay_names_is_one_to_go_on_from() -> None:
    turn, heard = Turn(), list[LoggedEvent]()
    turn.say("x" * 3000)
    turn.think("y" * 3000)
    turn.log.subscribe(heard.append, after=Cursor("e", 0))
    for logged in heard:
        rest = Reader()
        turn.log.subscribe(rest, after=Cursor("e", logged.seq))
        later = [unit for other in heard if other.seq > logged.seq for unit in units(other.turn_id, other.event)]
        assert rest.units == later


def test_thinking_is_one_run_until_something_else_is_said() -> None:
    turn = Turn()
    turn.think("one ", "two ")
    turn.say("so ")
    turn.think("three")
    turn.log.append("t", SystemStatus("reading"))
    turn.say("be it")
    assert turn.log.trace("t") == [
        Thought(9, "one two "),
        TextSpan(12, 3),
        Thought(17, "three"),
        StatusChange(18, "reading"),
        TextSpan(23, 5),
    ]


def test_a_message_in_between_cuts_a_run_and_nothing_is_misplaced() -> None:
    turn = Turn()
    turn.say("ab")
    turn.log.append("later", UserMessage("and then?", 0.0))
    turn.say("cd")
    assert turn.log.trace("t") == [TextSpan(3, 2), TextSpan(6, 2)]
    heard = list[LoggedEvent]()
    turn.log.subscribe(heard.append, after=Cursor("e", 2))
    assert [(logged.seq, logged.event) for logged in heard] == [
        (3, TextDelta("b")),
        (4, UserMessage("and then?", 0.0)),
        (6, TextDelta("cd")),
    ]


@pytest.mark.parametrize("after", range(12))
def test_a_trace_after_a_place_begins_exactly_there(after: int) -> None:
    turn = Turn()
    turn.say("abcd")
    turn.think("efg")
    turn.log.append("t", ToolActivity("Read"))
    turn.say("hi")
    whole, said = turn.log.trace("t"), turn.log.text("t")
    later = turn.log.trace("t", after=after)
    later_text = said[-sum(entry.length for entry in later if isinstance(entry, TextSpan)) :]
    assert events_after(later, later_text if later else "", after) == events_after(whole, said, after)
    assert len(units_of(later, later_text if later else "")) == 11 - max(after, 1)


def test_a_place_that_was_reserved_is_taken_even_if_what_was_to_come_before_did_not() -> None:
    turn = Turn()
    assert turn.log.append("t", Result(""), seq=5).seq == 5
    assert turn.log.append("next", UserMessage("more", 0.0)).seq == 6
    heard = list[LoggedEvent]()
    turn.log.subscribe(heard.append, after=Cursor("e", 3))
    assert [logged.seq for logged in heard] == [5, 6]


def test_a_place_that_is_taken_is_not_taken_twice() -> None:
    turn = Turn()
    turn.say("abc")
    assert turn.log.append("t", Result("abc"), seq=2).seq == 5


def test_a_log_goes_on_where_storage_says_it_stood() -> None:
    log, heard = SessionLog(epoch="e", seq=40), list[LoggedEvent]()
    assert (log.start, log.cursor) == (40, Cursor("e", 40))
    older = [LoggedEvent(39, "old", TextDelta("x")), LoggedEvent(40, "old", Result("x"))]
    with pytest.raises(CursorGap):
        log.subscribe(heard.append, after=Cursor("e", 38))
    log.append("t", UserMessage("go", 0.0))
    log.append("t", TextDelta("a"))
    log.subscribe(heard.append, after=Cursor("e", 38), older=older)
    log.append("t", TextDelta("b"))
    assert [logged.seq for logged in heard] == [39, 40, 41, 42, 43]


@pytest.mark.parametrize("wrong", [Cursor("another epoch", 1), Cursor("e", 5), Cursor("e", 10**18), Cursor("", 0)])
def test_a_cursor_that_is_not_of_this_log_is_a_gap_and_subscribes_nothing(wrong: Cursor) -> None:
    turn, heard = Turn(), list[LoggedEvent]()
    turn.say("abc")
    with pytest.raises(CursorGap):
        turn.log.subscribe(heard.append, after=wrong)
    with pytest.raises(CursorGap):
        turn.log.subscribe(heard.append, after=wrong, older=[])
    with pytest.raises(CursorGap):
        turn.log.check(wrong)
    turn.say("def")
    assert heard == []
    assert not turn.log.is_followed


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_old_turns_are_let_go_and_the_last_ones_kept() -> None:
    log = SessionLog(epoch="e")
    for number in range(100):
        log.append(f"turn {number}", TextDelta("x" * 50))
        log.append(f"turn {number}", Result("x" * 50))
    with pytest.raises(CursorGap):
        log.subscribe(lambda _: None, after=Cursor("e", 0))
    assert log.start == 51 * 92
    assert log.text("turn 0") == ""
    assert log.end_of("turn 0") is None
    assert log.trace("turn 0") == []
    assert log.text("turn 99") == "x" * 50


def test_a_huge_answer_does_not_stay_in_memory_once_its_turn_has_ended() -> None:
    log = SessionLog(epoch="e")
    log.append("small", TextDelta("x"))
    log.append("small", Result("x"))
    for _ in range(3):
        log.append("huge", TextDelta("x" * 500_000))
    assert len(log.text("huge")) == 1_500_000
    log.append("huge", Result("..."))
    assert log.text("huge") == ""
    assert log.start == log.cursor.seq
    heard = list[LoggedEvent]()
    log.subscribe(heard.append, after=log.cursor)
    log.append("next", TextDelta("hello"))
    assert [logged.event for logged in heard] == [TextDelta("hello")]


def test_what_is_running_is_never_let_go() -> None:
    log = SessionLog(epoch="e")
    for number in range(20):
        log.append(f"turn {number}", Result(""))
    log.append("running", TextDelta("a" * 2_000_000))
    assert len(log.text("running")) == 2_000_000
    heard = list[LoggedEvent]()
    log.subscribe(heard.append, after=Cursor("e", log.cursor.seq - 3))
    assert [logged.event for logged in heard] == [TextDelta("aaa")]


def test_messages_and_ends_are_counted_and_nothing_else_is() -> None:
    turn = Turn()
    assert turn.log.turns_changed == 1
    turn.say("a")
    turn.think("b")
    turn.log.append("t", ToolActivity("Read"))
    turn.log.append("t", SystemStatus(None))
    assert turn.log.turns_changed == 1
    turn.log.append("t", Failed("internal_error", "no"))
    assert turn.log.turns_changed == 2


def test_that_the_session_is_gone_is_told_and_not_logged() -> None:
    turn, heard = Turn(), list[LoggedEvent]()
    turn.log.subscribe(heard.append)
    before = turn.log.cursor
    turn.log.tell(SessionDeleted())
    assert [logged.event for logged in heard] == [SessionDeleted()]
    assert turn.log.cursor == before


# --- cursors ----------------------------------------------------------------------------------------------------------


@given(st.text(min_size=1), st.integers(0, 10**19 - 1))
@settings(deadline=None)
def test_a_cursor_is_what_its_text_says(epoch: str, seq: int) -> None:
    assert Cursor.parse(str(Cursor(epoch, seq))) == Cursor(epoch, seq)


@given(
    st.text(max_size=20)
    | st.sampled_from(["e:", ":1", "e:-1", "e:1.0", "e:²", "e:٣", "e: 1", "e:" + "9" * 20, "e:\x00"])
)
@settings(deadline=None)
def test_any_text_is_a_cursor_or_a_gap(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except CursorGap:
        return
    assert cursor.epoch
    assert cursor.seq >= 0
    assert text.startswith(f"{cursor.epoch}:")
