"""After a crash: what had begun ends with what it said, what had not is run, and nobody sees anything twice."""

from __future__ import annotations

import asyncio

from sygen_bot.events import Result, SystemStatus, TextDelta, ThinkingDelta, ToolActivity
from sygen_bot.session.trace import StatusChange, TextSpan, Thought, ToolUse
from sygen_bot.storage.history import ChatHistory
from sygen_bot.storage.sessions import ContextUse, SessionStore, TurnPart
from tests.storage.rows import KEY, OTHER, Clock, accept, ended, message, one_turn, opened, places

DAY_S = 86400.0


def interrupted(text: str) -> Result:
    return Result(text, aborted=True, reason="interrupted")


async def test_nothing_is_set_right_where_nothing_was_left(store: SessionStore) -> None:
    session = await opened(store)
    end = await one_turn(store, session, 1, "hi", seq=0)
    assert await store.recover(max_age_s=900) == []
    again = await opened(store)
    assert (again.epoch, again.seq) == (session.epoch, end)


async def test_a_turn_that_had_begun_ends_with_what_it_had_said_in_a_new_epoch(
    store: SessionStore, history: ChatHistory, clock: Clock
) -> None:
    session = await opened(store)
    before = await one_turn(store, session, 1, "hi", seq=0)
    await accept(store, session, message(2))
    await store.begin("t2", user_seq=before + 1)
    tool = ToolActivity("Read", "1", input={"a": 1})
    await store.add_parts([TurnPart(turn_id="t2", number=0, text="one ", trace=[Thought(9, "hm"), TextSpan(13, 4)])])
    await store.add_parts(
        [
            TurnPart(
                turn_id="t2", number=1, text="two", trace=[ToolUse(14, tool), StatusChange(15, "x"), TextSpan(20, 3)]
            )
        ]
    )  # a message between
    clock.now = 1010.0
    assert await store.recover(max_age_s=900) == []
    again = await opened(store)
    assert again.epoch != session.epoch
    turn = (await history.turns(session.id, before=None, limit=9))[-1]
    assert (turn.status, turn.end, turn.answer) == ("interrupted", interrupted("one two"), "one two")
    assert (turn.ended_at, turn.end_seq) == (1010.0, again.seq)
    found = await history.session(session.id)
    assert found is not None
    assert found.message_count == 4
    events = await history.events(session.id, after=before, until=again.seq, most_turns=9, most_chars=9999)
    assert [event for _, event in places(events)] == [
        "hello",
        ThinkingDelta("hm"),
        TextDelta("one "),
        tool,
        SystemStatus("x"),
        TextDelta("two"),
        interrupted("one two"),
    ]


async def test_a_turn_that_had_begun_and_said_nothing_is_not_run_again(
    store: SessionStore, history: ChatHistory
) -> None:
    session = await opened(store)
    await accept(store, session, message(1), begins=True)
    assert await store.recover(max_age_s=900) == []
    (turn,) = await history.turns(session.id, before=None, limit=9)
    assert turn.end == interrupted("")


async def test_what_waited_is_run_in_its_order_and_keeps_its_session(store: SessionStore) -> None:
    mine, others = await opened(store), await opened(store, OTHER)
    for ordinal in (1, 2, 3):
        await accept(store, mine, message(ordinal))
    await accept(store, others, message(1, session="o"))
    found = await store.recover(max_age_s=900)
    assert [turn.id for key, turn in found if key == KEY] == ["t1", "t2", "t3"]
    assert [turn.id for key, turn in found if key == OTHER] == ["o1"]
    assert [turn.user_seq for key, turn in found if key == KEY] == [1, 2, 3]
    assert {turn.text for _, turn in found} == {"hello"}
    again = await opened(store)
    assert (again.epoch, again.seq, again.ordinal) == (mine.epoch, 3, 3)


async def test_what_has_no_id_or_is_too_old_is_not_run(store: SessionStore, history: ChatHistory, clock: Clock) -> None:
    session = await opened(store)
    await accept(store, session, message(1, accepted_at=1000.0))
    await accept(store, session, message(2, client_id=None, accepted_at=2000.0))
    await accept(store, session, message(3, accepted_at=1100.0))
    clock.now = 2000.0
    assert [turn.id for _, turn in await store.recover(max_age_s=900)] == ["t3"]
    turns = await history.turns(session.id, before=None, limit=9)
    assert [(turn.id, turn.status) for turn in turns] == [
        ("t1", "interrupted"),
        ("t2", "interrupted"),
        ("t3", "queued"),
    ]


