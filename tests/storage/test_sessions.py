"""Sessions and their turns as they are written: each step once, under its own rules."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from sygen_bot.errors import Conflict
from sygen_bot.events import Failed, FileRef, Result, TextDelta, ToolActivity, Usage
from sygen_bot.session.key import SessionKey
from sygen_bot.session.trace import StatusChange, TextSpan, Thought, ToolUse, TraceEntry
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.history import ChatHistory
from sygen_bot.storage.sessions import ContextUse, KnownMessage, SessionStore, TurnPart
from tests.storage.rows import KEY, OTHER, Clock, accept, ended, message, one_turn, opened


async def parts_left(storage: Storage) -> int:
    return await storage.read(
        lambda connection: int(connection.scalar(sa.text("SELECT count(*) FROM turn_parts")) or 0)
    )


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_a_session_is_made_once_and_found_again(store: SessionStore, clock: Clock) -> None:
    first = await opened(store)
    clock.now = 2000.0
    assert await opened(store) == first
    assert (first.key, first.agent, first.seq, first.ordinal) == (KEY, "main", 0, 0)
    assert (first.provider, first.model, dict(first.contexts)) == (None, None, {})
    assert first.context == ContextUse()


async def test_many_that_open_one_session_at_once_get_the_same(store: SessionStore) -> None:
    sessions = await asyncio.gather(*(opened(store) for _ in range(20)))
    assert len({session.id for session in sessions}) == 1


async def test_each_session_has_an_id_and_an_epoch_of_its_own(store: SessionStore) -> None:
    one, other = await opened(store), await opened(store, OTHER)
    assert one.id != other.id
    assert one.epoch != other.epoch


async def test_the_choice_of_a_session_is_kept_and_taken_back(store: SessionStore) -> None:
    session = await opened(store)
    await store.set_target(session.id, provider="claude", model="opus")
    assert [(found := await opened(store)).provider, found.model] == ["claude", "opus"]
    await store.set_target(session.id, provider=None, model=None)
    assert await opened(store) == session


async def test_each_provider_has_a_context_of_its_own_and_the_newest_counts(store: SessionStore) -> None:
    session = await opened(store)
    await store.save_context(session.id, "claude", "old")
    await store.save_context(session.id, "local", '{"ü": "🚀"}')
    await store.save_context(session.id, "claude", "new")
    assert dict((await opened(store)).contexts) == {"claude": "new", "local": '{"ü": "🚀"}'}


async def test_starting_over_clears_the_contexts_and_keeps_the_choice_and_the_turns(
    store: SessionStore, history: ChatHistory
) -> None:
    session = await opened(store)
    await one_turn(store, session, 1, "hi", seq=0)
    await store.set_target(session.id, provider="claude", model=None)
    await store.save_context(session.id, "claude", "token")
    await store.clear_contexts(session.id)
    found = await opened(store)
    assert (found.provider, dict(found.contexts)) == ("claude", {})
    assert found.context == ContextUse()
    assert len(await history.turns(session.id, before=None, limit=9)) == 1


async def test_how_far_a_context_was_used_is_kept_with_the_end_of_a_turn(store: SessionStore) -> None:
    session = await opened(store)
    await accept(store, session, message(1))
    await store.finish(session.id, [ended("t1", 3)], waiting={}, context=ContextUse(1234.5, 2))
    assert (await opened(store)).context == ContextUse(1234.5, 2)


@pytest.mark.parametrize("other", [OTHER, SessionKey("api", 57, None), SessionKey("mail", 5, 7)])
async def test_sessions_with_similar_keys_are_kept_apart(store: SessionStore, other: SessionKey) -> None:
    mine, others = await opened(store), await opened(store, other)
    await store.save_context(mine.id, "claude", "mine")
    await store.save_context(others.id, "claude", "other")
    await accept(store, mine, message(1))
    await accept(store, others, message(1, "something else", session="o"))
    await store.clear_contexts(others.id)
    await store.delete(others.id)
    assert dict((await opened(store)).contexts) == {"claude": "mine"}
    assert (await opened(store)).ordinal == 1


async def test_many_writers_at_once_all_get_through(store: SessionStore) -> None:
    keys = [SessionKey("api", chat, None) for chat in range(1, 11)]
    sessions = await asyncio.gather(*(opened(store, key) for key in keys))
    await asyncio.gather(
        *(store.save_context(session.id, f"p{number}", session.id) for number in range(20) for session in sessions)
    )
    for key in keys:
        found = await opened(store, key)
        assert dict(found.contexts) == {f"p{number}": found.id for number in range(20)}


async def test_what_comes_after_its_session_was_deleted_leaves_nothing(
    store: SessionStore, storage: Storage, history: ChatHistory
) -> None:
    session = await opened(store)
    await accept(store, session, message(1))
    await store.begin("t1", user_seq=1)
    await store.add_parts([TurnPart(turn_id="t1", number=0, text="so far", trace=[TextSpan(7, 6)])])
    await store.delete(session.id)
    await store.add_parts([TurnPart(turn_id="t1", number=1, text="more", trace=[TextSpan(11, 4)])])
    await store.save_context(session.id, "claude", "late")
    await store.finish(session.id, [ended("t1", 12, "so far")], waiting={"t2": 3}, context=ContextUse())
    assert await parts_left(storage) == 0
    assert await history.session(session.id) is None
    again = await opened(store)
    assert again.id != session.id
    assert (again.epoch == session.epoch, again.ordinal, dict(again.contexts)) == (False, 0, {})


# --- accepting --------------------------------------------------------------------------------------------------------


async def test_an_accepted_message_is_counted_and_makes_its_session_the_newest(
    store: SessionStore, history: ChatHistory
) -> None:
    session = await opened(store)
    assert await accept(store, session, message(1, accepted_at=1500.0)) is None
    found = await history.session(session.id)
    assert found is not None
    assert (found.message_count, found.updated_at) == (1, 1500.0)
    assert (await opened(store)).ordinal == 1
    (turn,) = await history.turns(session.id, before=None, limit=9)
    assert (turn.status, turn.user_seq, turn.end_seq, turn.answer, turn.end) == ("queued", None, None, "", None)


async def test_the_same_message_again_is_known_and_not_kept_twice(store: SessionStore, history: ChatHistory) -> None:
    session = await opened(store)
    await accept(store, session, message(1, "hello", client_id="mine"))
    again = message(2, "hello", client_id="mine")
    assert await accept(store, session, again) == KnownMessage(turn_id="t1", end=None)
    await store.begin("t1", user_seq=1)
    assert await accept(store, session, again) == KnownMessage(turn_id="t1", end=None)
    await store.finish(session.id, [ended("t1", 4, "hi")], waiting={}, context=ContextUse())
    assert await accept(store, session, again) == KnownMessage(turn_id="t1", end=Result("hi"))
    found = await history.session(session.id)
    assert found is not None
    assert found.message_count == 2
    assert (await opened(store)).ordinal == 1


async def test_the_same_message_twice_at_once_is_kept_once(store: SessionStore) -> None:
    session = await opened(store)
    ends = await asyncio.gather(
        *(accept(store, session, message(number, "hello", client_id="mine")) for number in (1, 2, 3))
    )
    assert ends == [None, KnownMessage(turn_id="t1", end=None), KnownMessage(turn_id="t1", end=None)]


async def test_an_id_that_stands_for_another_text_is_a_conflict_and_stays_what_it_was(store: SessionStore) -> None:
    session = await opened(store)
    await accept(store, session, message(1, "hello", client_id="mine"))
    with pytest.raises(Conflict):
        await accept(store, session, message(2, "hello ", client_id="mine"))
    assert await accept(store, session, message(2, "hello", client_id="mine")) == KnownMessage(turn_id="t1", end=None)


async def test_an_id_names_a_message_of_its_session_only(store: SessionStore) -> None:
    mine, others = await opened(store), await opened(store, OTHER)
    assert await accept(store, mine, message(1, "one", client_id="x")) is None
    assert await accept(store, others, message(1, "two", client_id="x", session="o")) is None


async def test_messages_without_an_id_are_never_the_same(store: SessionStore) -> None:
    session = await opened(store)
    for ordinal in (1, 2):
        assert await accept(store, session, message(ordinal, client_id=None)) is None
    assert (await opened(store)).ordinal == 2


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("hello", "hello"),
        ("\n \t\n  What is this?  \nMore of it", "What is this?"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("word " * 30, ("word " * 16)[:79].rstrip() + "…"),
        ("🚀" * 100, "🚀" * 79 + "…"),
        ("\u202e\u202b", "\u202e\u202b"),
        ("a\u2028b", "a"),
    ],
)
async def test_a_session_is_called_by_the_first_line_of_its_first_message(
    store: SessionStore, history: ChatHistory, text: str, title: str
) -> None:
    session = await opened(store)
    await accept(store, session, message(1, text))
    await accept(store, session, message(2, "a later one"))
    found = await history.session(session.id)
    assert found is not None
    assert found.title == title


async def test_a_name_that_was_given_is_kept(store: SessionStore, history: ChatHistory) -> None:
    session = await opened(store)
    await history.rename(session.id, "Mine")
    await accept(store, session, message(1, "hello"))
    found = await history.session(session.id)
    assert found is not None
    assert found.title == "Mine"


# --- running and ending -----------------------------------------------------------------------------------------------

ENDS = [
    (Result("hi", provider="p", model="m", usage=Usage(1, 2, 0.5), duration_ms=9), "done"),
    (Result("hi", stream_fallback=True, files=(FileRef("/a/ü.png", "ü.png", True),)), "done"),
    (Result("hi", aborted=True, reason="abort"), "aborted"),
    (Result("hi", aborted=True, reason="shutdown"), "aborted"),
    (Result("hi", aborted=True, reason="interrupted"), "interrupted"),
    (Failed("provider_unavailable", "It is\nnot there 🚀"), "failed"),
]


@pytest.mark.parametrize(("end", "status"), ENDS)
async def test_a_turn_comes_back_as_it_ended(
    store: SessionStore, history: ChatHistory, clock: Clock, end: Result | Failed, status: str
) -> None:
    session = await opened(store)
    await accept(store, session, message(1))
    await store.begin("t1", user_seq=1)
    clock.now = 1100.0
    tool = ToolActivity("Read", "1", "end", {"a": [1, None, "ü"]}, "out", True, 5, True)
    trace: list[TraceEntry] = [Thought(3, "hm"), ToolUse(4, tool), StatusChange(5, None), TextSpan(7, 2)]
    await store.finish(
        session.id, [ended("t1", 8, "hi", user_seq=1, end=end, trace=trace)], waiting={}, context=ContextUse()
    )
    (turn,) = await history.turns(session.id, before=None, limit=9)
    assert (turn.end, turn.status, turn.answer, list(turn.trace)) == (end, status, "hi", trace)
    assert (turn.user_seq, turn.end_seq, turn.ended_at) == (1, 8, 1100.0)
    found = await history.session(session.id)
    assert found is not None
    assert (found.message_count, found.updated_at) == (2, 1100.0)
    assert (await opened(store)).seq == 8


async def test_a_turn_that_begins_is_running_and_knows_its_place(store: SessionStore, history: ChatHistory) -> None:
    session = await opened(store)
    await accept(store, session, message(1))
    await store.begin("t1", user_seq=7)
    (turn,) = await history.turns(session.id, before=None, limit=9)
    assert (turn.status, turn.user_seq, turn.end_seq) == ("running", 7, None)


async def test_what_a_turn_said_so_far_goes_when_it_has_ended(store: SessionStore, storage: Storage) -> None:
    session = await opened(store)
    await accept(store, session, message(1))
    await store.add_parts([TurnPart(turn_id="t1", number=0, text="too early", trace=[TextSpan(9, 9)])])
    assert await parts_left(storage) == 0
    await store.begin("t1", user_seq=1)
    for number in range(3):
        await store.add_parts([TurnPart(turn_id="t1", number=number, text="ab", trace=[TextSpan(3 + 2 * number, 2)])])
    assert await parts_left(storage) == 3
    await store.finish(session.id, [ended("t1", 8, "ababab")], waiting={}, context=ContextUse())
    await store.add_parts([TurnPart(turn_id="t1", number=3, text="late", trace=[TextSpan(12, 4)])])
    assert await parts_left(storage) == 0


async def test_a_large_answer_is_stored_once_and_read_as_a_whole(
    store: SessionStore, history: ChatHistory, storage: Storage
) -> None:
    session, part = await opened(store), "ü" * 64 * 1024
    answer = part * 5 + "the end"
    await accept(store, session, message(1, client_id="mine"))
    await store.begin("t1", user_seq=1)
    for number in range(5):
        said = [TextSpan(1 + len(part) * (number + 1), len(part))]
        await store.add_parts([TurnPart(turn_id="t1", number=number, text=part, trace=said)])
    end = ended("t1", len(answer) + 2, answer, in_parts=(4, 4 * len(part)))  # nobody heard of the fifth
    for _ in range(2):  # nor of the end
        await store.finish(session.id, [end], waiting={}, context=ContextUse())
    assert await storage.read(lambda connection: connection.scalar(sa.text("SELECT answer FROM turns"))) is None
    assert await parts_left(storage) == 6
    (turn,) = await history.turns(session.id, before=None, limit=9)
    assert turn.answer == answer
    assert turn.end == end.end
    assert (
        await history.events(session.id, after=0, until=end.end_seq, most_turns=9, most_chars=len(answer) - 1) is None
    )
    events = await history.events(session.id, after=0, until=end.end_seq, most_turns=9, most_chars=len(answer))
    assert events is not None
    assert "".join(logged.event.data for logged in events if isinstance(logged.event, TextDelta)) == answer
    assert await accept(store, session, message(2, text=message(1).text, client_id="mine")) == KnownMessage(
        turn_id="t1", end=end.end
    )
    await store.delete(session.id)
    assert await parts_left(storage) == 0


async def test_several_ends_and_the_places_of_those_that_wait_are_one_step(
    store: SessionStore, history: ChatHistory
) -> None:
    session = await opened(store)
    for ordinal in (1, 2, 3):
        await accept(store, session, message(ordinal))
    await store.begin("t1", user_seq=1)
    abort = Result("", aborted=True, reason="abort")
    await store.finish(session.id, [ended("t1", 5), ended("t2", 6, end=abort)], waiting={"t3": 4}, context=ContextUse())
    turns = await history.turns(session.id, before=None, limit=9)
    assert [(turn.status, turn.end_seq) for turn in turns] == [("done", 5), ("aborted", 6), ("queued", None)]
    assert turns[2].user_seq == 4
    assert (await opened(store)).seq == 6


async def test_an_end_that_is_stored_again_counts_once(store: SessionStore, history: ChatHistory) -> None:
    """A commit may have got through though its answer did not: then it is tried again."""
    session = await opened(store)
    await accept(store, session, message(1))
    for _ in range(2):
        await store.finish(session.id, [ended("t1", 4, "hi")], waiting={}, context=ContextUse())
    found = await history.session(session.id)
    assert found is not None
    assert found.message_count == 2


async def test_a_message_or_part_that_is_stored_again_is_the_same_one(store: SessionStore, storage: Storage) -> None:
    session = await opened(store)
    for _ in range(2):
        assert await accept(store, session, message(1)) is None
    await store.begin("t1", user_seq=1)
    await store.add_parts([TurnPart(turn_id="t1", number=0, text="ab", trace=[TextSpan(3, 2)])])
    await store.add_parts([TurnPart(turn_id="t1", number=0, text="abcd", trace=[TextSpan(5, 4)])])
    assert await parts_left(storage) == 1
