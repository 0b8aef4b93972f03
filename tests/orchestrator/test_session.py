"""One session: a turn at a time, each step stored before it is told, free again after every stop and every failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sygen_bot.errors import Conflict, EmptyMessage, NotFound, QueueFull
from sygen_bot.events import Result, TextDelta, UserMessage
from sygen_bot.orchestrator.session import REAP_LIMIT_S, MessageNotStored
from sygen_bot.session.log import Cursor, LoggedEvent
from sygen_bot.session.receipt import Acceptance, Receipt
from sygen_bot.storage.engine import open_storage
from sygen_bot.storage.history import ChatHistory, PastTurn
from sygen_bot.storage.sessions import SessionStore
from tests.orchestrator.weather import KEY, Conversation, conversation


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[tuple[Conversation, ChatHistory]]:
    async with conversation(tmp_path / "sygen.db") as opened:
        yield opened


Talk = tuple[Conversation, ChatHistory]


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    skipped_s = 0.0

    def time(self) -> float:
        return super().time() + self.skipped_s


def run_with_skipping_clock(tmp_path: Path, main: Callable[[Conversation, ChatHistory], Awaitable[None]]) -> None:
    async def run() -> None:
        async with conversation(tmp_path / "sygen.db") as (talk, history):
            await main(talk, history)

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(run())


def skip(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SkippingLoop)
    loop.skipped_s += seconds


async def skip_until(talk: Conversation, step: str, times: int) -> None:
    """Put the clock forward until that step has been tried so often: pauses between attempts are over at once."""
    while talk.store.tried.count(step) < times:
        skip(0.5)
        await asyncio.sleep(0)


async def stored(talk: Conversation, history: ChatHistory) -> list[PastTurn]:
    return await history.turns(talk.session.id, before=None, limit=99)


def is_new(receipt: Receipt) -> bool:
    return isinstance(receipt, Acceptance) and not receipt.is_duplicate


def by_place(events: list[LoggedEvent]) -> list[tuple[int, str, object]]:
    """Events by their places, deltas by characters: they may be cut in any way."""
    found: list[tuple[int, str, object]] = []
    for logged in events:
        if isinstance(logged.event, TextDelta):
            first = logged.seq - len(logged.event.data) + 1
            found += [(first + number, logged.turn_id, letter) for number, letter in enumerate(logged.event.data)]
        else:
            found.append((logged.seq, logged.turn_id, logged.event))
    return found


async def assert_storage_tells_what_was_heard(talk: Conversation, history: ChatHistory) -> None:
    """What a client hears that resumes from the stored turns, is what one heard that was there all the time."""
    last = talk.session.log.cursor.seq
    events = await history.events(talk.session.id, after=0, until=last, most_turns=99, most_chars=9999)
    assert events is not None
    told = by_place(talk.heard)
    assert by_place(events) == told
    assert [place for place, _, _ in told] == sorted({place for place, _, _ in told})


# --- one after the other ----------------------------------------------------------------------------------------------


async def test_turns_run_one_at_a_time_in_the_order_they_came(talk: Talk) -> None:
    session, history = talk
    receipts = [session.submit(text) for text in "abc"]
    positions = [(await receipt).position for receipt in receipts]  # type: ignore[union-attr]  # none is refused
    assert positions == [0, 1, 2]
    for number, text in enumerate("abc"):
        await session.running(text)
        assert session.started == list("abc"[: number + 1])
        session.let_go(text)
    await session.idle()
    assert [end.text for end in session.ends()] == ["so far a, the end", "so far b, the end", "so far c, the end"]
    assert session.session.is_idle
    await assert_storage_tells_what_was_heard(session, history)


async def test_each_step_is_stored_before_it_is_told(talk: Talk) -> None:
    session, history = talk
    session.store.held["accept"] = asyncio.Event()
    receipt = session.submit("a", client_id="c1")
    await session.store.until_tried("accept")
    assert not receipt.done()
    assert session.heard == []
    session.store.held.pop("accept").set()
    assert is_new(await receipt)
    await session.running("a")
    (turn,) = await stored(session, history)
    assert (turn.status, turn.user_seq, turn.client_id) == ("running", session.heard[0].seq, "c1")
    session.store.held["finish"] = asyncio.Event()
    session.let_go("a")
    await session.store.until_tried("finish")
    assert session.ends() == []
    assert session.session.running_turn == turn.id
    session.store.held.pop("finish").set()
    await session.idle()
    assert [end.text for end in session.ends()] == ["so far a, the end"]


async def test_a_full_queue_refuses_and_takes_again_when_a_turn_has_ended(tmp_path: Path) -> None:
    async with conversation(tmp_path / "sygen.db", limit=2) as (session, _):
        session.submit("a")
        session.submit("b")
        with pytest.raises(QueueFull):
            session.submit("c")
        await session.running("a")
        session.let_go("a")
        await session.running("b")
        assert is_new(await session.accepted("c"))
        assert [job.text for job in session.session.unfinished()] == ["b", "c"]
        await session.session.stop_all("abort")
        await session.idle()


@pytest.mark.parametrize("text", ["", " \n\t", "\u2003"])
async def test_a_message_without_words_is_refused(talk: Talk, text: str) -> None:
    with pytest.raises(EmptyMessage):
        talk[0].submit(text)
    assert talk[0].session.is_idle


# --- the same message again -------------------------------------------------------------------------------------------


async def test_the_same_message_again_is_told_its_turn_whatever_has_become_of_it(talk: Talk) -> None:
    session, history = talk
    first, at_once = session.submit("a", client_id="c1"), session.submit("a", client_id="c1")
    one, two = await first, await at_once
    assert isinstance(one, Acceptance)
    assert isinstance(two, Acceptance)
    assert (two.turn_id, two.is_duplicate, two.end) == (one.turn_id, True, None)
    await session.running("a")
    assert await session.accepted("a", client_id="c1") == two
    session.let_go("a")
    await session.idle()
    again = await session.accepted("a", client_id="c1")
    assert isinstance(again, Acceptance)
    assert (again.turn_id, again.end) == (one.turn_id, Result("so far a, the end"))
    assert session.started == ["a"]
    assert len(await stored(session, history)) == 1
    await assert_storage_tells_what_was_heard(session, history)


async def test_a_place_of_a_message_that_was_no_new_one_is_a_hole_and_no_more(talk: Talk) -> None:
    session, history = talk
    session.let_go("a")
    await session.accepted("a", client_id="c1")
    await session.idle()
    await session.accepted("a", client_id="c1")
    assert isinstance(await session.accepted("other", client_id="c1"), Conflict)
    await session.whole("b")
    await assert_storage_tells_what_was_heard(session, history)


async def test_a_message_whose_end_memory_has_let_go_of_still_gets_its_answer(talk: Talk) -> None:
    session, _ = talk
    session.let_go("first")
    await session.accepted("first", client_id="c1")
    await session.idle()
    for number in range(12):
        await session.whole(f"{number}")
    again = await session.accepted("first", client_id="c1")
    assert isinstance(again, Acceptance)
    assert again.end == Result("so far first, the end")


# --- stopping ---------------------------------------------------------------------------------------------------------


async def test_stopping_ends_running_and_waiting_turns_with_what_they_said(talk: Talk) -> None:
    session, history = talk
    for text in "abc":
        await session.accepted(text)
    await session.running("a")
    assert await session.session.stop_all("abort") == 3
    assert session.ends() == [
        Result("so far a", aborted=True, reason="abort"),
        Result("", aborted=True, reason="abort"),
        Result("", aborted=True, reason="abort"),
    ]
    assert await session.session.stop_all("abort") == 0
    await session.idle()
    assert session.started == ["a"]
    assert [turn.status for turn in await stored(session, history)] == ["aborted"] * 3
    await assert_storage_tells_what_was_heard(session, history)


async def test_the_call_decides_what_is_stopped_and_what_comes_later_runs(talk: Talk) -> None:
    session, history = talk
    session.submit("a")  # not even stored yet
    stopping = session.session.stop_all("abort")
    after = session.submit("b")
    assert await stopping == 1
    assert is_new(await after)
    await session.running("b")
    session.let_go("b")
    await session.idle()
    assert session.started == ["b"]
    assert [(end.text, end.aborted) for end in session.ends()] == [("", True), ("so far b, the end", False)]
    await assert_storage_tells_what_was_heard(session, history)


async def test_a_message_that_is_stopped_while_it_is_stored_is_told_and_ends_and_never_runs(talk: Talk) -> None:
    session, history = talk
    gate = session.store.held["accept"] = asyncio.Event()
    receipt = session.submit("a", client_id="c1")
    stopping = asyncio.ensure_future(session.session.stop_all("abort"))
    await session.store.until_tried("accept")
    assert not stopping.done()
    gate.set()
    assert await stopping == 1
    assert is_new(await receipt)
    assert [type(logged.event) for logged in session.heard] == [UserMessage, Result]
    await session.idle()
    assert session.started == []
    await assert_storage_tells_what_was_heard(session, history)


async def test_a_message_that_is_refused_while_it_is_stopped_leaves_nothing(talk: Talk) -> None:
    session, history = talk
    session.store.down.add("accept")
    receipt = session.submit("a")
    assert await session.session.stop_all("abort") == 0
    assert isinstance(await receipt, MessageNotStored)
    assert session.heard == []
    assert await stored(session, history) == []
    assert session.session.unfinished() == []


async def test_stopping_while_an_end_is_being_stored_changes_nothing(talk: Talk) -> None:
    session, history = talk
    await session.accepted("a")
    await session.running("a")
    gate = session.store.held["finish"] = asyncio.Event()
    session.let_go("a")
    await session.store.until_tried("finish")
    assert await session.session.stop_all("abort") == 0
    gate.set()
    await session.idle()
    assert session.ends() == [Result("so far a, the end")]
    await assert_storage_tells_what_was_heard(session, history)


async def test_messages_that_come_while_an_end_is_stored_have_their_places_after_it_or_before_never_in_it(
    talk: Talk,
) -> None:
    session, history = talk
    await session.accepted("a")
    await session.running("a")
    before = session.submit("before")
    gate = session.store.held["finish"] = asyncio.Event()
    session.let_go("a")
    await before
    await session.store.until_tried("finish")
    after = session.submit("after")
    gate.set()
    session.store.held.clear()
    await after
    for text in ("before", "after"):
        session.let_go(text)
    await session.idle()
    await assert_storage_tells_what_was_heard(session, history)


async def test_the_next_turn_waits_until_the_stopped_one_has_cleaned_up(talk: Talk) -> None:
    session, _ = talk
    cleaned_up = session.cleaning_up["a"] = asyncio.Event()
    await session.accepted("a")
    await session.running("a")
    await session.session.stop_all("abort")
    await session.accepted("b")  # though the old agent still winds down
    for _ in range(10):
        await asyncio.sleep(0)
    assert session.started == ["a"]
    assert not session.session.is_idle
    cleaned_up.set()
    await session.running("b")
    session.let_go("b")
    await session.idle()
    assert session.ends()[-1] == Result("so far b, the end")


async def test_stopping_again_while_the_stopped_one_cleans_up_covers_only_what_came_since(talk: Talk) -> None:
    session, _ = talk
    cleaned_up = session.cleaning_up["a"] = asyncio.Event()
    await session.accepted("a")
    await session.running("a")
    assert await session.session.stop_all("abort") == 1
    await session.accepted("b")
    assert await session.session.stop_all("abort") == 1
    cleaned_up.set()
    await session.idle()
    assert session.started == ["a"]


async def test_a_turn_ends_only_once(talk: Talk) -> None:
    session, history = talk
    await session.accepted("a")
    await session.running("a")
    (job,) = session.session.unfinished()
    ends = [session.session.end(job, Result("first")), session.session.end(job, Result("second"))]
    session.session.stop(job, "timeout")
    await asyncio.gather(*ends)
    session.session.stop(job, "timeout")
    await session.idle()
    assert len(session.ends()) == 1
    await assert_storage_tells_what_was_heard(session, history)


@pytest.mark.parametrize("reason", ["abort", "timeout", "answer_too_large"])
def test_a_turn_that_never_cleans_up_does_not_block_its_session_for_ever(tmp_path: Path, reason: Any) -> None:
    async def main(session: Conversation, _history: ChatHistory) -> None:
        never = session.cleaning_up["a"] = asyncio.Event()
        await session.accepted("a")
        await session.running("a")
        (job,) = session.session.unfinished()
        session.session.stop(job, reason)
        await asyncio.wait({job.done})
        await session.accepted("b")
        for _ in range(5):
            await asyncio.sleep(0)
        assert session.started == ["a"]
        skip(REAP_LIMIT_S + 0.1)
        await session.running("b")
        assert not session.session.is_idle
        never.set()
        session.let_go("b")
        await session.idle()

    run_with_skipping_clock(tmp_path, main)


# --- deleting ---------------------------------------------------------------------------------------------------------


async def test_a_deleted_session_ends_its_turns_first_and_takes_no_more(talk: Talk) -> None:
    session, _ = talk
    await session.accepted("a")
    await session.running("a")
    removed: list[int] = []

    async def remove() -> None:
        removed.append(len(session.ends()))

    deleting = asyncio.create_task(session.session.delete(remove))
    await asyncio.sleep(0)
    with pytest.raises(NotFound):
        session.submit("b")
    await deleting
    assert removed == [1]
    await session.idle()


async def test_a_session_that_cannot_be_deleted_goes_on(talk: Talk) -> None:
    session, _ = talk

    async def remove() -> None:
        raise RuntimeError("bad weather")

    with pytest.raises(RuntimeError):
        await session.session.delete(remove)
    await session.whole("a")
    assert session.ends() == [Result("so far a, the end")]


# --- bad weather ------------------------------------------------------------------------------------------------------


async def test_a_message_that_cannot_be_stored_is_refused_and_may_be_sent_again(talk: Talk) -> None:
    session, history = talk
    session.store.down.add("accept")
    refused = await session.accepted("a", client_id="c1")
    assert isinstance(refused, MessageNotStored)
    assert refused.code == "unavailable"
    assert session.session.is_idle
    session.store.down.clear()
    session.let_go("a")
    assert is_new(await session.accepted("a", client_id="c1"))
    await session.idle()
    assert session.started == ["a"]
    await assert_storage_tells_what_was_heard(session, history)


async def test_a_message_whose_commit_was_not_confirmed_is_run_when_it_is_sent_again(talk: Talk) -> None:
    """The connection to the database broke during the commit: it is stored, and nobody knows."""
    session, history = talk
    session.store.mute.add("accept")
    assert isinstance(await session.accepted("a", client_id="c1"), MessageNotStored)
    session.store.mute.clear()
    session.let_go("a")
    again = await session.accepted("a", client_id="c1")
    assert isinstance(again, Acceptance)
    await session.idle()
    assert session.started == ["a"]
    assert [turn.status for turn in await stored(session, history)] == ["done"]


def test_an_end_that_cannot_be_stored_at_once_is_tried_again_before_it_is_told(tmp_path: Path) -> None:
    async def main(session: Conversation, history: ChatHistory) -> None:
        await session.accepted("a")
        await session.running("a")
        session.store.down.add("finish")
        session.let_go("a")
        await skip_until(session, "finish", 2)
        assert session.ends() == []
        session.store.down.clear()
        await skip_until(session, "finish", 3)
        await session.idle()
        assert session.ends() == [Result("so far a, the end")]
        await assert_storage_tells_what_was_heard(session, history)

    run_with_skipping_clock(tmp_path, main)


@pytest.mark.parametrize("client_id", [None, "c2"])
def test_messages_that_come_while_an_end_is_tried_again_do_not_take_its_place(
    tmp_path: Path, client_id: str | None
) -> None:
    async def main(session: Conversation, history: ChatHistory) -> None:
        await session.accepted("a")
        await session.running("a")
        session.store.down.add("finish")
        session.let_go("a")
        session.let_go("b")
        await session.store.until_tried("finish")
        waiting = session.submit("b", client_id=client_id)
        for _ in range(50):
            await asyncio.sleep(0)
        session.store.down.clear()
        await skip_until(session, "finish", 2)
        assert is_new(await waiting)
        await session.idle()
        await assert_storage_tells_what_was_heard(session, history)

    run_with_skipping_clock(tmp_path, main)


def test_an_answer_that_cannot_be_stored_is_told_all_the_same_and_kept_when_the_weather_is_better(
    tmp_path: Path,
) -> None:
    async def main(session: Conversation, history: ChatHistory) -> None:
        await session.accepted("a", client_id="c1")
        await session.running("a")
        session.store.down.add("finish")
        session.let_go("a")
        while not session.ends():
            skip(0.5)
            await asyncio.sleep(0)
        assert session.ends() == [Result("so far a, the end")]
        session.store.down.clear()
        await session.whole("b")
        assert [turn.status for turn in await stored(session, history)] == ["done", "done"]
        await assert_storage_tells_what_was_heard(session, history)

    run_with_skipping_clock(tmp_path, main)


def test_a_message_whose_end_was_never_stored_is_answered_when_it_is_sent_again(tmp_path: Path) -> None:
    async def main(session: Conversation, _history: ChatHistory) -> None:
        await session.accepted("a", client_id="c1")
        await session.running("a")
        session.store.down.add("finish")
        session.let_go("a")
        while not session.ends():
            skip(0.5)
            await asyncio.sleep(0)
        session.store.down.clear()
        for number in range(12):
            await session.whole(f"{number}")
        again = await session.accepted("a", client_id="c1")
        assert isinstance(again, Acceptance)
        assert again.end == Result("so far a, the end")

    run_with_skipping_clock(tmp_path, main)


def test_an_end_whose_commit_was_not_confirmed_is_stored_once(tmp_path: Path) -> None:
    async def main(session: Conversation, history: ChatHistory) -> None:
        await session.accepted("a")
        await session.running("a")
        session.store.mute.add("finish")
        session.let_go("a")
        await skip_until(session, "finish", 2)
        session.store.mute.clear()
        await session.idle()
        found = await history.session(session.session.id)
        assert found is not None
        assert found.message_count == 2
        await assert_storage_tells_what_was_heard(session, history)

    run_with_skipping_clock(tmp_path, main)


# --- others -----------------------------------------------------------------------------------------------------------


async def test_a_sender_that_went_away_does_not_lose_its_message(talk: Talk) -> None:
    session, history = talk
    gate = session.store.held["accept"] = asyncio.Event()
    receipt = session.submit("a", client_id="c1")
    await session.store.until_tried("accept")
    receipt.cancel()
    heard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    gate.set()
    session.store.held.clear()
    await session.running("a")
    session.let_go("a")
    await session.idle()
    assert [turn.status for turn in await stored(session, history)] == ["done"]


async def test_a_session_goes_on_where_it_stood_when_it_is_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "sygen.db"
    async with conversation(file) as (session, _):
        await session.whole("a")
        cursor = session.session.log.cursor
    async with conversation(file) as (session, history):
        assert session.session.log.cursor == cursor
        await session.whole("b")
        heard: list[LoggedEvent] = []
        older = await history.events(
            session.session.id, after=0, until=session.session.log.start, most_turns=9, most_chars=9999
        )
        session.session.log.subscribe(heard.append, after=Cursor(cursor.epoch, 0), older=older)
        said = [logged.event.data for logged in heard if isinstance(logged.event, TextDelta)]
        assert "".join(said) == "so far a, the endso far b, the end"
        assert [logged.seq for logged in heard] == sorted({logged.seq for logged in heard})


async def test_what_a_crash_left_is_taken_up_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "sygen.db"
    async with conversation(file) as (session, _):
        for text in "abc":
            await session.accepted(text, client_id=text)
        await session.running("a")
        # the gateway is killed: nothing more is stored
        session.store.down |= {"finish"}
        storage = await open_storage(file)
        left = await SessionStore(storage).recover(max_age_s=1e12)
        await storage.close()
        assert [(key, turn.text) for key, turn in left] == [(KEY, "b"), (KEY, "c")]
        session.store.down.clear()
        await session.session.stop_all("abort")
        await session.idle()
    async with conversation(file) as (session, history):
        for _, turn in left:
            session.session.take_up(turn)
        for text in "bc":
            session.let_go(text)
        await session.idle()
        assert session.started == ["b", "c"]
        assert [turn.status for turn in await stored(session, history)][1:] == ["done", "done"]