async def test_everything_at_once(store: SessionStore, history: ChatHistory, clock: Clock) -> None:
    session = await opened(store)
    await accept(store, session, message(1), begins=True)
    for ordinal, client_id, at in ((2, "mine", 1900.0), (3, None, 1900.0), (4, "old", 1000.0), (5, "last", 1900.0)):
        await accept(store, session, message(ordinal, client_id=client_id, accepted_at=at))
    await store.add_parts([TurnPart(turn_id="t1", number=0, text="so far", trace=[TextSpan(7, 6)])])
    clock.now = 2000.0
    to_run = [turn for _, turn in await store.recover(max_age_s=900)]
    assert [turn.id for turn in to_run] == ["t2", "t5"]
    turns = await history.turns(session.id, before=None, limit=9)
    assert [turn.status for turn in turns] == ["interrupted", "queued", "interrupted", "interrupted", "queued"]
    again = await opened(store)
    seqs = [turn.user_seq for turn in turns] + [turn.end_seq for turn in turns if turn.end_seq]
    assert len(set(seqs)) == 8, "no two stand in one place"
    assert again.seq == max(seq for seq in seqs if seq is not None)


async def test_what_was_set_right_stays_so_and_what_waits_is_found_again(store: SessionStore) -> None:
    session = await opened(store)
    await accept(store, session, message(1), begins=True)
    await accept(store, session, message(2))
    first = await store.recover(max_age_s=900)
    once = await opened(store)
    second = await store.recover(max_age_s=900)
    assert first == second
    assert await opened(store) == once, "the second crash found nothing begun: the epoch is kept"


async def test_a_message_that_clients_were_told_keeps_its_place(store: SessionStore, history: ChatHistory) -> None:
    session = await opened(store)
    await accept(store, session, message(1), begins=True)
    await accept(store, session, message(2))
    await store.finish(session.id, [ended("t1", 5, "hi", user_seq=1)], waiting={"t2": 2}, context=ContextUse())
    ((_, turn),) = await store.recover(max_age_s=900)
    assert turn.user_seq == 2
    again = await opened(store)
    assert (again.epoch, again.seq) == (session.epoch, 5)
    events = await history.events(session.id, after=0, until=again.seq, most_turns=9, most_chars=9999)
    assert [seq for seq, _ in places(events)] == [1, 2, 4, 5]


async def test_a_message_that_waits_is_among_what_followed_a_place(store: SessionStore, history: ChatHistory) -> None:
    """A client that was away when the message came learns of it, though it has not run yet."""
    session = await opened(store)
    seq = await one_turn(store, session, 1, "hi", seq=0)
    await accept(store, session, message(2, "and then?"))
    ((_, turn),) = await store.recover(max_age_s=900)
    assert turn.user_seq == seq + 1
    events = await history.events(session.id, after=seq, until=seq + 1, most_turns=9, most_chars=9999)
    assert places(events) == [(seq + 1, "and then?")]


async def test_a_message_that_was_told_before_an_end_that_does_not_know_it_is_never_told_again_elsewhere(
    store: SessionStore, clock: Clock
) -> None:
    """It was stored, but not told yet, when the end of the turn before it was put together: its place is not known."""
    session = await opened(store)
    await accept(store, session, message(1), begins=True)
    await accept(store, session, message(2, accepted_at=1001.0))
    clock.now = 1002.0
    await store.finish(
        session.id, [ended("t1", 6, "hi")], waiting={}, context=ContextUse()
    )  # its message was told at 2 to 5
    await store.recover(max_age_s=900)
    again = await opened(store)
    assert again.epoch != session.epoch, "clients read the history instead of hearing it twice"


async def test_many_sessions_are_set_right_at_once(store: SessionStore, history: ChatHistory) -> None:
    keys = [KEY.__class__("api", number, None) for number in range(1, 41)]
    sessions = await asyncio.gather(*(opened(store, key) for key in keys))
    for number, session in enumerate(sessions):
        await accept(store, session, message(1, session=f"s{number}-"), begins=number % 2 == 0)
    to_run = await store.recover(max_age_s=900)
    assert {key for key, _ in to_run} == set(keys[1::2])
    after = await asyncio.gather(*(opened(store, key) for key in keys))
    assert [new.epoch == old.epoch for new, old in zip(after, sessions, strict=True)] == [False, True] * 20
