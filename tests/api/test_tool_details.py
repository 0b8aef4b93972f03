"""Tools in detail and thinking, for clients that asked for `"tools": "full"`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sygen_bot.events import TextDelta, ThinkingDelta, ToolActivity
from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.agents import Agent
from tests.api.conftest import Serve
from tests.api.wire import Event, client, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

MOST = 16 * 1024


def tools(events: list[Event]) -> list[Event]:
    return [event for event in events if event["type"] == "tool_activity"]


async def used(serve: Serve, *activities: ToolActivity) -> list[Event]:
    """What a client in the know is told of these, after the plain fields."""
    async with serve(providers=[Agent(*activities)]) as gateway, client(gateway, tools="full") as peer:
        told = tools(await peer.ask("go"))
        assert len(told) == len(activities)
        return told


async def test_tools_come_with_their_start_and_end_and_thinking_is_told(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, tools="full") as peer:
        events = await peer.ask('THINK let me see\nTOOL Read {"path": "/a", "lines": [1, 2]}\nSAY read')
        thinking, start, end, *rest = events
        assert thinking == {"type": "thinking_delta", "data": "let me see"}
        assert start == {
            "type": "tool_activity",
            "data": "Read",
            "tool_id": start["tool_id"],
            "phase": "start",
            "input": {"path": "/a", "lines": [1, 2]},
        }
        assert start["tool_id"]
        assert end == {
            "type": "tool_activity",
            "data": "Read",
            "tool_id": start["tool_id"],
            "phase": "end",
            "output": "done",
            "duration_ms": 0,
        }
        assert said(rest) == rest[-1]["text"] == "read", "thinking is no part of the answer"


@pytest.mark.parametrize("asked", [None, "short", "FULL", True, 1, ["full"], {"full": True}])
async def test_who_did_not_ask_for_it_hears_that_a_tool_is_used_and_no_more(
    gateway: Gateway, chat: int, asked: object
) -> None:
    async with client(gateway, chat_id=chat, tools=asked) as peer:
        assert (await peer.ask('THINK well\nTOOL Read {"a": 1}\nTOOL Bash {}'))[:-1] == [
            {"type": "tool_activity", "data": "Read"},
            {"type": "tool_activity", "data": "Bash"},
        ]


async def test_clients_of_all_kinds_follow_one_turn(gateway: Gateway, chat: int) -> None:
    async with (
        client(gateway, chat_id=chat, sync=True, tools="full") as full,
        client(gateway, chat_id=chat, sync=True) as short,
        client(gateway, chat_id=chat) as plain,
    ):
        own = await plain.ask('THINK hm\nTOOL Read {"a": 1}\nSAY x')
        assert [event["type"] for event in own] == ["tool_activity", "text_delta", "result"]
        in_short = await short.until("result")
        assert [event["type"] for event in in_short] == ["user_message", "tool_activity", "text_delta", "result"]
        assert set(in_short[1]) == {"type", "data", "turn_id", "cursor"}
        in_full = await full.until("result")
        assert [event["type"] for event in in_full] == [
            *("user_message", "thinking_delta", "tool_activity", "tool_activity", "text_delta", "result")
        ]
        places = [{event["cursor"] for event in events} for events in (in_short, in_full)]
        assert places[0] < places[1], "the same places; what was not asked for leaves holes"


async def test_a_failing_tool_says_so(serve: Serve) -> None:
    start, end = await used(
        serve,
        ToolActivity("Bash", tool_id="t1", input={"command": "false"}),
        ToolActivity("Bash", tool_id="t1", phase="end", output="exit 1", is_error=True, duration_ms=1234),
    )
    assert not start.get("is_error", False)
    assert (end["is_error"], end["output"], end["duration_ms"]) == (True, "exit 1", 1234)


@pytest.mark.parametrize(
    ("output", "is_cut"),
    [("", False), ("x" * MOST, False), ("x" * (MOST + 1), True), ("x" * 1_000_000, True), ("\n" * 20_000, True)],
)
async def test_a_long_output_is_cut_and_marked(serve: Serve, output: str, is_cut: bool) -> None:
    (end,) = await used(serve, ToolActivity("Read", tool_id="1", phase="end", output=output))
    assert end["output"] == output[:MOST]
    assert end.get("truncated", False) is is_cut


@pytest.mark.parametrize("output", ["é" * 20_000, "\U0001f600" * 10_000])
async def test_an_output_is_at_most_16_kib_whatever_it_is_written_in(serve: Serve, output: str) -> None:
    (end,) = await used(serve, ToolActivity("Read", tool_id="1", phase="end", output=output))
    assert len(end["output"].encode()) <= MOST
    assert output.startswith(end["output"])
    assert end["truncated"] is True


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"b": [1, 2.5, None, True, "\U0001f600\u202e"]}},
        [],
        "text",
        0,
        {"deep": [[[[[[]]]]]]},
        {"": ""},
        2**53,
    ],
)
async def test_an_input_arrives_as_it_is(serve: Serve, value: object) -> None:
    (start,) = await used(serve, ToolActivity("Read", tool_id="1", input=value))
    assert start["input"] == value
    assert "truncated" not in start


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"file": "x" * 100_000},
        ["y"] * 50_000,
        deep(900),
        deep(100_000),
        2**200,
        float("inf"),
        float("nan"),
        {1: 2},
        {"nul": "\0", "k\0": 1},
        {"lone": "\ud800"},
        {"bytes": b"\xff"},
        {"set": {1}},
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_an_input_of_any_kind_leaves_the_turn_and_the_connection_alone(serve: Serve, value: object) -> None:
    agent = Agent(ToolActivity("Read", tool_id="1", input=value), TextDelta("and on"))
    async with (
        serve(providers=[agent]) as gateway,
        client(gateway, sync=True, tools="full", rpc=True) as peer,
    ):
        begin = peer.hello["cursor"]
        events = await peer.ask("go")
        assert events[-1]["type"] == "result", events
        assert events[-1]["text"] == "and on"
        (start,) = tools(events)
        assert len(json.dumps(start.get("input"))) <= 2 * MOST
        assert "\0" not in json.dumps(start, ensure_ascii=False)
        async with client(gateway, cursor=begin, tools="full") as again:
            assert tools(await again.until("result")) == [start]
        status, page = await peer.request("GET", f"/api/chat/sessions/{peer.hello['session_id']}/messages")
        assert status == 200
        assert page["messages"][1]["tools"][0]["input"] == start.get("input")


async def test_odd_names_and_thoughts_are_told_as_they_are(serve: Serve) -> None:
    agent = Agent(
        ThinkingDelta(""),
        ThinkingDelta("a\0\ud800b"),
        ToolActivity("mcp__x\0", tool_id="\ud800", phase="end", output="\0\udfff"),
        ToolActivity("", tool_id=""),
    )
    async with serve(providers=[agent]) as gateway, client(gateway, tools="full") as peer:
        events = await peer.ask("go")
        assert [event["type"] for event in events] == ["thinking_delta", "tool_activity", "tool_activity", "result"]
        assert events[0]["data"] == "a\ufffd\ufffdb"
        assert events[1]["data"] == "mcp__x\ufffd"
        assert events[1]["output"] == "\ufffd\ufffd"
        assert events[2]["data"] == ""
