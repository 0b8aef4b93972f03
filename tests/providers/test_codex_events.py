"""What Codex says, as it was recorded from the real app-server, becomes provider events."""

from __future__ import annotations

from typing import Any

import pytest

from sygen_bot.errors import ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.events import Finished, ProviderEvent, SystemStatus, TextDelta, ThinkingDelta, ToolActivity, Usage
from sygen_bot.providers.codex_events import TurnEvents, error_of
from sygen_bot.providers.codex_gate import ALLOWED, ASKED, REFUSED
from sygen_bot.providers.codex_tools import ToolUse

THREAD, TURN = "01a20f28-765a-7822-8630-d7fcf2a4284c", "01a20f28-766c-7d73-a679-acf265867090"
COMMAND: dict[str, Any] = {
    "type": "commandExecution",
    "id": "call_4",
    "pluginId": None,
    "command": "/bin/bash -lc 'ls x'",
    "cwd": "/w",
    "processId": "81611",
    "source": "unifiedExecStartup",
    "status": "inProgress",
    "commandActions": [{"type": "listFiles", "command": "ls x", "path": "x"}],
    "aggregatedOutput": None,
    "exitCode": None,
    "durationMs": None,
}
MCP_RESULT = {
    "content": [{"type": "text", "text": "poked"}, {"type": "image"}],
    "structuredContent": None,
    "_meta": None,
}


class Heard:
    """The events of one turn, from its messages."""

    def __init__(self) -> None:
        self.turn = TurnEvents(thread_id=THREAD)
        self.turn.turn_id, self.turn.model = TURN, "gpt"

    def __call__(self, method: str, now: float = 0.0, **params: object) -> list[ProviderEvent]:
        return list(self.turn.of(method, {"threadId": THREAD, "turnId": TURN, **params}, now))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_text_is_streamed_and_two_messages_are_two_paragraphs(heard: Heard) -> None:
    message = {"type": "agentMessage", "id": "msg_3", "text": "", "phase": None}
    assert heard("item/started", item=message) == []
    assert heard("item/agentMessage/delta", itemId="msg_3", delta="one ") == [TextDelta("one ")]
    assert heard("item/agentMessage/delta", itemId="msg_3", delta="two") == [TextDelta("two")]
    assert heard("item/completed", item=message | {"text": "one two"}) == []
    assert heard("item/agentMessage/delta", itemId="msg_8", delta="three") == [TextDelta("\n\nthree")]
    assert heard("item/completed", item=message | {"id": "msg_9", "text": "unstreamed"}) == [
        TextDelta("\n\nunstreamed")
    ]


def test_reasoning_is_thinking_and_a_status(heard: Heard) -> None:
    thought = {"type": "reasoning", "id": "rs_2", "summary": [], "content": []}
    assert heard("item/started", item=thought) == [SystemStatus("thinking")]
    assert heard("item/reasoning/summaryPartAdded", itemId="rs_2", summaryIndex=0) == []
    delta = heard("item/reasoning/summaryTextDelta", itemId="rs_2", delta="deep", summaryIndex=0)
    assert delta == [ThinkingDelta("deep")]
    assert heard("item/reasoning/summaryPartAdded", itemId="rs_2", summaryIndex=1) == [ThinkingDelta("\n\n")]
    assert heard("item/completed", item=thought | {"summary": ["deep"]}) == []
    assert heard("item/completed", item=thought | {"id": "rs_3", "summary": ["a", "b"]}) == [ThinkingDelta("a\n\nb")]
    assert heard("item/started", item={"type": "agentMessage", "id": "m", "text": ""}) == [SystemStatus(None)]


def test_a_command_that_was_asked_for_is_told_once_and_its_wait_does_not_count(heard: Heard) -> None:
    use = ToolUse("call_4", "Bash", {"command": "ls x"})
    start = ToolActivity("Bash", tool_id="call_4", input={"command": "ls x"})
    assert list(heard.turn.of_gate(ASKED, use, 1.0)) == [start]
    assert list(heard.turn.of_gate(ALLOWED, use, 60.0)) == []
    assert heard("item/started", 60.0, item=COMMAND) == []
    assert heard.turn.runs_something
    end = COMMAND | {"status": "completed", "aggregatedOutput": "x\n", "exitCode": 0, "durationMs": 5}
    assert heard("item/completed", 60.5, item=end) == [
        ToolActivity("Bash", tool_id="call_4", phase="end", output="x\n", duration_ms=500)
    ]
    assert heard("item/completed", 61.0, item=end) == []
    assert not heard.turn.runs_something


def test_a_refused_use_ends_with_the_refusal(heard: Heard) -> None:
    use = ToolUse("call_4", "Bash", {"command": "ls x"})
    list(heard.turn.of_gate(ASKED, use, 1.0))
    (end,) = heard.turn.of_gate(REFUSED, use, 1.0)
    assert isinstance(end, ToolActivity)
    assert (end.phase, end.is_error) == ("end", True)
    assert heard("item/completed", item=COMMAND | {"status": "declined"}) == []


def test_a_use_that_codex_does_not_tell_of_ends_when_the_model_goes_on(heard: Heard) -> None:
    list(heard.turn.of_gate(ASKED, ToolUse("call_1", "Read", {"path": "x"}), 1.0))
    heard("item/started", item=COMMAND)
    usage = {"last": {"inputTokens": 1, "outputTokens": 1}}
    assert heard("thread/tokenUsage/updated", 2.0, tokenUsage=usage) == [
        ToolActivity("Read", tool_id="call_1", phase="end", output="", duration_ms=1000)
    ]
    assert heard.turn.runs_something, "the command goes on"


