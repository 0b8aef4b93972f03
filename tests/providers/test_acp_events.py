"""What ACP agents say, as provider events; the Gemini messages are as the CLI sent them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sygen_bot.events import Finished, ProviderEvent, SystemStatus, TextDelta, ThinkingDelta, ToolActivity, Usage
from sygen_bot.providers.acp_events import TurnEvents, commands_label, has_no_tokens, usage_of
from sygen_bot.providers.acp_tools import ToolUse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KINDS = (
    *("agent_message_chunk", "agent_thought_chunk", "user_message_chunk", "tool_call", "tool_call_update", "plan"),
    *("current_mode_update", "available_commands_update", "usage_update", "config_option_update"),
)
FIELDS = (
    *("content", "toolCallId", "kind", "status", "title", "rawInput", "rawOutput", "locations", "entries", "cost"),
    *("currentModeId", "availableCommands", "messageId"),
)


def said(text: str, **more: object) -> dict[str, Any]:
    return {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}, **more}


def call(**fields: object) -> dict[str, Any]:
    return {"sessionUpdate": "tool_call", "toolCallId": "t1", "title": "ls", "kind": "execute", **fields}


def update(**fields: object) -> dict[str, Any]:
    return {"sessionUpdate": "tool_call_update", "toolCallId": "t1", **fields}


def heard(*updates: Mapping[str, Any], events: TurnEvents | None = None) -> list[ProviderEvent]:
    events = events or TurnEvents({"plan": "Plan"})
    return [event for number, each in enumerate(updates) for event in events.of(each, float(number))]


def test_a_tool_is_a_pair_with_what_the_updates_add() -> None:
    text = {"type": "content", "content": {"type": "text", "text": "a.txt"}}
    start, end = heard(
        call(rawInput={"command": "ls"}), update(status="in_progress"), update(status="completed", content=[text])
    )
    assert start == ToolActivity("Bash", tool_id="t1", input={"command": "ls"})
    assert end == ToolActivity("Bash", tool_id="t1", phase="end", output="a.txt", duration_ms=2000)


def test_a_tool_that_is_over_at_once_is_a_pair_too_and_is_told_once() -> None:
    events = heard(call(status="failed", rawOutput={"why": "ä"}), update(status="failed"), call(status="completed"))
    assert [(event.phase, event.is_error) for event in events if isinstance(event, ToolActivity)] == [
        ("start", False),
        ("end", True),
    ]
    assert isinstance(events[-1], ToolActivity)
    assert events[-1].output == '{"why": "ä"}'


def test_a_use_that_is_asked_for_again_starts_once_and_counts_from_the_yes() -> None:
    events = TurnEvents()
    use = ToolUse.of({"toolCallId": "t1", "title": "ls", "kind": "execute"})
    started = [*events.asked(use, 0.0), *events.asked(use, 1.0)]
    assert [event.phase for event in started if isinstance(event, ToolActivity)] == ["start"]
    assert list(events.decided("t1", is_allowed=True, now=5.0)) == []
    (end,) = events.of(update(status="completed"), 6.0)
    assert isinstance(end, ToolActivity)
    assert end.duration_ms == 1000


def test_what_was_refused_is_over() -> None:
    events = TurnEvents()
    use = ToolUse.of({"toolCallId": "t1", "title": "ls", "kind": "execute"})
    list(events.asked(use, 0.0))
    (end,) = events.decided("t1", is_allowed=False, now=1.0)
    assert isinstance(end, ToolActivity)
    assert (end.phase, end.is_error) == ("end", True)
    assert heard(update(status="failed"), events=events) == []
    assert list(events.decided("t1", is_allowed=False, now=2.0)) == []


def test_an_open_use_ends_with_the_turn() -> None:
    events = TurnEvents()
    heard(call(), events=events)
    end, finished = events.finish(None, "m", 3.0)
    assert isinstance(end, ToolActivity)
    assert end.phase == "end"
    assert finished == Finished(model="m")


def test_text_after_a_tool_or_of_another_message_is_another_paragraph() -> None:
    events = TurnEvents()
    heard(said("a"), said("b"), call(status="completed"), said("c"), events=events)
    heard(said("d", messageId="1"), said("e", messageId="1"), said("f", messageId="2"), said(""), events=events)
    assert events.answer == "ab\n\ncde\n\nf"


def test_statuses_are_short_and_told_when_they_change() -> None:
    steps = [{"content": "look", "status": "completed"}, {"content": "find\nit " * 40, "status": "in_progress"}, {}]
    thought = {"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": "hm"}}
    events = heard(
        thought,
        thought,
        {"sessionUpdate": "plan", "entries": steps},
        {"sessionUpdate": "current_mode_update", "currentModeId": "plan"},
        said("[MODE_UPDATE] plan"),
        said("hello"),
    )
    labels = [event.label for event in events if isinstance(event, SystemStatus)]
    assert labels[0] == "thinking"
    assert labels[1] is not None
    assert labels[1].startswith("plan 1/2: find it find")
    assert len(labels[1]) == 80
    assert labels[2:] == ["mode: Plan", None]
    assert [event.data for event in events if isinstance(event, ThinkingDelta)] == ["hm", "hm"]
    assert events[-1] == TextDelta("hello")


def test_the_commands_of_the_agent_are_one_line() -> None:
    commands = [{"name": "memory"}, {"name": "memory show"}, {"name": "init"}, {"name": 3}, None]
    assert commands_label({"availableCommands": commands}) == "commands: /memory /init"
    assert commands_label({"availableCommands": []}) is None


@pytest.mark.parametrize(
    ("result", "usage", "model"),
    [
        (
            {
                "usage": {
                    "inputTokens": 10,
                    "outputTokens": 2,
                    "thoughtTokens": 3,
                    "cachedReadTokens": 5,
                    "totalTokens": 20,
                }
            },
            Usage(input_tokens=15, output_tokens=5),
            None,
        ),
        (
            {
                "_meta": {
                    "quota": {
                        "token_count": {"input_tokens": 10, "output_tokens": 2},
                        "model_usage": [{"model": "gemini-2.5-pro", "token_count": {}}],
                    }
                }
            },
            Usage(input_tokens=10, output_tokens=2),
            "gemini-2.5-pro",
        ),
        ({"stopReason": "end_turn"}, None, None),
        ({"usage": {"inputTokens": "many"}}, None, None),
    ],
)
def test_usage_is_what_the_agent_tells(result: dict[str, Any], usage: Usage | None, model: str | None) -> None:
    assert usage_of(result, None) == (usage, model)


def test_a_broken_stream_of_gemini_is_seen_by_its_count() -> None:
    quota = {"quota": {"token_count": {"input_tokens": 0, "output_tokens": 0}, "model_usage": []}}
    assert has_no_tokens({"stopReason": "end_turn", "_meta": quota})
    assert not has_no_tokens({"stopReason": "end_turn"})


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
def test_no_update_of_any_shape_is_an_error(kind: str, fields: dict[str, Any]) -> None:
    events = TurnEvents()
    heard({"sessionUpdate": kind, **fields}, events=events)
    assert isinstance([*events.finish(None, None, 1.0)][-1], Finished)
