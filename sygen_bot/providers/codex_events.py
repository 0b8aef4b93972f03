"""What Codex says, as provider events: no I/O, no clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sygen_bot.errors import ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.events import Finished, ProviderEvent, SystemStatus, TextDelta, ThinkingDelta, ToolActivity, Usage
from sygen_bot.providers.codex_gate import ALLOWED, ASKED, REFUSED
from sygen_bot.providers.codex_tools import ToolUse, bare_command, refusal

GUARDED: Final = frozenset({"commandExecution", "fileChange", "mcpToolCall", "dynamicToolCall", "collabAgentToolCall"})
"""The kinds of items that do something: none may begin that was not allowed."""

Message = Mapping[str, Any]


@dataclass(slots=True)
class _Running:
    name: str
    began: float
    is_item: bool = False
    """Whether Codex itself has told of it; of some uses it never does."""


class TurnEvents:
    """Translates the notifications of one turn, in order. All times are seconds of one monotonic clock.

    Whole messages repeat what was streamed: only what was not streamed is taken from them. Other threads are left out.
    """

    def __init__(self, *, thread_id: str) -> None:
        self._thread_id = thread_id
        self._streamed: set[str] = set()
        self._text_item: str | None = None
        self._label: str | None = None
        self._running: dict[str, _Running] = {}
        self._ended: set[str] = set()
        self._input_tokens = 0
        self._output_tokens = 0
        self.turn_id: str | None = None
        self.model: str | None = None

    @property
    def runs_something(self) -> bool:
        """Whether a tool began that has not ended."""
        return bool(self._running)

    def of_gate(self, message: str, use: ToolUse, now: float) -> Iterator[ProviderEvent]:
        """The events of what the gate has noticed."""
        if message == ASKED and use.id not in self._running:
            self._running[use.id] = _Running(use.tool, now)
            yield ToolActivity(use.tool, tool_id=use.id, input=dict(use.input))
        elif message == ALLOWED and use.id in self._running:
            self._running[use.id].began = now  # without the wait for the decision
        elif message == REFUSED:
            yield from self._end(use.id, now, output=refusal(use.tool), is_error=True)

    def of(self, method: str, params: Message, now: float) -> Iterator[ProviderEvent]:
        """The events of a notification; none for what has no counterpart."""
        if params.get("threadId") != self._thread_id:
            return
        match method, params:
            case "turn/started", {"turn": {"id": str(turn_id)}}:
                self.turn_id = self.turn_id or turn_id
            case "item/agentMessage/delta", {"itemId": str(item_id), "delta": str(text)} if text:
                yield from self._say(item_id, text)
            case "item/reasoning/summaryTextDelta" | "item/reasoning/textDelta", {
                "itemId": str(item_id),
                "delta": str(text),
            } if text:
                self._streamed.add(item_id)
                yield ThinkingDelta(text)
            case "item/reasoning/summaryPartAdded", {"itemId": str(item_id)} if item_id in self._streamed:
                yield ThinkingDelta("\n\n")
            case "item/started", {"item": {"type": str(), "id": str()} as item}:
                yield from self._item_started(item, now)
            case "item/completed", {"item": {"type": str(), "id": str()} as item}:
                yield from self._item_completed(item, now)
            case "thread/tokenUsage/updated", {"turnId": str(turn_id), "tokenUsage": {"last": dict(last)}}:
                if turn_id == self.turn_id:
                    self._input_tokens += _count(last, "inputTokens")
                    self._output_tokens += _count(last, "outputTokens")
                    yield from self._end_untold(now)
            case "turn/plan/updated", {"plan": list(steps)}:
                yield from self._say_label(next((_step(s) for s in steps if isinstance(s, dict) and _step(s)), None))
            case "model/rerouted", {"toModel": str(model)}:
                self.model = model
            case "error", {"willRetry": True}:
                yield from self._say_label("retrying")
            case _:
                pass

    def finish(self, now: float) -> Iterator[ProviderEvent]:
        """The last events of a turn that has an answer."""
        for use_id in list(self._running):
            yield from self._end(use_id, now)
        yield from self._say_label(None)
        usage = Usage(input_tokens=self._input_tokens, output_tokens=self._output_tokens)
        yield Finished(usage=usage, model=self.model)

    def _item_started(self, item: Message, now: float) -> Iterator[ProviderEvent]:
        match item["type"]:
            case "reasoning":
                yield from self._say_label("thinking")
            case "agentMessage":
                yield from self._say_label(None)
            case "contextCompaction":
                yield from self._say_label("compacting")
            case _:
                yield from self._tool_started(item, now)

    def _item_completed(self, item: Message, now: float) -> Iterator[ProviderEvent]:
        item_id = item["id"]
        match item:
            case {"type": "agentMessage", "text": str(text)} if text and item_id not in self._streamed:
                yield from self._say(item_id, text)
            case {"type": "reasoning", "summary": list(parts)} if item_id not in self._streamed:
                text = "\n\n".join(part for part in parts if isinstance(part, str))
                if text:
                    yield ThinkingDelta(text)
            case {"type": "contextCompaction"}:
                yield from self._say_label(None)
            case _:
                yield from self._tool_started(item, now)
                if item_id in self._running:
                    output, is_error = _outcome(item)
                    yield from self._end(item_id, now, output=output, is_error=is_error)

    def _tool_started(self, item: Message, now: float) -> Iterator[ProviderEvent]:
        item_id, tool = item["id"], _tool(item)
        if tool is None or item_id in self._ended:
            return
        if item_id not in self._running:
            name, details = tool
            self._running[item_id] = _Running(name, now)
            yield ToolActivity(name, tool_id=item_id, input=details)
        self._running[item_id].is_item = True

    def _end(self, use_id: str, now: float, *, output: str = "", is_error: bool = False) -> Iterator[ProviderEvent]:
        running = self._running.pop(use_id, None)
        if running is None:
            return
        self._ended.add(use_id)
        duration_ms = max(0, round((now - running.began) * 1000))
        yield ToolActivity(
            running.name, tool_id=use_id, phase="end", output=output, is_error=is_error, duration_ms=duration_ms
        )

    def _end_untold(self, now: float) -> Iterator[ProviderEvent]:
        """The model has its results: the uses that Codex does not tell of have ended too."""
        for use_id in [name for name, running in self._running.items() if not running.is_item]:
            yield from self._end(use_id, now)

    def _say(self, item_id: str, text: str) -> Iterator[ProviderEvent]:
        yield from self._say_label(None)
        if self._text_item is not None and self._text_item != item_id:
            text = f"\n\n{text}"
        self._text_item = item_id
        self._streamed.add(item_id)
        yield TextDelta(text)

    def _say_label(self, label: str | None) -> Iterator[ProviderEvent]:
        if label != self._label:
            self._label = label
            yield SystemStatus(label)


def error_of(turn: Message) -> TurnError | None:
    """What the end of a turn that has no answer means for people; None if it has one. `turn`: as in `turn/completed`."""
    if turn.get("status") == "completed":
        return None
    error = turn.get("error")
    if not isinstance(error, dict):
        return ProviderFailed("Codex stopped before it had an answer.")
    kind, status = _kind(error.get("codexErrorInfo"))
    said = str(error.get("message", "")).lower()
    if status in (401, 403) or kind == "unauthorized":
        return ProviderUnavailable(
            "OpenAI did not accept the login of Codex. Run `codex login` again, or set a valid OPENAI_API_KEY."
        )
    if status == 429 or kind in ("usageLimitExceeded", "rateLimitExceeded"):
        return ProviderUnavailable("The usage limit of Codex is reached. Try again later.")
    if status in (503, 529) or kind == "serverOverloaded":
        return ProviderUnavailable("The model of Codex is overloaded. Try again in a moment.")
    if status == 404:
        return ProviderFailed("The model is not known, or the account may not use it. Choose another one.")
    if kind == "contextWindowExceeded":
        return ProviderFailed("The conversation has become too long for the model. Begin a new one.")
    if kind == "internalServerError":
        return ProviderFailed("The model of Codex failed with a server error (500). Try again later.")
    if status is not None:
        return ProviderFailed(f"The model of Codex answered with the error {status}.")
    if kind == "responseStreamDisconnected" or "stream disconnected" in said or "stream closed" in said:
        return ProviderFailed("The connection to the model broke off in the middle of the answer. Try again.")
    if kind in ("httpConnectionFailed", "responseStreamConnectionFailed") or "error sending request" in said:
        return ProviderUnavailable("The model of Codex cannot be reached. Check the network connection.")
    return ProviderFailed("Codex stopped with an error before it had an answer. The gateway's log says more.")


def _kind(info: object) -> tuple[str | None, int | None]:
    """The name of an error, and the HTTP status that it carries."""
    if isinstance(info, str):
        return info, None
    if isinstance(info, dict) and len(info) == 1:
        ((name, details),) = info.items()
        status = details.get("httpStatusCode") if isinstance(details, dict) else None
        return str(name), status if isinstance(status, int) else None
    return None, None


def _tool(item: Message) -> tuple[str, object] | None:
    """The name for people and the input of an item that is the use of a tool."""
    match item:
        case {"type": "commandExecution", "command": str(command)}:
            return "Bash", {"command": bare_command(command)}
        case {"type": "fileChange", "changes": list(changes)}:
            return "Edit", {"changes": changes}
        case {"type": "mcpToolCall", "server": str(server), "tool": str(tool)}:
            return f"{server}/{tool}", item.get("arguments")
        case {"type": "dynamicToolCall", "tool": str(tool)}:
            return tool, item.get("arguments")
        case {"type": "webSearch"}:
            return "WebSearch", {"query": item.get("query")}
        case {"type": "imageView", "path": str(path)}:
            return "Read", {"path": path}
        case {"type": "imageGeneration"}:
            return "ImageGeneration", {"prompt": item.get("revisedPrompt")}
        case {"type": "sleep"}:
            return "Sleep", {"duration_ms": item.get("durationMs")}
        case {"type": "collabAgentToolCall" | "subAgentActivity"}:
            return "Agent", {"prompt": item.get("prompt")}
        case _:
            return None


def _outcome(item: Message) -> tuple[str, bool]:
    """What a use of a tool gave, as text, and whether it failed."""
    is_error = item.get("status") in ("failed", "declined") or item.get("success") is False
    match item:
        case {"type": "commandExecution"}:
            return str(item.get("aggregatedOutput") or ""), is_error
        case {"type": "fileChange", "changes": list(changes)}:
            return "\n".join(_change(change) for change in changes if isinstance(change, dict)), is_error
        case {"type": "mcpToolCall", "error": {"message": str(message)}}:
            return message, True
        case {"result": {"content": list(parts)}} | {"contentItems": list(parts)}:
            return "\n".join(_part(part) for part in parts if isinstance(part, dict)), is_error
        case _:
            return "", is_error


def _change(change: Message) -> str:
    kind = change.get("kind")
    return f"{kind.get('type', 'change') if isinstance(kind, dict) else 'change'} {change.get('path', '')}"


def _part(part: Message) -> str:
    return str(part.get("text") or f"[{part.get('type', 'data')}]")


def _step(step: Message) -> str | None:
    """The words of a plan's step that is being worked on."""
    text = step.get("step")
    return text if step.get("status") == "inProgress" and isinstance(text, str) and text else None


def _count(usage: Message, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