@pytest.mark.parametrize(
    ("item", "name", "given", "output", "is_error"),
    [
        (COMMAND | {"status": "failed", "exitCode": 1}, "Bash", {"command": "ls x"}, "", True),
        (
            {
                "type": "fileChange",
                "changes": [{"path": "/w/a", "kind": {"type": "add"}, "diff": "x"}],
                "status": "completed",
            },
            "Edit",
            {"changes": [{"path": "/w/a", "kind": {"type": "add"}, "diff": "x"}]},
            "add /w/a",
            False,
        ),
        (
            {
                "type": "mcpToolCall",
                "server": "s",
                "tool": "t",
                "arguments": {"a": 1},
                "status": "completed",
                "result": MCP_RESULT,
            },
            "s/t",
            {"a": 1},
            "poked\n[image]",
            False,
        ),
        (
            {
                "type": "mcpToolCall",
                "server": "s",
                "tool": "t",
                "arguments": {},
                "status": "failed",
                "error": {"message": "no"},
            },
            "s/t",
            {},
            "no",
            True,
        ),
        ({"type": "webSearch", "query": "x", "action": None, "results": None}, "WebSearch", {"query": "x"}, "", False),
        ({"type": "imageView", "path": "/w/i.png"}, "Read", {"path": "/w/i.png"}, "", False),
        ({"type": "sleep", "durationMs": 10}, "Sleep", {"duration_ms": 10}, "", False),
    ],
)
def test_every_kind_of_tool_is_told_with_its_start_and_end(
    heard: Heard, item: dict[str, object], name: str, given: object, output: str, is_error: bool
) -> None:
    start, end = heard("item/completed", item=item | {"id": "i"})
    assert start == ToolActivity(name, tool_id="i", input=given)
    assert end == ToolActivity(name, tool_id="i", phase="end", output=output, is_error=is_error, duration_ms=0)


def test_usage_is_that_of_this_turn_alone_and_the_model_is_the_one_that_answered(heard: Heard) -> None:
    usage = {"last": {"totalTokens": 110, "inputTokens": 100, "cachedInputTokens": 90, "outputTokens": 10}}
    for turn_id in (TURN, TURN, "an-earlier-turn"):
        heard("thread/tokenUsage/updated", turnId=turn_id, tokenUsage=usage)
    heard("model/rerouted", fromModel="gpt", toModel="gpt-other", reason="x")
    assert list(heard.turn.finish(0.0))[-1] == Finished(
        usage=Usage(input_tokens=200, output_tokens=20), model="gpt-other"
    )


def test_plans_retries_and_compaction_are_a_status(heard: Heard) -> None:
    steps = [{"step": "read", "status": "completed"}, {"step": "write", "status": "inProgress"}]
    assert heard("turn/plan/updated", explanation=None, plan=steps) == [SystemStatus("write")]
    assert heard("error", error={"message": "x"}, willRetry=True) == [SystemStatus("retrying")]
    assert heard("item/started", item={"type": "contextCompaction", "id": "c"}) == [SystemStatus("compacting")]
    assert heard("item/completed", item={"type": "contextCompaction", "id": "c"}) == [SystemStatus(None)]


def test_another_thread_and_unknown_things_are_passed_over(heard: Heard) -> None:
    assert heard("item/agentMessage/delta", threadId="another", itemId="x", delta="x") == []
    assert heard("item/agentMessage/delta", itemId="x", delta="") == []
    assert heard("item/started", item={"type": "of the future", "id": "x"}) == []
    assert heard("item/started", item=None) == []
    assert heard("of/the/future") == []


@pytest.mark.parametrize(
    ("info", "message", "kind", "hint"),
    [
        (
            {"httpConnectionFailed": {"httpStatusCode": 401}},
            "unexpected status 401",
            ProviderUnavailable,
            "codex login",
        ),
        ("unauthorized", "x", ProviderUnavailable, "codex login"),
        ({"responseTooManyFailedAttempts": {"httpStatusCode": 429}}, "exceeded", ProviderUnavailable, "limit"),
        ("usageLimitExceeded", "You've hit your usage limit", ProviderUnavailable, "limit"),
        ("serverOverloaded", "x", ProviderUnavailable, "overloaded"),
        ("contextWindowExceeded", "x", ProviderFailed, "too long"),
        ("internalServerError", "high demand", ProviderFailed, "500"),
        ({"httpConnectionFailed": {"httpStatusCode": 418}}, "x", ProviderFailed, "418"),
        ({"httpConnectionFailed": {"httpStatusCode": None}}, "x", ProviderUnavailable, "reached"),
        ("other", "stream disconnected before completion: ...", ProviderFailed, "broke off"),
        ("other", "/secret/path sk-key", ProviderFailed, "log"),
        (None, "x", ProviderFailed, "log"),
    ],
)
def test_an_error_is_a_sentence_for_people(info: object, message: str, kind: type[TurnError], hint: str) -> None:
    error = error_of({"status": "failed", "error": {"message": message, "codexErrorInfo": info}})
    assert type(error) is kind
    assert hint in str(error)
    assert "secret" not in str(error)


def test_a_turn_that_completed_has_no_error_and_one_that_was_stopped_has() -> None:
    assert error_of({"status": "completed", "error": None}) is None
    assert isinstance(error_of({"status": "interrupted", "error": None}), ProviderFailed)
