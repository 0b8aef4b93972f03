"""The stored trace of a turn: with the answer's text it gives every event back, from any place on."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sygen_bot.events import SessionEvent, SystemStatus, TextDelta, ThinkingDelta, ToolActivity, UserMessage
from sygen_bot.session.log import LoggedEvent, SessionLog
from sygen_bot.session.text import one_line, speakable
from sygen_bot.session.trace import (
    PIECE_CHARS,
    TextSpan,
    Thought,
    ToolUse,
    TraceEntry,
    decode_trace,
    encode_trace,
    events_after,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
TOOLS = st.builds(
    ToolActivity,
    TEXTS,
    TEXTS,
    st.sampled_from(["start", "end"]),
    JSON,
    st.none() | TEXTS,
    st.booleans(),
    st.none() | st.integers(0, 2**40),
    st.booleans(),
)
SAYINGS = st.one_of(
    TEXTS.filter(bool).map(TextDelta),
    TEXTS.filter(bool).map(ThinkingDelta),
    st.builds(SystemStatus, st.none() | TEXTS),
    TOOLS,
)


def flat(events: list[tuple[int, SessionEvent]]) -> list[tuple[int, object]]:
    """Events by places, deltas by characters."""
    found: list[tuple[int, object]] = []
    for seq, event in events:
        if isinstance(event, TextDelta | ThinkingDelta):
            first = seq - len(event.data) + 1
            found += [(first + number, (type(event), character)) for number, character in enumerate(event.data)]
        else:
            found.append((seq, event))
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(SAYINGS | st.just(None), max_size=12), st.integers(0, 1000))
def test_what_was_said_comes_back_from_storage_as_it_was_told_from_any_place_on(
    said: list[SessionEvent | None], begin: int
) -> None:
    log, told = SessionLog(epoch="e", seq=begin), list[LoggedEvent]()
    log.subscribe(told.append)
    for event in said:
        if event is None:  # a message of the next turn, in between
            log.append("other", UserMessage("and", 0.0))
        else:
            log.append("t", event)
    trace, answer = decode_trace(encode_trace(log.trace("t"))), log.text("t")
    assert trace == log.trace("t")
    expected = flat([(logged.seq, logged.event) for logged in told if logged.turn_id == "t"])
    for place in range(begin, log.cursor.seq + 1):
        assert flat(events_after(trace, answer, place)) == [entry for entry in expected if entry[0] > place]
        assert flat(
            events_after(log.trace("t", after=place), answer[len(answer) - length_after(log, place) :], place)
        ) == [entry for entry in expected if entry[0] > place]


def length_after(log: SessionLog, place: int) -> int:
    return sum(entry.length for entry in log.trace("t", after=place) if isinstance(entry, TextSpan))


@pytest.mark.parametrize("kind", [TextDelta, ThinkingDelta])
@pytest.mark.parametrize("length", [1, PIECE_CHARS - 1, PIECE_CHARS, PIECE_CHARS + 1, 5 * PIECE_CHARS])
def test_long_runs_come_in_pieces_of_one_size_that_name_their_own_places(
    kind: type[TextDelta | ThinkingDelta], length: int
) -> None:
    text = "".join(chr(0x4E00 + number % 1000) for number in range(length))
    trace: list[TraceEntry] = [TextSpan(10 + length, length)] if kind is TextDelta else [Thought(10 + length, text)]
    events = events_after(trace, text if kind is TextDelta else "", 10)
    pieces = [event.data for _, event in events if isinstance(event, kind)]
    assert "".join(pieces) == text
    assert {len(piece) for piece in pieces[:-1]} <= {PIECE_CHARS}
    assert 0 < len(pieces[-1]) <= PIECE_CHARS
    assert flat(events)[0][0] == 11
    assert events[-1][0] == 10 + length


def test_the_stored_form_is_small_json_that_older_and_newer_versions_can_read() -> None:
    trace: list[TraceEntry] = [TextSpan(3, 2), Thought(5, "ä\0"), ToolUse(6, ToolActivity("Read", "1", input={"a": 1}))]
    text = encode_trace(trace)
    assert text.startswith('[["x",3,2],["k",5,"ä\\u0000"],["t",6,{"name":"Read","tool_id":"1",')
    assert "\0" not in text
    assert decode_trace(text) == trace
    assert decode_trace(None) == []


@pytest.mark.parametrize("text", ["", "{}", '[["?",1]]', "[1]", '[["x"]]', "nonsense"])
def test_what_was_never_written_is_not_read(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_trace(text)


@given(st.text() | st.sampled_from(["\0", "\ud800", "\udfff\ud800", "a\0b", "\u202eabc", "\ufeff"]))
@settings(deadline=None)
def test_speakable_text_has_its_length_and_fits_everywhere(text: str) -> None:
    clean = speakable(text)
    assert len(clean) == len(text), "places in the log are counted in characters"
    assert "\0" not in clean
    assert clean.encode().decode() == clean
    assert all(
        new == old or (new == "\ufffd" and (old == "\0" or "\ud800" <= old <= "\udfff"))
        for new, old in zip(clean, text, strict=True)
    )


@given(st.text() | st.sampled_from(["a\r\nb", "\x1b[31mred", "\x85", "  ", "\u2028a"]))
@settings(deadline=None)
def test_a_title_is_one_line_without_control_characters(text: str) -> None:
    line = one_line(text)
    assert line == line.strip()
    assert "  " not in line
    assert len(line.splitlines()) <= 1
    assert not any(letter < " " or "\x7f" <= letter <= "\x9f" for letter in line)
    assert one_line(line) == line
