"""Following a session: every device sees the same, and whoever comes back gets exactly what it missed."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from sygen_bot.events import Finished, SystemStatus, TextDelta, ThinkingDelta, ToolActivity, Usage
from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.agents import Agent
from tests.api.conftest import Serve, serving
from tests.api.wire import Client, Event, client, cursor_at, place, results, said, units

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "SLOW 5000 0.01"
RICH = "\n".join(
    [
        "THINK let me see \U0001f914 é",
        'TOOL Read {"path": "/a"}',
        "SAY a few words \U0001f600 of text",
        "STATUS busy",
        "THINK more",
        "SAY and the rest",
        "STATUS",
        'TOOL Bash {"command": "ls"}',
        "SAY end.",
    ]
)
LOGGED = {"user_message", "text_delta", "thinking_delta", "tool_activity", "system_status", "result", "error"}


class Gate:
    """An agent's pause that ends when `opened`."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self) -> None:
        await self.opened.wait()


def follow(gateway: Gateway, **fields: Any) -> AbstractAsyncContextManager[Client]:
    """A device that follows its session in full."""
    return client(gateway, **{"sync": True, "tools": "full", **fields})


async def missed(gateway: Gateway, **fields: object) -> list[Event]:
    """What a client that comes back with a cursor is told at once."""
    async with follow(gateway, **fields) as peer:
        assert peer.hello["resume"] == "ok", peer.hello
        return await peer.quiet()


async def turn(peer: Client, text: str) -> list[Event]:
    await peer.say(text)
    return await peer.until("result", "error")


# --- what a syncing client is told ------------------------------------------------------------------------------------


async def test_the_handshake_tells_a_syncing_client_where_it_is(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, channel_id=3, sync=True) as peer:
        hello = peer.hello
        assert set(hello) == {
            *("type", "chat_id", "channel_id", "e2e_pk", "providers", "active_provider", "active_model"),
            *("session_id", "agent", "cursor", "unread_notifications"),
        }
        assert isinstance(hello["session_id"], str)
        assert hello["agent"] == "main"
        assert hello["unread_notifications"] == 0
        events = await turn(peer, "SAY x")
    async with client(gateway, chat_id=chat, channel_id=3, sync=True) as peer:
        assert peer.hello["session_id"] == hello["session_id"]
        assert peer.hello["cursor"] == events[-1]["cursor"]
        assert "resume" not in peer.hello
    async with client(gateway, chat_id=chat, channel_id=4, sync=True) as peer:
        assert peer.hello["session_id"] != hello["session_id"]


@pytest.mark.parametrize("fields", [{}, {"sync": False}, {"sync": 1}, {"sync": "true"}, {"sync": None}, {"sync": []}])
async def test_a_client_that_does_not_ask_for_it_is_told_nothing_of_sync(
    gateway: Gateway, chat: int, fields: dict[str, Any]
) -> None:
    async with client(gateway, chat_id=chat, **fields) as peer, follow(gateway, chat_id=chat) as other:
        assert set(peer.hello) == {"type", "chat_id", "e2e_pk", "providers", "active_provider", "active_model"}
        await turn(other, RICH)
        assert await peer.quiet() == []
        own = await peer.ask(RICH)
        assert all("cursor" not in event and "turn_id" not in event for event in own)
        assert {event["type"] for event in own} == {"text_delta", "tool_activity", "system_status", "result"}


async def test_every_logged_event_has_a_growing_cursor_and_nothing_else_has_one(gateway: Gateway, chat: int) -> None:
    async with follow(gateway, chat_id=chat) as peer:
        await peer.say(RICH, id="a")
        await peer.send(type="ping")
        await peer.say("", id="empty")
        events = await peer.until("result")
        events += await turn(peer, "FAIL on purpose")
        await peer.say(LONG)
        await peer.until("text_delta")
        await peer.send(type="abort")
        events += await peer.until("abort_ok")
        for event in events:
            ends_turn = event["type"] != "error" or event["code"] == "internal_error"
            assert ("cursor" in event) == (event["type"] in LOGGED and ends_turn), event
        places = [place(event["cursor"]) for event in events if "cursor" in event]
        assert places == sorted(set(places))
        assert len({event["cursor"].rpartition(":")[0] for event in events if "cursor" in event}) == 1


