"""What an ACP agent says in a turn, as provider events: no I/O, no clock of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sygen_bot.events import Finished, ProviderEvent, SystemStatus, TextDelta, ThinkingDelta, ToolActivity, Usage
from sygen_bot.providers.acp_tools import ToolUse

NOT_ALLOWED: Final = "It was not allowed."
_MAX_LABEL_CHARS: Final = 80
_MODE_UPDATE: Final = re.compile(r"\[MODE_UPDATE\] (\S+)\s*")
"""Gemini CLI says its mode as if it were its answer."""


class TurnEvents:
    """Translates the updates of one turn, in order. All times are seconds of one monotonic clock.

    Updates of a kind that is not known, or of a shape that is not, are passed over.
    """

    def __init__(self, mode_names: Mapping[str, str] | None = None) -> None:
        self._mode_names = mode_names or {}
        self._said: list[str] = []
        self._message_id: object = None
        self._paragraph_due = False
        self._label: str | None = None
        self._running: dict[str, tuple[ToolUse, float]] = {}
        self._over: set[str] = set()
        self._cost_usd: float | None = None

    @property
    def answer(self) -> str:
        """What was said so far."""
        return "".join(self._said)

    @property
    def cost_usd(self) -> float | None:
        """What the whole conversation has cost, as the agent last said."""
        return self._cost_usd

    def of(self, update: Mapping[str, Any], now: float) -> Iterator[ProviderEvent]:
        """The events of one `session/update`."""
        match update:
            case {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": str(text)}} if text:
                if mode := _MODE_UPDATE.fullmatch(text):
                    yield from self._say_label(f"mode: {self._mode_names.get(mode[1], mode[1])}")
                else:
                    yield from self._say(text, update.get("messageId"))
            case {"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": str(text)}} if text:
                yield from self._say_label("thinking")
                yield ThinkingDelta(text)
            case {"sessionUpdate": "tool_call" | "tool_call_update", "toolCallId": str(tool_id)} if tool_id:
                yield from self._of_tool(tool_id, update, now)
            case {"sessionUpdate": "plan", "entries": list(entries)}:
                yield from self._say_label(_plan_label(entries))
            case {"sessionUpdate": "current_mode_update", "currentModeId": str(mode_id)}:
                yield from self._say_label(f"mode: {self._mode_names.get(mode_id, mode_id)}")
            case {"sessionUpdate": "usage_update", "cost": {"amount": int() | float() as amount, "currency": "USD"}}:
                self._cost_usd = float(amount)
            case _:
                pass

    def asked(self, use: ToolUse, now: float) -> Iterator[ProviderEvent]:
        """The agent asks whether it may use a tool. Some say nothing of that use before, or after a no."""
        if use.id not in self._running and use.id not in self._over:
            yield from self._start(use, now)

    def use(self, update: Mapping[str, Any]) -> ToolUse:
        """All that is known of the use that `update` is about. Raises KeyError without an id."""
        tool_id = str(update["toolCallId"])
        known = self._running.get(tool_id)
        return ToolUse.of(update) if known is None else known[0].with_update(update)

    def decided(self, tool_id: str, *, is_allowed: bool, now: float) -> Iterator[ProviderEvent]:
        """The answer was given: what the use takes is counted from now. What may not be is over."""
        known = self._running.get(tool_id)
        if known is None:
            return
        if is_allowed:
            self._running[tool_id] = known[0], now
        else:
            yield self._end(known[0], now, now, output=NOT_ALLOWED, is_error=True)

    def finish(self, usage: Usage | None, model: str | None, now: float, *, note: str = "") -> Iterator[ProviderEvent]:
        """The last events of a turn that has an answer. `note`: why it ends where it does, for people."""
        for use, began in list(self._running.values()):
            yield self._end(use, began, now)
        if note:
            yield from self._say(f"\n\n({note})" if self._said else note, self._message_id)
        yield from self._say_label(None)
        yield Finished(text=None, usage=usage, model=model)

    def _say(self, text: str, message_id: object) -> Iterator[ProviderEvent]:
        yield from self._say_label(None)
        if message_id is not None and self._message_id not in (None, message_id):
            self._paragraph_due = True
        self._message_id = message_id
        if self._paragraph_due and self._said and not text.startswith("\n"):
            text = f"\n\n{text}"
        self._paragraph_due = False
        self._said.append(text)
        yield TextDelta(text)

    def _of_tool(self, tool_id: str, update: Mapping[str, Any], now: float) -> Iterator[ProviderEvent]:
        if tool_id in self._over:
            return
        use = self.use(update)
        known = self._running.get(tool_id)
        if known is None:
            yield from self._start(use, now)
            began = now
        else:
            began = known[1]
            self._running[tool_id] = use, began
        if use.is_over:
            yield self._end(use, began, now)

    def _start(self, use: ToolUse, now: float) -> Iterator[ProviderEvent]:
        self._paragraph_due = True
        self._running[use.id] = use, now
        yield from self._say_label(None)
        yield ToolActivity(use.name, tool_id=use.id, input=use.input)

    def _end(
        self, use: ToolUse, began: float, now: float, *, output: str | None = None, is_error: bool | None = None
    ) -> ToolActivity:
        self._running.pop(use.id, None)
        self._over.add(use.id)
        return ToolActivity(
            use.name,
            tool_id=use.id,
            phase="end",
            output=use.output if output is None else output,
            is_error=use.has_failed if is_error is None else is_error,
            duration_ms=max(0, round((now - began) * 1000)),
        )

    def _say_label(self, label: str | None) -> Iterator[ProviderEvent]:
        if label is not None and len(label) > _MAX_LABEL_CHARS:
            label = f"{label[: _MAX_LABEL_CHARS - 1]}…"
        if label != self._label:
            self._label = label
            yield SystemStatus(label)


def usage_of(result: Mapping[str, Any], cost_usd: float | None) -> tuple[Usage | None, str | None]:
    """What a turn used, and which model it was, as far as the agent tells: the protocol's `usage`, or Gemini CLI's quota."""
    match result:
        case {"usage": {"inputTokens": int(read), "outputTokens": int(written), **more}}:
            thought = more.get("thoughtTokens")
            cached = [
                count for name in ("cachedReadTokens", "cachedWriteTokens") if isinstance(count := more.get(name), int)
            ]
            spent = written + (thought if isinstance(thought, int) else 0)
            return Usage(input_tokens=read + sum(cached), output_tokens=spent, cost_usd=cost_usd), None
        case {"_meta": {"quota": {"token_count": {"input_tokens": int(read), "output_tokens": int(written)}, **quota}}}:
            return Usage(input_tokens=read, output_tokens=written, cost_usd=cost_usd), _last_model(
                quota.get("model_usage")
            )
        case _:
            return (None if cost_usd is None else Usage(cost_usd=cost_usd)), None


def has_no_tokens(result: Mapping[str, Any]) -> bool:
    """Whether Gemini CLI says that its model said nothing: so ends a turn whose stream broke off, as if all were well."""
    match result:
        case {"stopReason": "end_turn", "_meta": {"quota": {"token_count": {"output_tokens": 0}}}}:
            return True
        case _:
            return False


def commands_label(update: Mapping[str, Any]) -> str | None:
    """The agent's own commands in one line; None if it has none."""
    commands = update.get("availableCommands")
    names = [each.get("name") for each in commands if isinstance(each, dict)] if isinstance(commands, list) else []
    named = [f"/{name}" for name in names if isinstance(name, str) and name and " " not in name]
    return f"commands: {' '.join(named)}" if named else None


def _last_model(models: object) -> str | None:
    match models:
        case [*_, {"model": str(model)}]:
            return model
        case _:
            return None


def _plan_label(entries: list[Any]) -> str | None:
    steps = [each for each in entries if isinstance(each, dict) and isinstance(each.get("content"), str)]
    if not steps:
        return None
    done = sum(step.get("status") == "completed" for step in steps)
    open_steps = [step for step in steps if step.get("status") != "completed"]
    current = next((step for step in open_steps if step.get("status") == "in_progress"), next(iter(open_steps), None))
    return f"plan {done}/{len(steps)}" + ("" if current is None else f": {' '.join(current['content'].split())}")
