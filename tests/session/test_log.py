"""The session log: whoever reads it, from wherever, misses nothing and sees nothing twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from sygen_bot.events import (
    Failed,
    Result,
    SessionEvent,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
    UserMessage,
)
from sygen_bot.session.log import Cursor, CursorGap, LoggedEvent, SessionLog

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
    st.builds(UserMessage, st.text(max_size=5), st.floats(0, 1e10)),
)
_ends = st.builds(Result, st.text(max_size=5)) | st.builds(Failed, st.just("internal_error"), st.text(max_size=5))


class ReadersOfALog(RuleBasedStateMachine):
    """Any events of any turns, and readers that come and go anywhere in between."""

    turns = Bundle("turns")

    def __init__(self) -> None:
        super().__init__()
        self.log = SessionLog()
        self.all: list[Unit] = []
        self.said: dict[str, str] = {}
        self.open: set[str] = set()
        self.ended = 0
        self.readers: list[tuple[int, Reader, Callable[[], None]]] = []

    def append(self, turn_id: str, event: SessionEvent) -> None:
        self.all += units(turn_id, event)
        logged = self.log.append(turn_id, event)
        assert (logged.seq, logged.event) == (len(self.all), event)

    @rule(target=turns)
    def begin(self) -> str:
        turn_id = f"turn {len(self.said)}"
        self.said[turn_id] = ""
        self.open.add(turn_id)
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

    @rule(turn_id=turns, event=_ends)
    def end(self, turn_id: str, event: SessionEvent) -> None:
        if turn_id in self.open:
            self.open.remove(turn_id)
            self.append(turn_id, event)
            self.ended += 1

    @rule(data=st.data())
    def subscribe_after_any_place(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.all)))
        reader = Reader()
        try:
            leave = self.log.subscribe(reader, after=Cursor(self.log.epoch, place))
        except CursorGap:
            assert self.ended > 8, "the last turns that ended are always there"
            assert place < len(self.all), "nothing is missing after the newest event"
            assert not reader.units
        else:
            assert reader.units == self.all[place:]
            self.readers.append((place, reader, leave))

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
            assert reader.units == self.all[place:]
            assert reader.places == sorted(reader.places)

    @invariant()
    def the_cursor_is_after_the_newest_event(self) -> None:
        assert self.log.cursor == Cursor(self.log.epoch, len(self.all))
        assert self.log.is_followed == bool(self.readers)

    @invariant()
    def the_text_of_an_open_turn_is_what_it_said(self) -> None:
        for turn_id in self.open:
            assert self.log.text(turn_id) == self.said[turn_id]


TestReadersOfALog = ReadersOfALog.TestCase
TestReadersOfALog.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def cut(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(bounds) if start < end]


@given(st.text(max_size=60), st.lists(st.integers(0, 60), max_size=8), st.lists(st.integers(0, 60), max_size=8))
@settings(deadline=None)
def test_however_deltas_are_cut_text_and_places_are_the_same(text: str, one: list[int], other: list[int]) -> None:
    logs = []
    for places in (one, other):
        log = SessionLog()
        log.append("t", UserMessage("go", 0.0))
        for piece in cut(text, places):
            log.append("t", TextDelta(piece))
        log.append("t", Result(text))
        logs.append(log)
    first, second = logs
    assert first.text("t") == second.text("t") == text
    assert first.cursor.seq == second.cursor.seq
    for place in range(first.cursor.seq + 1):
        readers = []
        for log in logs:
            reader = Reader()
            log.subscribe(reader, after=Cursor(log.epoch, place))
            readers.append(reader)
        assert readers[0].units == readers[1].units


def test_a_replayed_answer_comes_in_one_piece_however_small_its_deltas_were() -> None:
    log, heard = SessionLog(), list[LoggedEvent]()
    for number in range(5000):
        log.append("t", TextDelta(f"{number} "))
    log.subscribe(heard.append, after=Cursor(log.epoch, 2))
    assert [logged.event for logged in heard] == [TextDelta(log.text("t")[2:])]


@pytest.mark.parametrize("ahead", [-1, 1])
def test_a_cursor_that_is_not_of_this_log_is_a_gap_and_subscribes_nothing(ahead: int) -> None:
    log, heard = SessionLog(), list[LoggedEvent]()
    log.append("t", TextDelta("abc"))
    for wrong in (
        Cursor("another epoch", 1),
        Cursor(log.epoch, log.cursor.seq + 1 if ahead > 0 else -1),
        SessionLog().cursor,
    ):
        with pytest.raises(CursorGap):
            log.subscribe(heard.append, after=wrong)
    log.append("t", TextDelta("def"))
    assert heard == []
    assert not log.is_followed


def test_old_turns_are_let_go_and_the_last_ones_kept() -> None:
    log = SessionLog()
    for number in range(100):
        log.append(f"turn {number}", TextDelta("x" * 50))
        log.append(f"turn {number}", Result("x" * 50))
    with pytest.raises(CursorGap):
        log.subscribe(lambda _: None, after=Cursor(log.epoch, 0))
    assert log.text("turn 0") == ""
    assert log.text("turn 99") == "x" * 50


def test_a_huge_answer_does_not_stay_in_memory_once_its_turn_has_ended() -> None:
    log = SessionLog()
    log.append("small", TextDelta("x"))
    log.append("small", Result("x"))
    for _ in range(3):
        log.append("huge", TextDelta("x" * 500_000))
    assert len(log.text("huge")) == 1_500_000
    log.append("huge", Result("..."))
    assert log.text("huge") == ""
    heard = list[LoggedEvent]()
    log.subscribe(heard.append, after=log.cursor)
    log.append("next", TextDelta("hello"))
    assert [logged.event for logged in heard] == [TextDelta("hello")]


def test_what_is_running_is_never_let_go() -> None:
    log = SessionLog()
    for number in range(20):
        log.append(f"turn {number}", Result(""))
    log.append("running", TextDelta("a" * 2_000_000))
    assert len(log.text("running")) == 2_000_000
    heard = list[LoggedEvent]()
    log.subscribe(heard.append, after=Cursor(log.epoch, log.cursor.seq - 3))
    assert [logged.event for logged in heard] == [TextDelta("aaa")]


def test_each_log_has_an_epoch_of_its_own() -> None:
    assert SessionLog().epoch != SessionLog().epoch
    assert str(Cursor("e", 3)) == "e:3"
