"""What Claude Code says, as provider events: no I/O, no clock of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from claude_agent_sdk import (
    AssistantMessage,
    ContentBlock,
    Message,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from sygen_bot.errors import ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.events import (
    Finished,
    ProviderEvent,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
    Usage,
)
from sygen_bot.providers.claude_tools import tool_name

_SYNTHETIC: Final = "<synthetic>"
"""The model of messages that the CLI wrote itself."""
_ERROR_TAG: Final = re.compile(r"</?tool_use_error>")


class TurnEvents:
    """Translates the messages of one turn, in order. All times are seconds of one monotonic clock.

    Whole messages repeat what was streamed: text and thinking are taken from the stream, uses of tools from the whole
    messages. What a subagent says is not part of the answer; the tools it uses are shown.
    """

    def __init__(self) -> None:
        self._streamed: set[str] = set()
        self._spoken = False
        self._in_text = False
        self._paragraph_due = False
        self._unstreamed: list[str] = []
        self._label: str | None = None
        self._running: dict[str, tuple[str, float]] = {}
        self._model: str | None = None

    def of(self, message: Message, now: float) -> Iterator[ProviderEvent]:
        """The events of `message`; none for what has no counterpart."""
        match message:
            case StreamEvent(parent_tool_use_id=None):
                yield from self._of_stream(message.event)
            case AssistantMessage():
                yield from self._of_whole(message, now)
            case UserMessage(content=list(blocks)):
                yield from self._ends(blocks, now)
            case SystemMessage(subtype="status"):
                status = message.data.get("status")
                yield from self._say_label(status if isinstance(status, str) and status else None)
            case SystemMessage(subtype="api_retry"):
                yield from self._say_label("retrying")
            case _:
                pass

    def allowed(self, tool_id: str, now: float) -> None:
        """The use `tool_id` may go ahead: what it takes is counted from now, without the wait for the decision."""
        if tool_id in self._running:
            self._running[tool_id] = self._running[tool_id][0], now

    def finish(self, result: ResultMessage, cost_usd: float | None) -> Iterator[ProviderEvent]:
        """The last events of a turn that has an answer. `cost_usd`: of this turn alone."""
        yield from self._say_label(None)
        unstreamed = "\n\n".join(self._unstreamed)
        text = None
        if not self._spoken:
            text = unstreamed or result.result or None
        elif unstreamed:
            yield TextDelta(f"\n\n{unstreamed}")
        yield Finished(text=text, usage=_usage(result.usage or {}, cost_usd), model=self._model)

    def _of_stream(self, event: Mapping[str, Any]) -> Iterator[ProviderEvent]:
        match event:
            case {"type": "message_start", "message": {"id": str(message_id)}}:
                self._streamed.add(message_id)
            case {"type": "content_block_start", "content_block": {"type": str(kind)}}:
                yield from self._say_label("thinking" if kind.endswith("thinking") else None)
                # A stream that broke off is taken up again in the middle of its text: then no paragraph begins.
                self._paragraph_due = kind == "text" and self._spoken and not self._in_text
                self._in_text = kind == "text"
            case {"type": "content_block_stop"}:
                self._in_text = False
            case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(text)}} if text:
                yield from self._say(text)
            case {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": str(text)}} if text:
                yield ThinkingDelta(text)
            case _:
                pass

    def _say(self, text: str) -> Iterator[ProviderEvent]:
        if self._unstreamed:
            text = "\n\n".join([*self._unstreamed, text])
            self._unstreamed = []
        if self._paragraph_due:
            text = f"\n\n{text}"
        self._paragraph_due = False
        self._spoken = True
        yield TextDelta(text)

    def _of_whole(self, message: AssistantMessage, now: float) -> Iterator[ProviderEvent]:
        own = message.parent_tool_use_id is None
        if own and message.model != _SYNTHETIC:
            self._model = message.model
        # The text of an error is not the agent's: the result tells what went wrong.
        says = own and message.error is None and message.message_id not in self._streamed
        for block in message.content:
            match block:
                case ToolUseBlock():
                    self._running[block.id] = block.name, now
                    yield ToolActivity(tool_name(block.name), tool_id=block.id, input=block.input)
                case TextBlock(text) if says and text:
                    self._unstreamed.append(text)
                case ThinkingBlock(text) if says and text:
                    yield ThinkingDelta(text)
                case _:
                    pass

    def _ends(self, blocks: Iterable[ContentBlock], now: float) -> Iterator[ProviderEvent]:
        for block in blocks:
            if isinstance(block, ToolResultBlock) and block.tool_use_id in self._running:
                name, began = self._running.pop(block.tool_use_id)
                yield ToolActivity(
                    tool_name(name),
                    tool_id=block.tool_use_id,
                    phase="end",
                    output=_output(block.content),
                    is_error=bool(block.is_error),
                    duration_ms=max(0, round((now - began) * 1000)),
                )

    def _say_label(self, label: str | None) -> Iterator[ProviderEvent]:
        if label != self._label:
            self._label = label
            yield SystemStatus(label)


def error_of(result: ResultMessage) -> TurnError | None:
    """What a result that is an error means for people; None if it is an answer.

    An error of the API has `subtype="success"`: only `is_error` tells.
    """
    if not result.is_error:
        return None
    status = result.api_error_status
    said = (result.result or "").lower()
    if status in (401, 403) or "/login" in said:
        return ProviderUnavailable(
            "Claude did not accept the login. Run `claude` once and log in again, or set a valid ANTHROPIC_API_KEY."
        )
    if status == 429:
        return ProviderUnavailable("Claude's usage limit is reached. Try again later.")
    if status in (503, 529):
        return ProviderUnavailable("Claude is overloaded. Try again in a moment.")
    if status == 404:
        return ProviderFailed("Claude does not know this model, or the account may not use it. Choose another one.")
    if status is not None:
        return ProviderFailed(f"Claude's API answered with the error {status}.")
    if result.terminal_reason == "api_error":
        return ProviderUnavailable("Claude's API cannot be reached. Check the network connection.")
    return ProviderFailed("Claude Code stopped before it had an answer.")


def _usage(usage: Mapping[str, object], cost_usd: float | None) -> Usage:
    def count(*names: str) -> int:
        return sum(value for name in names if isinstance(value := usage.get(name), int))

    return Usage(
        input_tokens=count("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
        output_tokens=count("output_tokens"),
        cost_usd=cost_usd,
    )


def _output(content: object) -> str:
    """A tool's result as text. Parts that are no text are named by their type."""
    if isinstance(content, str):
        return _ERROR_TAG.sub("", content)
    if not isinstance(content, list):
        return ""
    parts = (part for part in content if isinstance(part, dict))
    return "\n".join(str(part.get("text") or f"[{part.get('type', 'data')}]") for part in parts)
