"""What Claude Code says, translated: no process, only messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from sygen_bot.errors import ProviderFailed, ProviderUnavailable
from sygen_bot.events import (
    Finished,
    ProviderEvent,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
    Usage,
)
from sygen_bot.providers.claude_events import TurnEvents, error_of


def stream(event: dict[str, Any], parent: str | None = None) -> StreamEvent:
    return StreamEvent(uuid="u", session_id="s", event=event, parent_tool_use_id=parent)


def begin(message_id: str) -> StreamEvent:
    return stream({"type": "message_start", "message": {"id": message_id}})


def block(kind: str) -> StreamEvent:
    return stream({"type": "content_block_start", "index": 0, "content_block": {"type": kind}})


def delta(kind: str, text: str, parent: str | None = None) -> StreamEvent:
    name = {"text_delta": "text", "thinking_delta": "thinking"}[kind]
    return stream({"type": "content_block_delta", "index": 0, "delta": {"type": kind, name: text}}, parent)


STOP = stream({"type": "content_block_stop", "index": 0})


def status(label: str | None) -> SystemMessage:
    return SystemMessage(subtype="status", data={"status": label})


def result(**fields: Any) -> ResultMessage:
    usual: dict[str, Any] = {
        "subtype": "success",
        "duration_ms": 1,
        "duration_api_ms": 1,
        "is_error": False,
        "num_turns": 1,
        "session_id": "s",
    }
    return ResultMessage(**usual | fields)


def translated(messages: Iterable[Any], end: ResultMessage | None = None) -> list[ProviderEvent]:
    turn = TurnEvents()
    events = [event for number, message in enumerate(messages) for event in turn.of(message, float(number))]
    return events if end is None else [*events, *turn.finish(end, 0.5)]


def test_streamed_text_is_said_once() -> None:
    whole = AssistantMessage([TextBlock("one two")], model="claude-x", message_id="m1")
    heard = translated(
        [begin("m1"), block("text"), delta("text_delta", "one "), delta("text_delta", "two"), whole, STOP]
    )
    assert heard == [TextDelta("one "), TextDelta("two")]


def test_paragraphs_are_kept_apart_but_a_text_that_broke_off_is_taken_up() -> None:
    first = [begin("m1"), block("text"), delta("text_delta", "one")]
    second = [begin("m2"), block("text"), delta("text_delta", "two")]
    assert translated([*first, STOP, *second]) == [TextDelta("one"), TextDelta("\n\ntwo")]
    assert translated([*first, *second]) == [TextDelta("one"), TextDelta("two")]


def test_what_was_not_streamed_comes_with_the_end_or_in_its_place() -> None:
    whole = AssistantMessage([TextBlock("whole")], model="<synthetic>", message_id="m0")
    streamed = [begin("m1"), block("text"), delta("text_delta", "streamed"), STOP]
    assert translated([whole], result())[-1] == Finished(text="whole", usage=Usage(cost_usd=0.5), model=None)
    assert translated([], result(result="only here"))[-1] == Finished(text="only here", usage=Usage(cost_usd=0.5))
    assert translated([whole, *streamed]) == [TextDelta("whole\n\nstreamed")]
    after = translated([*streamed, whole], result(result="whole"))
    assert after[:2] == [TextDelta("streamed"), TextDelta("\n\nwhole")]
    assert isinstance(after[-1], Finished)
    assert after[-1].text is None


def test_the_text_of_an_error_is_not_an_answer() -> None:
    error = AssistantMessage([TextBlock("API Error: 500")], model="<synthetic>", error="server_error", message_id="m")
    assert translated([error]) == []


def test_thinking_is_told_and_labelled_and_the_label_is_cleared() -> None:
    whole = AssistantMessage([ThinkingBlock("hm", "signature")], model="claude-x", message_id="m1")
    messages = [status("requesting"), begin("m1"), block("thinking"), delta("thinking_delta", "hm"), whole, STOP]
    assert translated([*messages, block("text")]) == [
        SystemStatus("requesting"),
        SystemStatus("thinking"),
        ThinkingDelta("hm"),
        SystemStatus(None),
    ]


def test_a_label_is_told_when_it_changes_and_not_left_over() -> None:
    heard = translated([status("compacting"), status("compacting"), status(None), status("requesting")], result())
    labels = [event.label for event in heard if isinstance(event, SystemStatus)]
    assert labels == ["compacting", None, "requesting", None]


def test_a_tool_has_a_start_with_its_input_and_an_end_with_its_output_and_duration() -> None:
    turn = TurnEvents()
    use = AssistantMessage([ToolUseBlock("t1", "mcp__github__search", {"q": "x"})], model="claude-x")
    start = list(turn.of(use, 10.0))
    turn.allowed("t1", 15.0)
    content: list[dict[str, Any]] = [{"type": "text", "text": "found"}, {"type": "image", "source": {}}]
    end = list(turn.of(UserMessage([ToolResultBlock("t1", content, is_error=None)]), 15.25))
    assert start == [ToolActivity("github/search", tool_id="t1", input={"q": "x"})]
    assert end == [
        ToolActivity(
            "github/search", tool_id="t1", phase="end", output="found\n[image]", is_error=False, duration_ms=250
        )
    ]


def test_the_end_of_a_tool_that_nobody_started_is_passed_over() -> None:
    assert translated([UserMessage([ToolResultBlock("t9", "x")]), UserMessage("text"), UserMessage([])]) == []


def test_a_subagent_is_seen_at_work_but_not_heard() -> None:
    says = AssistantMessage([TextBlock("psst"), ToolUseBlock("t2", "Read", {})], model="other", parent_tool_use_id="t1")
    heard = translated([delta("text_delta", "psst", parent="t1"), says], result())
    assert heard[0] == ToolActivity("Read", tool_id="t2", input={})
    assert heard[1:] == [Finished(usage=Usage(cost_usd=0.5))]


def test_usage_counts_all_input() -> None:
    usage = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 300,
        "output_tokens": 7,
        "x": 9,
    }
    whole = AssistantMessage([TextBlock("a")], model="claude-x", message_id="m")
    assert translated([whole], result(usage=usage))[-1] == Finished("a", Usage(321, 7, 0.5), "claude-x")


def test_unknown_messages_and_events_are_passed_over() -> None:
    odd = [
        stream({}),
        stream({"type": "content_block_delta", "delta": {"type": "text_delta"}}),
        stream({"type": "new"}),
    ]
    assert translated([*odd, SystemMessage(subtype="novelty", data={}), status("")]) == []


@pytest.mark.parametrize(
    ("fields", "kind", "hint"),
    [
        ({"api_error_status": 401}, ProviderUnavailable, "log in"),
        ({"result": "Not logged in · Please run /login"}, ProviderUnavailable, "log in"),
        ({"api_error_status": 429}, ProviderUnavailable, "limit"),
        ({"api_error_status": 503}, ProviderUnavailable, "overloaded"),
        ({"terminal_reason": "api_error", "result": "API Error: /home/me"}, ProviderUnavailable, "reached"),
        ({"api_error_status": 418}, ProviderFailed, "418"),
        ({"subtype": "error_max_turns", "errors": ["/home/me"]}, ProviderFailed, "stopped"),
    ],
)
def test_results_that_are_errors(fields: dict[str, Any], kind: type[Exception], hint: str) -> None:
    error = error_of(result(**{"is_error": True} | fields))
    assert type(error) is kind
    assert hint in str(error)
    assert "/home" not in str(error)


def test_success_is_told_by_the_flag_alone() -> None:
    assert error_of(result()) is None
    assert error_of(result(is_error=True)) is not None