async def test_a_delta_moves_the_cursor_by_its_code_points_and_any_other_event_by_one(
    gateway: Gateway, chat: int
) -> None:
    async with follow(gateway, chat_id=chat) as peer:
        assert place(peer.hello["cursor"]) == 0
        number = 0
        for event in await turn(peer, RICH):
            number += len(event["data"]) if event["type"].endswith("_delta") else 1
            assert place(event["cursor"]) == number


async def test_the_result_tells_a_syncing_client_who_answered_and_what_it_used(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer, client(gateway, chat_id=chat) as plain:
        accepted = await peer.accepted("SAY one two three", "a")
        result = (await peer.until("result"))[-1]
        assert result | {"duration_ms": 0, "cursor": ""} == {
            "type": "result",
            "text": "one two three",
            "stream_fallback": False,
            "turn_id": accepted["turn_id"],
            "cursor": "",
            "provider": "scripted",
            "model": "scripted",
            "usage": {"input_tokens": 4, "output_tokens": 3, "cost_usd": None},
            "duration_ms": 0,
        }
        assert isinstance(result["duration_ms"], int)
        assert set((await plain.ask("SAY x"))[-1]) == {"type", "text", "stream_fallback"}


async def test_the_cost_and_the_model_are_those_that_the_agent_told(serve: Serve) -> None:
    agent = Agent(TextDelta("x"), Finished(usage=Usage(5, 7, 0.25), model="big"))
    async with serve(providers=[agent]) as gateway, client(gateway, sync=True) as peer:
        result = (await turn(peer, "go"))[-1]
        assert result["usage"] == {"input_tokens": 5, "output_tokens": 7, "cost_usd": 0.25}
        assert (result["provider"], result["model"]) == ("scripted", "big")


async def test_an_aborted_turn_tells_how_long_it_took_and_who_spoke(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        await peer.say("SLOW 5000 0.02")
        for _ in range(6):
            await peer.until("text_delta")
        await peer.send(type="abort")
        result = (await peer.until("result"))[-1]
        assert result["aborted"]
        assert result.get("provider") == "scripted"
        assert result.get("duration_ms", 0) >= 90


# --- several devices --------------------------------------------------------------------------------------------------


async def test_a_device_sees_what_another_one_asked(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, sync=True) as one, client(gateway, chat_id=chat, sync=True) as two:
        accepted = await one.accepted("SAY hello", "my id")
        mine, theirs = await one.until("result"), await two.until("result")
        assert mine == theirs
        user = mine[0]
        assert user == {
            "type": "user_message",
            "id": "my id",
            "turn_id": accepted["turn_id"],
            "text": "SAY hello",
            "created_at": user["created_at"],
            "cursor": user["cursor"],
        }
        assert isinstance(user["created_at"], float)
        await two.say("SAY without an id")
        for peer in (one, two):
            user = (await peer.until("user_message"))[-1]
            assert user["text"] == "SAY without an id"
            assert user.get("id") is None
            await peer.until("result")


async def test_two_devices_see_the_same_events_in_the_same_order_whoever_writes(gateway: Gateway, chat: int) -> None:
    turns = 24
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(follow(gateway, chat_id=chat)) for _ in range(3)]
        plain = await stack.enter_async_context(client(gateway, chat_id=chat))

        async def write(peer: Client, name: str) -> None:
            for number in range(turns // 4):
                await peer.say(f"{RICH}\nSAY {name} {number}", id=f"{name}{number}")

        async def read(peer: Client) -> list[Event]:
            return [event for event in await peer.until_ends(turns) if "cursor" in event]

        await asyncio.gather(*(write(peer, f"p{number}") for number, peer in enumerate([*peers, plain])))
        first, *others = await asyncio.gather(*map(read, peers))
        assert len(results(first)) == turns
        assert all(units(other) == units(first) for other in others)
        assert [event["cursor"] for event in others[0]] == [event["cursor"] for event in first]


async def test_a_plain_client_beside_a_syncing_one_hears_its_own_turns_only(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as plain, client(gateway, chat_id=chat, sync=True) as syncing:
        await syncing.say("SAY theirs")
        await syncing.until("result")
        await plain.say("SAY mine")
        assert await plain.until("result") == [
            {"type": "text_delta", "data": "mine"},
            {"type": "result", "text": "mine", "stream_fallback": False},
        ]
        assert said(await syncing.until("result")) == "mine"


async def test_other_channels_and_chats_hear_nothing(gateway: Gateway, chat: int) -> None:
    async with (
        follow(gateway, chat_id=chat) as bare,
        follow(gateway, chat_id=chat, channel_id=1) as one,
        follow(gateway, chat_id=10_000_000 + chat) as stranger,
        follow(gateway, chat_id=chat, channel_id=2) as two,
    ):
        await turn(two, RICH)
        for peer in (bare, one, stranger):
            assert await peer.quiet() == []


async def test_an_abort_is_seen_by_every_device(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, sync=True) as one, client(gateway, chat_id=chat, sync=True) as two:
        await one.say(LONG)
        await one.say("SAY queued")
        seen = await two.until("text_delta")
        await two.send(type="abort")
        events = seen + await two.until("abort_ok")
        assert events[-1]["killed"] == 2
        running, queued = results(events)
        assert running["text"] == said(events)
        assert [running["reason"], queued["reason"]] == ["abort", "abort"]
        assert results(await one.until_ends(2)) == [running, queued]
        assert await one.quiet() == [], "abort_ok is for who asked"


async def test_an_abort_of_one_channel_leaves_the_others_running(gateway: Gateway, chat: int) -> None:
    async with AsyncExitStack() as stack:
        channels = {None: "bare", 1: "one", 2: "two"}
        peers = {
            number: await stack.enter_async_context(client(gateway, chat_id=chat, channel_id=number, sync=True))
            for number in channels
        }
        for peer in peers.values():
            await peer.say(LONG)
            await peer.until("text_delta")
        device = await stack.enter_async_context(client(gateway, chat_id=chat, channel_id=1, sync=True))
        await device.send(type="abort", scope="channel")
        assert (await device.until("abort_ok"))[-1]["killed"] == 1
        assert (await peers[1].until("result"))[-1]["aborted"]
        for number in (None, 2):
            assert {event["type"] for event in await peers[number].quiet()} <= {"text_delta"}
            await peers[number].until("text_delta")
        await device.send(type="abort")
        assert (await device.until("abort_ok"))[-1]["killed"] == 2
        for number in (None, 2):
            assert (await peers[number].until("result"))[-1]["aborted"]


# --- resuming ---------------------------------------------------------------------------------------------------------


async def test_from_every_place_of_a_finished_turn_exactly_the_rest_follows(gateway: Gateway, chat: int) -> None:
    """Also from inside of deltas: at places that no cursor ever named."""
    async with follow(gateway, chat_id=chat) as peer:
        begin = peer.hello["cursor"]
        whole = units(await turn(peer, RICH))
    assert len(whole) > 60
    for number in range(len(whole) + 1):
        cursor = cursor_at(begin, place(begin) + number)
        events = await missed(gateway, chat_id=chat, cursor=cursor)
        assert units(events) == whole[number:], number
        assert all("cursor" in event for event in events)
        places = [place(cursor), *(place(event["cursor"]) for event in events)]
        assert places == sorted(set(places))


async def test_from_every_place_of_a_running_turn_exactly_the_rest_follows(serve: Serve) -> None:
    gate = Gate()
    agent = Agent(
        ThinkingDelta("hm \U0001f914"),
        ThinkingDelta(" so"),
        ToolActivity("Read", tool_id="1", input={"a": [1]}),
        TextDelta("some "),
        TextDelta("text é\U0001f600"),
        ToolActivity("Read", tool_id="1", phase="end", output="out", duration_ms=1),
        SystemStatus("busy"),
        TextDelta("more"),
        ThinkingDelta("again"),
        gate,
        ThinkingDelta(" and"),
        TextDelta(" end"),
    )
    async with serve(providers=[agent]) as gateway, follow(gateway) as peer, AsyncExitStack() as stack:
        begin = peer.hello["cursor"]
        await peer.say("go")
        events: list[Event] = []
        while not events or events[-1].get("data") != "again":
            events.append(await peer.receive())
        length = len(units(events))
        others = [
            await stack.enter_async_context(follow(gateway, cursor=cursor_at(begin, number)))
            for number in range(length + 1)
        ]
        assert {other.hello["resume"] for other in others} == {"ok"}
        gate.opened.set()
        whole = units(events + await peer.until("result"))
        for number, other in enumerate(others):
            assert units(await other.until("result")) == whole[number:], number


async def test_a_client_that_comes_and_goes_while_a_turn_runs_misses_nothing(gateway: Gateway, chat: int) -> None:
    """Cut wherever it happens, with the last cursor that came; several turns, some queued."""
    script = "\n".join(f'SLOW 40 0.002\nTOOL Read {{"n": {n}}}\nTHINK thought {n}\nTICK 20' for n in range(4))
    draw, got, cuts = random.Random(5), list[Event](), 0  # noqa: S311 - not a secret
    async with follow(gateway, chat_id=chat) as steady:
        cursor = steady.hello["cursor"]
        for number in range(3):
            await steady.say(script, id=str(number))
        watching = asyncio.create_task(steady.until_ends(3))
        while len(results(got)) < 3:
            async with follow(gateway, chat_id=chat, cursor=cursor) as peer:
                assert peer.hello["resume"] == "ok"
                for _ in range(draw.randint(1, 60)):
                    event = await peer.receive()
                    got.append(event)
                    cursor = event["cursor"]
                    if len(results(got)) == 3:
                        break
                peer.socket.transport.abort()
                cuts += 1
        whole = [event for event in await watching if "cursor" in event]
        assert units(got) == units(whole)
        assert cuts > 10


async def test_a_client_that_did_not_ask_for_tools_resumes_over_the_holes(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        begin, events = peer.hello["cursor"], await turn(peer, RICH)
        assert not any(event["type"] == "thinking_delta" for event in events)
    whole = units(events)
    for index, event in enumerate(events):
        async with client(gateway, chat_id=chat, cursor=event["cursor"]) as peer:
            assert peer.hello["resume"] == "ok", "a cursor alone asks for sync"
            assert units(await peer.quiet()) == units(events[index + 1 :])
    async with client(gateway, chat_id=chat, cursor=begin) as peer:
        assert units(await peer.quiet()) == whole


async def test_what_was_missed_comes_before_what_is_live(gateway: Gateway, chat: int) -> None:
    async with follow(gateway, chat_id=chat) as steady:
        cursor = steady.hello["cursor"]
        await steady.say("BURST 2000\nSLOW 50 0.002")
        await steady.until("text_delta")
        async with AsyncExitStack() as stack:
            late = []
            for _ in range(5):
                late.append(await stack.enter_async_context(follow(gateway, chat_id=chat, cursor=cursor)))
                await asyncio.sleep(0)
            ends = await asyncio.gather(*(peer.until("result") for peer in late))
        for events in ends:
            assert said(events) == events[-1]["text"]
            assert units(events) == units(ends[0])


@pytest.mark.parametrize("turns", [1, 12, 40])
async def test_places_older_than_what_is_in_memory_are_resumed_from_storage(
    gateway: Gateway, chat: int, turns: int
) -> None:
    async with follow(gateway, chat_id=chat) as peer:
        cursors, events = [peer.hello["cursor"]], list[Event]()
        for number in range(turns):
            events += await turn(peer, f"THINK {number}\nSAY text {number}\nTOOL Read {{}}")
            cursors.append(events[-1]["cursor"])
    whole, draw = units(events), random.Random(turns)  # noqa: S311 - not a secret
    for number in sorted({0, *draw.sample(range(len(whole)), min(30, len(whole)))}):
        assert units(await missed(gateway, chat_id=chat, cursor=cursor_at(cursors[0], number))) == whole[number:]


async def test_messages_that_still_wait_are_told_again_however_many_turns_ended_since(serve: Serve) -> None:
    """They lie before everything that is kept in memory, and their turns have not ended, so storage has no end of them."""
    begin, pause = Gate(), Gate()
    calls = itertools.count()

    async def step() -> None:
        number = next(calls)
        if number in (0, 12):
            await (begin if number == 0 else pause)()

    async with serve(providers=[Agent(step, TextDelta("said"))]) as gateway, follow(gateway) as peer:
        cursor = peer.hello["cursor"]
        for number in range(16):
            await peer.accepted(f"message {number}", str(number))
        begin.opened.set()
        events = await peer.until_ends(12)
        told = await missed(gateway, cursor=cursor)
        assert [event["text"] for event in told if event["type"] == "user_message"] == [
            f"message {number}" for number in range(16)
        ]
        assert [event["cursor"] for event in results(told)] == [event["cursor"] for event in results(events)]
        pause.opened.set()


async def test_two_hundred_turns_back_is_told_again_or_a_gap_but_never_a_part(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        begin, events = peer.hello["cursor"], list[Event]()
        for start in range(0, 210, 30):
            for number in range(30):
                await peer.say(f"SAY {start + number}")
            events += await peer.until_ends(30)
    whole = units(events)
    seen = set()
    for number in [*range(0, len(whole), len(whole) // 12), len(whole)]:
        async with client(gateway, chat_id=chat, cursor=cursor_at(begin, number)) as peer:
            seen.add(peer.hello["resume"])
            told = units(await peer.quiet())
            assert told == (whole[number:] if peer.hello["resume"] == "ok" else [])
    assert seen == {"ok", "gap"}


async def test_a_resume_ends_even_if_far_more_was_missed_than_may_wait_for_a_client(serve: Serve) -> None:
    """Answers of many MiB: a client gets ahead at each attempt, or is told to read the history."""
    agent = Agent(TextDelta("x" * 7_000_000))
    async with serve(providers=[agent]) as gateway:
        async with client(gateway, sync=True) as peer:
            cursor = peer.hello["cursor"]
            for _ in range(4):
                await turn(peer, "go")
        for _ in range(20):
            async with client(gateway, cursor=cursor) as peer:
                if peer.hello["resume"] == "gap":
                    return
                with suppress(ConnectionClosedError):
                    while True:
                        event = await peer.receive()
                        cursor = event["cursor"]
                        if event["type"] == "result":
                            return
        pytest.fail("it comes back again and again and gets nowhere")


# --- gaps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        *("", ":", "::", "0", "x", "x:y", ":5", "nonsense", "a:b:c", "epoch:1", "EPOCH:", "EPOCH:-1", "EPOCH:+1"),
        *("EPOCH: 1", "EPOCH:1 ", "EPOCH:1.0", "EPOCH:1e1", "EPOCH:\u0661", "EPOCH:\u00b2", "EPOCH:0x1", "EPOCH:1:1"),
        *("EPOCH:99", "EPOCH:" + "9" * 18, "EPOCH:" + "9" * 19, "EPOCH:" + "9" * 5000, " EPOCH:1", "EPOCH:1\0"),
        *("EPOCHx:1", "xEPOCH:1", "\0:1", "\u202e:1", "x" * 60_000),
    ],
)
async def test_a_cursor_that_is_none_of_this_log_is_a_gap(gateway: Gateway, chat: int, wrong: str) -> None:
    async with follow(gateway, chat_id=chat) as peer:
        end = (await turn(peer, "SAY x"))[-1]["cursor"]
    cursor = wrong.replace("EPOCH", end.rpartition(":")[0])
    async with follow(gateway, chat_id=chat, cursor=cursor) as peer:
        assert peer.hello["resume"] == "gap"
        assert peer.hello["cursor"] == end
        assert await peer.quiet() == []
        assert said(await turn(peer, "SAY and live")) == "and live"


async def test_a_cursor_of_another_session_is_a_gap(gateway: Gateway, chat: int) -> None:
    async with follow(gateway, chat_id=chat, channel_id=1) as peer:
        foreign = (await turn(peer, "SAY x"))[2]["cursor"]
    async with follow(gateway, chat_id=chat, channel_id=2) as peer:
        await turn(peer, RICH)
    async with follow(gateway, chat_id=chat, channel_id=2, cursor=foreign) as peer:
        assert peer.hello["resume"] == "gap"
        assert await peer.quiet() == []


@pytest.mark.parametrize("cursor", [5, 0, True, [], {}, 1.5])
async def test_a_cursor_that_is_no_text_resumes_nothing(gateway: Gateway, chat: int, cursor: object) -> None:
    async with client(gateway, chat_id=chat, sync=True, cursor=cursor) as peer:
        assert peer.hello.get("resume", "gap") == "gap"


async def test_the_newest_place_has_nothing_to_follow(gateway: Gateway, chat: int) -> None:
    async with follow(gateway, chat_id=chat) as peer:
        cursor = peer.hello["cursor"]
    assert await missed(gateway, chat_id=chat, cursor=cursor) == []


# --- restarts ---------------------------------------------------------------------------------------------------------


async def test_after_a_restart_every_old_place_is_still_good(tmp_path: Path) -> None:
    home, events = tmp_path / "home", list[Event]()
    async with serving(home) as gateway, follow(gateway) as peer:
        begin = peer.hello["cursor"]
        for number in range(11):
            events += await turn(peer, f"{RICH}\nSAY {number}")
        await peer.say(LONG, id="running")
        await peer.say("SAY queued", id="queued")
        events += await peer.until("text_delta")
        for _ in range(5):
            events += await peer.until("text_delta")
        stopped = peer
        await gateway.stop()
        events += await stopped.until_ends(2)
        assert [end["reason"] for end in results(events)[-2:]] == ["shutdown", "shutdown"]
    whole, draw = units([event for event in events if "cursor" in event]), random.Random(3)  # noqa: S311 - not a secret
    async with serving(home) as gateway:
        for number in [0, len(whole), *draw.sample(range(len(whole)), 25)]:
            told = await missed(gateway, cursor=cursor_at(begin, number))
            assert units(told) == whole[number:], number
        async with follow(gateway) as peer:
            assert peer.hello["cursor"] == cursor_at(begin, len(whole)), "the epoch is kept"
            more = await turn(peer, "SAY after")
            assert place(more[0]["cursor"]) == len(whole) + 1
        assert units(await missed(gateway, cursor=begin)) == whole + units(more)


# --- deleted sessions -------------------------------------------------------------------------------------------------


async def delete(gateway: Gateway, session_id: str) -> None:
    async with client(gateway, chat_id=1, rpc=True) as peer:
        assert await peer.request("DELETE", f"/api/chat/sessions/{session_id}") == (204, None)


async def test_a_deleted_session_says_so_and_closes_its_sockets(gateway: Gateway, chat: int) -> None:
    async with (
        follow(gateway, chat_id=chat, channel_id=5) as one,
        follow(gateway, chat_id=chat, channel_id=5) as two,
        client(gateway, chat_id=chat, channel_id=5) as plain,
        follow(gateway, chat_id=chat, channel_id=6) as other,
    ):
        old = one.hello
        end = (await turn(one, "SAY x"))[-1]["cursor"]
        await two.until("result")
        await delete(gateway, old["session_id"])
        for peer in (one, two):
            assert await peer.receive() == {"type": "session_deleted"}
            assert await peer.close_code() == 1000
        assert await plain.close_code() == 1000
        assert await other.quiet() == []
    async with follow(gateway, chat_id=chat, channel_id=5, cursor=end) as peer:
        assert peer.hello["session_id"] != old["session_id"], "a new session"
        assert peer.hello["resume"] == "gap"
        assert place(peer.hello["cursor"]) == 0
        assert "duplicate" not in await peer.accepted("SAY y", "a")
        await peer.until("result")
        assert "remember 1 turns" in said(await turn(peer, "ECHO_HISTORY")), "the agent has forgotten the old one"


@pytest.mark.parametrize("length", [10, 6_000_000])
async def test_a_session_is_deleted_while_its_turn_runs(serve: Serve, length: int) -> None:
    """With a short answer so far, and with one that takes longer to encode than the deletion."""
    async with serve(providers=[Agent(TextDelta("x" * length), Gate())]) as gateway:
        async with follow(gateway, chat_id=5) as peer, client(gateway, chat_id=5) as plain:
            await peer.say("go")
            await plain.say("queued")
            events = await peer.until("text_delta")
            await delete(gateway, peer.hello["session_id"])
            events += await peer.until("session_deleted")
            assert [(end["aborted"], end["reason"]) for end in results(events)] == [(True, "abort")] * 2
            assert results(events)[0]["text"] == said(events) == "x" * length
            assert await peer.close_code() == 1000
            assert (await plain.receive())["aborted"]
            assert await plain.close_code() == 1000
        async with follow(gateway, chat_id=5) as peer:
            assert place(peer.hello["cursor"]) == 0


async def test_a_client_that_connects_while_its_session_is_deleted_can_work(gateway: Gateway, chat: int) -> None:
    """Whatever session it meets, the old one or a new one, its message is answered or its socket closed with 1000."""

    async def visit(channel: int, passes: int) -> None:
        for _ in range(passes):
            await asyncio.sleep(0)
        async with follow(gateway, chat_id=chat, channel_id=channel) as peer:
            await peer.say("SAY x", id="a")
            try:
                end = (await peer.until("result", "error", "session_deleted"))[-1]
            except ConnectionClosed:
                end = {"type": "session_deleted"}
            if end["type"] == "result" and not end.get("aborted"):
                assert end["text"] == "x"
                return
            assert end.get("code", "not_found") == "not_found", end
            assert await peer.close_code() == 1000

    async with client(gateway, chat_id=1, rpc=True) as deleter:
        for channel in range(1, 25):
            async with follow(gateway, chat_id=chat, channel_id=channel) as peer:
                session_id = peer.hello["session_id"]
                deleting = asyncio.create_task(deleter.request("DELETE", f"/api/chat/sessions/{session_id}"))
                await asyncio.gather(*(visit(channel, passes * channel // 3) for passes in range(6)))
                assert await deleting == (204, None)
            async with follow(gateway, chat_id=chat, channel_id=channel) as peer:
                await peer.say("SAY y", id="b")
                assert (await peer.until("result", "error"))[-1].get("text") == "y"


# --- the history beside the stream ------------------------------------------------------------------------------------


def joined(page: dict[str, Any], events: Iterable[Event]) -> list[tuple[str, str]]:
    """(turn, answer) of a page of history with the live events after its cursor laid over it."""
    answers = {message["turn_id"]: message["content"] for message in page["messages"] if message["sender"] == "agent"}
    order = [message["turn_id"] for message in page["messages"] if message["sender"] == "user"]
    for event in events:
        if "cursor" not in event or place(event["cursor"]) <= place(page["cursor"]):
            continue
        if event["type"] == "user_message":
            assert event["turn_id"] not in order, "a message is either in the page or live"
            order.append(event["turn_id"])
        if event["type"] == "text_delta":
            over = place(event["cursor"]) - place(page["cursor"])  # a merged delta may begin before the cursor
            answers[event["turn_id"]] = answers.get(event["turn_id"], "") + event["data"][-over:]
        if event["type"] == "result":
            assert answers.get(event["turn_id"], "") == event["text"], event["turn_id"]
    return [(turn_id, answers.get(turn_id, "")) for turn_id in order]


@pytest.mark.parametrize("script", ["SLOW 100 0.002", "TICK 100", "BURST 500", "SAY one\nTOOL Read {}\nSAY two"])
async def test_a_page_and_what_follows_its_cursor_are_the_whole(gateway: Gateway, chat: int, script: str) -> None:
    async with follow(gateway, chat_id=chat) as writer:
        session_id = writer.hello["session_id"]
        path = f"/api/chat/sessions/{session_id}/messages?limit=200"

        async def read(peer: Client, delay: int) -> tuple[list[dict[str, Any]], list[Event]]:
            pages, events = list[dict[str, Any]](), list[Event]()
            while len(results(events)) < 6:
                events.append(await peer.receive())
                if len(events) % delay == 0:
                    status, page = await peer.request("GET", path)
                    assert status == 200
                    pages.append(page)
                    events += peer.passed
                    peer.passed.clear()
            return pages, events

        async with AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(follow(gateway, chat_id=chat, rpc=True)) for _ in range(3)]
            reading = [asyncio.create_task(read(peer, delay)) for peer, delay in zip(peers, (1, 7, 40), strict=True)]
            for number in range(6):
                await writer.say(f"{script}\nSAY {number}", id=str(number))
            whole = await writer.until_ends(6)
            read_by = await asyncio.gather(*reading)
        wanted = [(event["turn_id"], event["text"]) for event in results(whole)]
        number_of_pages = 0
        for pages, events in read_by:
            number_of_pages += len(pages)
            for page in pages:
                assert joined(page, events) == wanted
                ids = [message["id"] for message in page["messages"]]
                assert len(set(ids)) == len(ids)
                assert page["total"] == len(ids), page
                assert [message["status"] for message in page["messages"]].count("running") <= 1
        assert number_of_pages >= 6
