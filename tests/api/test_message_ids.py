"""Messages with ids: accepted once, answered to whoever sends them again, and never run twice."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from sygen_bot.events import TextDelta
from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.agents import Agent
from tests.api.conftest import Serve, serving
from tests.api.wire import PATIENCE_S, Event, client, results, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "SLOW 5000 0.01"


class Gate:
    """An agent's pause: it says `reached` when it is there, and goes on when `opened`."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.opened.wait()


def placed(again: Event, first: Event) -> Event:
    """An end that is told again, with the place that it had at first if it names none."""
    return {"cursor": first["cursor"], **again}


# --- accepted ---------------------------------------------------------------------------------------------------------


async def test_a_message_with_an_id_is_accepted_before_anything_else_of_its_turn(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.say('STATUS busy\nTHINK well\nTOOL Read {"a": 1}\nSAY one two\nSTATUS', id="m1")
        accepted, *events = await peer.until("result", "error")
        assert accepted == {"type": "accepted", "id": "m1", "turn_id": accepted["turn_id"], "position": 0}
        assert isinstance(accepted["turn_id"], str)
        assert {event["turn_id"] for event in events} == {accepted["turn_id"]}
        assert [event["type"] for event in events if event["type"] != "text_delta"] == [
            "system_status",
            "tool_activity",
            "system_status",
            "result",
        ]
        assert said(events) == events[-1]["text"] == "one two"
        assert all("cursor" not in event for event in events), "nobody asked for cursors"


async def test_the_position_counts_the_turns_ahead(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        first = await peer.accepted(LONG, "0")
        await peer.until("text_delta")
        receipts = [first] + [await peer.accepted("SAY x", str(number)) for number in range(1, 5)]
        assert [receipt["position"] for receipt in receipts] == [0, 1, 2, 3, 4]
        assert len({receipt["turn_id"] for receipt in receipts}) == 5
        await peer.send(type="abort")
        ends = results(await peer.until("abort_ok"))
        assert [end["turn_id"] for end in ends] == [receipt["turn_id"] for receipt in receipts]


async def test_positions_of_a_burst_count_up(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await asyncio.gather(
            *(peer.say("SLOW 3 0.05" if number == 0 else "SAY x", id=str(number)) for number in range(20))
        )
        events = await peer.until_ends(20)
        receipts = [event for event in events if event["type"] == "accepted"]
        assert [(receipt["id"], receipt["position"]) for receipt in receipts] == [(str(n), n) for n in range(20)]
        assert [end["turn_id"] for end in results(events)] == [receipt["turn_id"] for receipt in receipts]


async def test_messages_aborted_in_the_same_breath_are_accepted_at_a_sensible_position(
    gateway: Gateway, chat: int
) -> None:
    async with client(gateway, chat_id=chat) as peer:
        frames = [peer.seal({"type": "message", "text": "SAY x", "id": str(number)}) for number in range(3)]
        await asyncio.gather(*(peer.socket.send(frame) for frame in [*frames, peer.seal({"type": "abort"})]))
        events = await peer.until("abort_ok")
        assert events[-1]["killed"] == 3
        receipts = [event for event in events if event["type"] == "accepted"]
        assert [receipt["id"] for receipt in receipts] == ["0", "1", "2"]
        assert all(0 <= receipt["position"] <= 2 for receipt in receipts), receipts
        assert [end["turn_id"] for end in results(events)] == [receipt["turn_id"] for receipt in receipts]


async def test_a_client_that_gives_no_ids_sees_neither_accepted_nor_turn_ids(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        events = await peer.ask('STATUS busy\nTHINK well\nTOOL Read {"a": 1}\nSAY one')
        assert events == [
            {"type": "system_status", "data": "busy"},
            {"type": "tool_activity", "data": "Read"},
            {"type": "text_delta", "data": "one"},
            {"type": "result", "text": "one", "stream_fallback": False},
        ]
        assert (await peer.ask("FAIL on purpose"))[-1].keys() == {"type", "code", "message"}


async def test_turn_ids_are_in_the_events_of_those_turns_only_whose_message_had_an_id(
    gateway: Gateway, chat: int
) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.say("SAY named", id="a")
        await peer.say("SAY nameless")
        await peer.say("SAY null", id=None)
        await peer.say("SAY named again", id="b")
        events = await peer.until_ends(4)
        named = {event["turn_id"] for event in events if event["type"] == "accepted"}
        assert len(named) == 2
        assert {end["text"]: end.get("turn_id") in named for end in results(events)} == {
            "named": True,
            "nameless": False,
            "null": False,
            "named again": True,
        }
        assert all("turn_id" not in event or event["turn_id"] in named for event in events)


async def test_an_error_that_ends_a_turn_names_it(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        accepted = await peer.accepted("FAIL on purpose", "a")
        error = (await peer.until("error"))[-1]
        assert error == {
            "type": "error",
            "code": "internal_error",
            "message": error["message"],
            "turn_id": accepted["turn_id"],
        }
        again = await peer.accepted("FAIL on purpose", "a")
        assert again == accepted | {"duplicate": True}
        assert await peer.receive() == error, "whoever asks again is told how it ended"


async def test_merged_deltas_of_a_slow_reader_still_name_their_turn(serve: Serve) -> None:
    """Also those that leave when the turn is over already."""
    pieces = [f"{number:0399d}\n" for number in range(20_000)]
    agent = Agent(*map(TextDelta, pieces))
    async with (
        serve(providers=[agent]) as gateway,
        client(gateway, options={"max_queue": 1}) as slow,
        client(gateway, sync=True) as quick,
    ):
        await slow.say("go", id="a")
        await quick.until("result")
        accepted, *events = await slow.until("result")
        assert {event.get("turn_id") for event in events} == {accepted["turn_id"]}
        assert any(len(event["data"]) > 400 for event in events[:-1]), "some were merged"
        assert said(events) == events[-1]["text"] == "".join(pieces)


# --- the same id again ------------------------------------------------------------------------------------------------


def assert_rest(events: list[Event], whole: str) -> None:
    """The rest of a turn from somewhere on, then its result."""
    assert events[-1]["type"] == "result"
    assert events[-1]["text"] == whole
    assert whole.endswith(said(events))


@pytest.mark.parametrize("fields", [{}, {"sync": True}, {"sync": True, "tools": "full"}])
async def test_the_same_id_while_its_turn_runs_gets_the_rest(serve: Serve, chat: int, fields: dict[str, Any]) -> None:
    gate = Gate()
    agent = Agent(TextDelta("first half, "), gate, TextDelta("second half"))
    async with (
        serve(providers=[agent]) as gateway,
        client(gateway, chat_id=chat) as first,
        client(gateway, chat_id=chat, **fields) as second,
    ):
        accepted = await first.accepted("go", "a")
        await first.until("text_delta")
        if fields:
            assert said(await second.until("text_delta")) == "first half, "
        for peer in (first, second):
            assert await peer.accepted("go", "a") == accepted | {"duplicate": True}
        gate.opened.set()
        for peer in (first, second):
            events = await peer.until("result")
            assert said(events) == "second half"
            assert results(events)[0]["text"] == "first half, second half"
            assert {event["turn_id"] for event in events} == {accepted["turn_id"]}
            assert await peer.quiet() == [], "the result comes once"
        assert agent.heard == ["go"]


@pytest.mark.parametrize("fields", [{}, {"sync": True}])
async def test_the_same_id_while_its_turn_waits_gets_all_of_it(
    gateway: Gateway, chat: int, fields: dict[str, Any]
) -> None:
    async with client(gateway, chat_id=chat) as first, client(gateway, chat_id=chat, **fields) as second:
        await first.say("SLOW 20 0.01")
        accepted = await first.accepted("SAY later", "a")
        assert accepted["position"] == 1
        again = await second.accepted("SAY later", "a")
        assert again == accepted | {"duplicate": True}
        events = [
            event
            for event in await second.until_ends(2 if fields else 1)
            if event.get("turn_id") == accepted["turn_id"]
        ]
        assert said(events) == events[-1]["text"] == "later"
        await first.until_ends(2)
        for peer in (first, second):
            assert await peer.quiet() == []


@pytest.mark.parametrize("fields", [{}, {"sync": True}])
async def test_the_same_id_after_its_turn_gets_the_result(gateway: Gateway, chat: int, fields: dict[str, Any]) -> None:
    async with client(gateway, chat_id=chat) as first:
        accepted = await first.accepted("SAY hello\nFILE /tmp/a.png", "a")
        result = (await first.until("result"))[-1]
        assert result["files"]
        assert await first.accepted("SAY hello\nFILE /tmp/a.png", "a") == accepted | {"duplicate": True}
        assert await first.receive() == result
    async with client(gateway, chat_id=chat, **fields) as second:
        assert await second.accepted("SAY hello\nFILE /tmp/a.png", "a") == accepted | {"duplicate": True}
        told = await second.receive()
        assert told | result == told
        assert await second.quiet() == []


async def test_a_result_that_is_told_again_keeps_its_place_however_old_it_is(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        await peer.accepted("SAY the first", "a")
        result = (await peer.until("result"))[-1]
        for number in range(12):
            await peer.say(f"SAY {number}")
            await peer.until("result")
        assert (await peer.accepted("SAY the first", "a"))["duplicate"]
        assert placed(await peer.receive(), result) == result


async def test_an_aborted_turn_is_not_run_again_by_its_id(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        accepted = await peer.accepted(LONG, "running")
        await peer.until("text_delta")
        queued = await peer.accepted("SAY queued", "queued")
        await peer.send(type="abort")
        ends = results(await peer.until("abort_ok"))
        assert await peer.accepted(LONG, "running") == accepted | {"duplicate": True}
        assert await peer.receive() == ends[0]
        again = await peer.accepted("SAY queued", "queued")
        assert (again["turn_id"], again["duplicate"]) == (queued["turn_id"], True)
        assert await peer.receive() == ends[1]
        assert ends[1]["aborted"]
        assert ends[1]["text"] == ""


async def test_the_same_id_with_another_text_is_a_conflict_and_disturbs_nothing(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer, client(gateway, chat_id=chat) as other:
        await peer.say("SLOW 10 0.01")
        accepted = await peer.accepted("SAY right", "a")
        for one in (peer, other):
            refused = await one.accepted("SAY wrong", "a")
            assert (refused["code"], refused["id"]) == ("conflict", "a")
        events = await peer.until("result")
        events = await peer.until("result")
        assert events[-1]["turn_id"] == accepted["turn_id"]
        assert events[-1]["text"] == "right"
        for one in (peer, other):
            assert (await one.accepted("SAY right ", "a"))["code"] == "conflict", "white space counts"
            assert (await one.accepted("SAY right", "a"))["duplicate"]
            await one.until("result")


async def test_a_text_with_unspeakable_characters_is_the_same_text_again(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        accepted = await peer.accepted("SAY a\0b \u202e\U0001f600", "\u202eid \U0001f600\n")
        result = (await peer.until("result"))[-1]
        assert result["text"] == "a\ufffdb \u202e\U0001f600"
        assert await peer.accepted("SAY a\0b \u202e\U0001f600", "\u202eid \U0001f600\n") == accepted | {
            "duplicate": True
        }
        assert await peer.receive() == result


async def test_an_id_belongs_to_its_session(gateway: Gateway, chat: int) -> None:
    async with (
        client(gateway, chat_id=chat) as bare,
        client(gateway, chat_id=chat, channel_id=1) as one,
        client(gateway, chat_id=10_000_000 + chat) as stranger,
    ):
        turns = set()
        for peer, text in ((bare, "SAY bare"), (one, "SAY one"), (stranger, "SAY stranger")):
            accepted = await peer.accepted(text, "the same")
            assert "duplicate" not in accepted
            assert "SAY " + (await peer.until("result"))[-1]["text"] == text
            turns.add(accepted["turn_id"])
        assert len(turns) == 3


async def test_a_duplicate_is_answered_while_the_queue_is_full(serve: Serve) -> None:
    async with serve({"api.queue_limit": 2}) as gateway, client(gateway) as peer, client(gateway) as other:
        running = await peer.accepted(LONG, "a")
        queued = await peer.accepted("SAY b", "b")
        assert (await other.accepted("SAY c", "c"))["code"] == "busy"
        for text, message_id, accepted in ((LONG, "a", running), ("SAY b", "b", queued)):
            again = await other.accepted(text, message_id)
            assert again.get("duplicate"), again
            assert again["turn_id"] == accepted["turn_id"]


async def test_an_abort_does_not_count_a_duplicate_as_a_turn(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.accepted(LONG, "a")
        await peer.until("text_delta")
        frames = [peer.seal({"type": "message", "text": LONG, "id": "a"}), peer.seal({"type": "abort"})]
        await asyncio.gather(*(peer.socket.send(frame) for frame in frames))
        events = await peer.until("abort_ok")
        assert events[-1]["killed"] == 1


async def test_many_that_send_the_same_id_at_once_share_one_turn(serve: Serve) -> None:
    agent = Agent(*(TextDelta(f"{number} ") for number in range(50)))
    async with serve(providers=[agent]) as gateway:

        async def one(number: int) -> tuple[Event, Event]:
            async with client(gateway, sync=number % 3 == 0) as peer:
                accepted = await peer.accepted("go", "a")
                return accepted, (await peer.until("result"))[-1]

        answers = await asyncio.gather(*map(one, range(20)))
        assert agent.heard == ["go"]
        assert sum("duplicate" not in accepted for accepted, _ in answers) == 1
        assert len({accepted["turn_id"] for accepted, _ in answers}) == 1
        assert {result["text"] for _, result in answers} == {"".join(f"{number} " for number in range(50))}


async def test_whatever_is_sent_again_and_again_runs_once_and_everybody_is_answered(serve: Serve) -> None:
    """Clients that come, send, go without waiting, and send the same again."""
    agent, draw = Agent(TextDelta("said")), random.Random(11)  # noqa: S311 - not a secret
    async with serve({"api.queue_limit": 1000}, providers=[agent]) as gateway:

        async def one(message_id: str) -> None:
            for _ in range(draw.randint(1, 3)):
                async with client(gateway) as peer:
                    await peer.say(message_id, id=message_id)
                    if draw.random() < 0.5:
                        peer.socket.transport.abort()
            async with client(gateway) as peer:
                accepted = await peer.accepted(message_id, message_id)
                assert accepted["type"] == "accepted"
                events = await peer.until("result")
                assert events[-1]["text"] == "said"
                assert events[-1]["turn_id"] == accepted["turn_id"]

        await asyncio.gather(*(one(f"m{number}") for number in range(40)))
        assert sorted(agent.heard) == sorted(f"m{number}" for number in range(40))


# --- refused messages -------------------------------------------------------------------------------------------------


async def test_a_refused_message_does_not_use_up_its_id(serve: Serve) -> None:
    async with serve({"api.queue_limit": 1}) as gateway, client(gateway) as peer:
        for text, code in (("", "empty"), (" \n\t", "empty"), (7, "invalid"), (None, "invalid"), (["x"], "invalid")):
            await peer.send(type="message", text=text, id="a")
            error = await peer.receive()
            assert (error["code"], error["id"]) == (code, "a")
        await peer.say(LONG, id="long")
        await peer.until("text_delta")
        await peer.say("SAY hello", id="a")
        error = (await peer.until("error"))[-1]
        assert (error["code"], error["id"]) == ("busy", "a")
        await peer.send(type="abort")
        await peer.until("abort_ok")
        accepted = await peer.accepted("SAY hello", "a")
        assert "duplicate" not in accepted
        assert (await peer.until("result"))[-1]["text"] == "hello"


@pytest.mark.parametrize("message_id", ["x", "x" * 64, "\U0001f600" * 64, "é" * 64, " ", "\n", '"', "0", "null"])
async def test_an_id_is_any_text_of_up_to_64_characters(gateway: Gateway, chat: int, message_id: str) -> None:
    async with client(gateway, chat_id=chat) as peer:
        accepted = await peer.accepted("SAY x", message_id)
        assert accepted["type"] == "accepted"
        assert accepted["id"] == message_id
        await peer.until("result")


async def test_odd_texts_and_ids_are_the_same_on_every_database(serve: Serve, database: str) -> None:
    async with serve({"storage.url": database}) as gateway, client(gateway, sync=True, rpc=True) as peer:
        for message_id in ("a", "\u202eid", "\U0001f600" * 64, "' OR 1=1 --", "%"):
            text = f"SAY a\0b {message_id} \u200f\ufffe"
            accepted = await peer.accepted(text, message_id)
            assert accepted["id"] == message_id
            result = (await peer.until("result"))[-1]
            assert result["text"] == text.removeprefix("SAY ").replace("\0", "\ufffd")
            assert await peer.accepted(text, message_id) == accepted | {"duplicate": True}
            assert placed(await peer.receive(), result) == result
            assert (await peer.accepted("SAY other", message_id))["code"] == "conflict"
        sessions = "/api/chat/sessions"
        for path in (
            f"{sessions}/%00",
            f"{sessions}?before=%00",
            f"{sessions}/{peer.hello['session_id']}/messages?before=%00.u",
        ):
            assert (await peer.request("GET", path))[0] == 404
        assert await peer.request("GET", f"{sessions}?agent=%00") == (200, [])
        page = (await peer.request("GET", f"{sessions}/{peer.hello['session_id']}/messages"))[1]
        assert [message["content"] for message in page["messages"][:2]] == [
            "SAY a\ufffdb a \u200f\ufffe",
            "a\ufffdb a \u200f\ufffe",
        ]


@pytest.mark.parametrize(
    "message_id",
    ["", "a\0b", "x" * 65, "\U0001f600" * 65, "x" * 10_000, 0, 1, -1, 1.5, True, False, [], ["a"], {}, {"a": 1}],
)
async def test_anything_else_is_no_id_and_nothing_runs(gateway: Gateway, chat: int, message_id: object) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        await peer.say("SAY x", id=message_id)
        error = await peer.receive()
        assert error["code"] == "invalid"
        assert "id" not in error
        assert await peer.quiet() == []


# --- what survives ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["at once", "after accepted", "after a delta"])
async def test_a_client_that_lost_its_connection_after_sending_still_gets_its_answer(serve: Serve, moment: str) -> None:
    """It does not know whether its message came through, sends it again over a new connection, and never asked for sync."""
    gate = Gate()
    agent = Agent(TextDelta("some "), gate, TextDelta("answer"))
    async with serve(providers=[agent]) as gateway:
        async with client(gateway) as peer:
            await peer.say("go", id="a")
            if moment != "at once":
                await peer.until("accepted" if moment == "after accepted" else "text_delta")
            else:
                await asyncio.wait_for(gate.reached.wait(), PATIENCE_S)
            peer.socket.transport.abort()
        async with client(gateway) as peer:
            accepted = await peer.accepted("go", "a")
            assert accepted["duplicate"]
            gate.opened.set()
            assert_rest(await peer.until("result"), "some answer")
        async with client(gateway) as peer:
            assert await peer.accepted("go", "a") == accepted
            assert_rest(await peer.until("result"), "some answer")
        assert agent.heard == ["go"]


async def test_ids_survive_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with serving(home) as gateway, client(gateway) as peer:
        done = await peer.accepted("SAY done", "done")
        result = (await peer.until("result"))[-1]
        stopped = await peer.accepted(LONG, "stopped")
        await peer.until("text_delta")
        queued = await peer.accepted("SAY queued", "queued")
    agent = Agent(TextDelta("never"))
    async with serving(home, providers=[agent]) as gateway, client(gateway) as peer:
        assert await peer.accepted("SAY done", "done") == done | {"duplicate": True}
        assert await peer.receive() == result
        assert (await peer.accepted("SAY other", "done"))["code"] == "conflict"
        for text, message_id, accepted in ((LONG, "stopped", stopped), ("SAY queued", "queued", queued)):
            again = await peer.accepted(text, message_id)
            assert (again["turn_id"], again["duplicate"]) == (accepted["turn_id"], True)
            end = await peer.receive()
            assert (end["turn_id"], end["aborted"], end["reason"]) == (accepted["turn_id"], True, "shutdown")
            assert end["text"].startswith("w0 ") == (message_id == "stopped")
        assert agent.heard == []
