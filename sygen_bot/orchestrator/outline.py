"""What an agent did in a turn, as the history shows it: its tools, and in which order it spoke, thought and used them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sygen_bot.events import ToolActivity
from sygen_bot.session.trace import TextSpan, Thought, ToolUse, TraceEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A use of a tool, its start and end together. `output` is None while it runs."""

    name: str
    tool_id: str
    input: object
    output: str | None
    is_error: bool
    duration_ms: int | None


class Spoken(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """The next `chars` code points of the answer."""

    chars: int


class Thinking(msgspec.Struct, frozen=True, tag_field="type", tag="thinking"):
    text: str


class Used(msgspec.Struct, frozen=True, tag_field="type", tag="tool"):
    """The tool at this place among the turn's tools."""

    tool: int


Part = Spoken | Thinking | Used


def outlined(trace: Sequence[TraceEntry], answer: str) -> tuple[list[Tool], list[Part]]:
    """The tools, and the parts in their order: their text makes up the whole answer."""
    tools: dict[str, Tool] = {}
    places: dict[str, int] = {}
    parts: list[Part] = []
    for number, entry in enumerate(trace):
        last = parts[-1] if parts else None
        match entry:
            case TextSpan(_, length):
                if isinstance(last, Spoken):
                    parts[-1] = Spoken(last.chars + length)
                else:
                    parts.append(Spoken(length))
            case Thought(_, text):
                if isinstance(last, Thinking):
                    parts[-1] = Thinking(last.text + text)
                else:
                    parts.append(Thinking(text))
            case ToolUse(_, activity):
                name = activity.tool_id or f"#{number}"
                if name not in tools:
                    places[name] = len(tools)
                    parts.append(Used(places[name]))
                tools[name] = _joined(tools.get(name), activity)
    return list(tools.values()), _covering(parts, len(answer))


def _covering(parts: list[Part], chars: int) -> list[Part]:
    """An answer that came whole, or another one than was streamed, stands at the end."""
    if sum(part.chars for part in parts if isinstance(part, Spoken)) == chars:
        return parts
    others: list[Part] = [part for part in parts if not isinstance(part, Spoken)]
    return [*others, Spoken(chars)] if chars else others


def _joined(start: Tool | None, activity: ToolActivity) -> Tool:
    return Tool(
        name=activity.name,
        tool_id=activity.tool_id,
        input=activity.input if start is None or start.input is None else start.input,
        output=activity.output,
        is_error=activity.is_error,
        duration_ms=activity.duration_ms,
    )
