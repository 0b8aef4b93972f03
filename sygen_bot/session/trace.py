"""The trace of a turn: what happened in it and at which places of the log, without the text that was said.

Kept with the finished turn as JSON, an array of arrays: `["x", seq, length]` a run of text, `["k", seq, text]` thinking,
`["s", seq, label]` a status, `["t", seq, {...}]` a tool's start or end, `["a", seq, {...}]` a request for an approval, `["r", seq, {...}]`
what became of it. `seq` is the place after the entry. Together with the
answer's text it gives every event back, from any place on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from sygen_bot.events import (
    ApprovalRequest,
    ApprovalResolved,
    SessionEvent,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
)


class TextSpan(msgspec.Struct, array_like=True, tag="x", gc=False):
    """`length` code points of the answer, the last of them at `seq`."""

    seq: int
    length: int


class Thought(msgspec.Struct, array_like=True, tag="k", gc=False):
    """A run of thinking, its last code point at `seq`."""

    seq: int
    text: str


class StatusChange(msgspec.Struct, array_like=True, tag="s", gc=False):
    seq: int
    label: str | None


class ToolUse(msgspec.Struct, array_like=True, tag="t"):
    seq: int
    activity: ToolActivity


class ApprovalAsked(msgspec.Struct, array_like=True, tag="a"):
    seq: int
    request: ApprovalRequest


class ApprovalAnswered(msgspec.Struct, array_like=True, tag="r", gc=False):
    seq: int
    resolution: ApprovalResolved


TraceEntry = TextSpan | Thought | StatusChange | ToolUse | ApprovalAsked | ApprovalAnswered

PIECE_CHARS: Final = 1024

_decoder = msgspec.json.Decoder(list[TraceEntry])
_encoder = msgspec.json.Encoder()


def encode_trace(entries: Sequence[TraceEntry]) -> str:
    return _encoder.encode(entries).decode()


def decode_trace(text: str | None) -> list[TraceEntry]:
    """The entries; none for None. Raises msgspec.DecodeError for what `encode_trace` never wrote."""
    return [] if text is None else _decoder.decode(text)


def events_after(entries: Iterable[TraceEntry], answer: str, seq: int) -> list[tuple[int, SessionEvent]]:
    """What the entries say after the place `seq`, each with its own place; a run that `seq` lies in gives its rest.

    Long runs come in pieces, so that a client on a bad line gets ahead with each of them.
    """
    events: list[tuple[int, SessionEvent]] = []
    offset = 0
    for entry in entries:
        if isinstance(entry, TextSpan):
            offset += entry.length
        if entry.seq <= seq:
            continue
        match entry:
            case TextSpan(end, length):
                rest = answer[offset - min(length, end - seq) : offset]
                events += [(place, TextDelta(piece)) for place, piece in _pieces(rest, end)]
            case Thought(end, text):
                rest = text[-(end - seq) :] if end - seq < len(text) else text
                events += [(place, ThinkingDelta(piece)) for place, piece in _pieces(rest, end)]
            case StatusChange(end, label):
                events.append((end, SystemStatus(label)))
            case ToolUse(end, activity):
                events.append((end, activity))
            case ApprovalAsked(end, request):
                events.append((end, request))
            case ApprovalAnswered(end, resolution):
                events.append((end, resolution))
    return events


def _pieces(text: str, end: int) -> Iterator[tuple[int, str]]:
    """`text`, whose last code point is at the place `end`, in pieces with their own places."""
    begin = end - len(text)
    for start in range(0, len(text), PIECE_CHARS):
        piece = text[start : start + PIECE_CHARS]
        yield begin + start + len(piece), piece
