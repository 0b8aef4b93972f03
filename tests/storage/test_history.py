"""Chat sessions as people see them: pages of turns, what followed a place, lists, names."""

from __future__ import annotations

import pytest

from sygen_bot.events import Result, TextDelta
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import Cursor, LoggedEvent, SessionLog
from sygen_bot.storage.history import ChatHistory, ChatSession
from sygen_bot.storage.sessions import ContextUse, SessionStore, StoredSession
from tests.storage.rows import KEY, Clock, accept, ended, message, one_turn, opened, places


async def conversation(store: SessionStore, turns: int) -> StoredSession:
    """A session of that many whole turns, each of 7 places: the message, five characters, the end."""
    session, seq = await opened(store), 0
    for ordinal in range(1, turns + 1):
        seq = await one_turn(store, session, ordinal, f"say {ordinal}", seq=seq)
    return await opened(store)


# --- pages ------------------------------------------------------------------------------------------------------------


async def test_turns_come_in_pages_from_the_newest_back_each_oldest_first(
    store: SessionStore, history: ChatHistory
) -> None:
    session = await conversation(store, 7)
    pages, before = [], None
    while page := await history.turns(session.id, before=before, limit=3):
        pages.append([turn.ordinal for turn in page])
        before = page[0].ordinal
    assert pages == [[5, 6, 7], [2, 3, 4], [1]]


async def test_turns_come_in_pages_from_the_oldest_on(store: SessionStore, history: ChatHistory) -> None:
    session = await conversation(store, 7)
    pages, after = [], 0
    while page := await history.turns_after(session.id, after=after, limit=3):
        pages.append([turn.ordinal for turn in page])
        after = page[-1].ordinal
    assert pages == [[1, 2, 3], [4, 5, 6], [7]]


async def test_a_turn_is_found_in_its_own_session_only(store: SessionStore, history: ChatHistory) -> None:
    session, other = await conversation(store, 1), await opened(store, SessionKey("api", 9, None))
    found = await history.turn(session.id, "t1")
    assert found is not None
    assert (found.text, found.answer, found.client_id) == ("question 1", "say 1", "c1")
    assert await history.turn(other.id, "t1") is None
    assert await history.turn(session.id, "t2") is None


# --- what followed a place --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", [0, 5, 7, 13, 21])
async def test_what_followed_any_place_is_every_event_once(
    store: SessionStore, history: ChatHistory, until: int
) -> None:
    session = await conversation(store, 3)
    whole = [
        place for place, _ in places(await history.events(session.id, after=0, until=21, most_turns=9, most_chars=9999))
    ]
    assert whole == [1, 6, 7, 8, 13, 14, 15, 20, 21]
    for after in range(until + 1):
        events = places(await history.events(session.id, after=after, until=until, most_turns=9, most_chars=9999))
        assert [place for place, _ in events] == [place for place in whole if after < place <= until]


async def test_from_inside_an_answer_its_rest_follows(store: SessionStore, history: ChatHistory) -> None:
    session = await conversation(store, 2)
    assert places(await history.events(session.id, after=4, until=8, most_turns=9, most_chars=9999)) == [
        (6, TextDelta(" 1")),
        (7, Result("say 1")),
        (8, "question 2"),
    ]


async def test_more_turns_than_asked_for_are_not_told_at_all(store: SessionStore, history: ChatHistory) -> None:
    session = await conversation(store, 3)
    assert await history.events(session.id, after=0, until=21, most_turns=2, most_chars=9999) is None
    assert await history.events(session.id, after=7, until=21, most_turns=2, most_chars=9999) is not None
    assert await history.events(session.id, after=0, until=21, most_turns=3, most_chars=9999) is not None


async def test_longer_answers_than_asked_for_are_not_told_at_all(store: SessionStore, history: ChatHistory) -> None:
    session = await conversation(store, 3)
    assert await history.events(session.id, after=0, until=21, most_turns=9, most_chars=14) is None
    assert await history.events(session.id, after=7, until=21, most_turns=9, most_chars=10) is not None
    assert await history.events(session.id, after=0, until=21, most_turns=9, most_chars=15) is not None


async def test_storage_and_memory_join_without_a_gap_or_a_double(store: SessionStore, history: ChatHistory) -> None:
    session = await conversation(store, 3)
    log = SessionLog(epoch=session.epoch, seq=session.seq)
    log.append("t4", TextDelta("now"))
    for after in range(session.seq + 4):
        heard: list[LoggedEvent] = []
        older = await history.events(session.id, after=after, until=log.start, most_turns=9, most_chars=9999)
        log.subscribe(heard.append, after=Cursor(session.epoch, after), older=older)
        covered = [
            place
            for logged in heard
            for place in (
                range(logged.seq - len(logged.event.data) + 1, logged.seq + 1)
                if isinstance(logged.event, TextDelta)
                else [logged.seq]
            )
        ]
        assert covered == list(range(after + 1, session.seq + 4))


async def test_a_message_that_waits_behind_turns_that_memory_let_go_of_is_there(
    store: SessionStore, history: ChatHistory
) -> None:
    """Ten messages came at once; those that wait have their places before the ends of those that ran."""
    session = await opened(store)
    for ordinal in range(1, 11):
        await accept(store, session, message(ordinal, f"question {ordinal}"), begins=ordinal == 1)
    waiting = {f"t{ordinal}": ordinal for ordinal in range(2, 11)}
    last = [ended("t1", 12, "x", user_seq=1)]
    await store.finish(session.id, last, waiting=waiting, context=ContextUse())
    events = places(await history.events(session.id, after=5, until=12, most_turns=20, most_chars=9999))
    assert [place for place, _ in events] == [6, 7, 8, 9, 10, 11, 12]


# --- lists and names --------------------------------------------------------------------------------------------------


async def names(history: ChatHistory, **wanted: object) -> list[str]:
    asked = {"chat_id": None, "agent": None, "include_archived": False, "before": None, "limit": 50} | wanted
    return [session.title for session in await history.sessions(**asked)]  # type: ignore[arg-type]


async def several(store: SessionStore, history: ChatHistory, clock: Clock, count: int) -> list[ChatSession]:
    """Sessions named by their number, the first the oldest; the even ones in chat 2, the odd ones in chat 1."""
    found = []
    for number in range(count):
        clock.now = 1000.0 + number // 2  # two of an age
        stored = await opened(store, SessionKey("api", 1 + (number + 1) % 2, 100 + number))
        session = await history.rename(stored.id, f"{number}")
        assert session is not None
        found.append(session)
    return found


async def test_sessions_are_listed_newest_first_in_pages_without_gap_or_double(
    store: SessionStore, history: ChatHistory, clock: Clock
) -> None:
    made = await several(store, history, clock, 9)
    whole = await names(history)
    assert set(whole) == {f"{number}" for number in range(9)}
    assert [int(name) // 2 for name in whole] == sorted((number // 2 for number in range(9)), reverse=True)
    assert await names(history, limit=3) == whole[:3]
    by_name = {session.title: session for session in made}
    for place, name in enumerate(whole):
        assert await names(history, before=by_name[name], limit=3) == whole[place + 1 : place + 4]


async def test_sessions_are_listed_by_chat_and_by_agent(
    store: SessionStore, history: ChatHistory, clock: Clock
) -> None:
    await several(store, history, clock, 4)
    assert set(await names(history, chat_id=2)) == {"0", "2"}
    assert set(await names(history, chat_id=1)) == {"1", "3"}
    assert await names(history, chat_id=3) == []
    assert len(await names(history, agent="main")) == 4
    assert await names(history, agent="other") == []


async def test_an_archived_session_is_out_of_the_list_and_otherwise_as_it_was(
    store: SessionStore, history: ChatHistory, clock: Clock
) -> None:
    one, other = await several(store, history, clock, 2)
    archived = await history.archive(one.id, is_archived=True)
    assert archived is not None
    assert archived.is_archived
    assert await names(history) == [other.title]
    assert set(await names(history, include_archived=True)) == {"0", "1"}
    again = await history.archive(one.id, is_archived=False)
    assert again == one


async def test_a_new_name_does_not_make_a_session_newer(
    store: SessionStore, history: ChatHistory, clock: Clock
) -> None:
    session = await opened(store)
    clock.now = 9000.0
    renamed = await history.rename(session.id, "Neu \U0001f680 'x' \"y\" \u202e")
    assert renamed is not None
    assert (renamed.title, renamed.updated_at) == ("Neu \U0001f680 'x' \"y\" \u202e", 1000.0)
    assert (renamed.key, renamed.agent, renamed.is_archived, renamed.provider) == (KEY, "main", False, None)


async def test_what_is_not_there_is_none(store: SessionStore, history: ChatHistory) -> None:
    assert await history.session("nobody") is None
    assert await history.rename("nobody", "x") is None
    assert await history.archive("nobody", is_archived=True) is None
    assert await history.turns("nobody", before=None, limit=5) == []
    assert await history.events("nobody", after=0, until=9, most_turns=5, most_chars=9999) == []


@pytest.mark.parametrize("name", ["\0", "a\0b", "x" * 100_000, "' OR 1=1 --", "%", "🚀"])
async def test_any_name_that_a_client_may_ask_for_is_just_not_there(
    store: SessionStore, history: ChatHistory, name: str
) -> None:
    session = await opened(store)
    assert await history.session(name) is None
    assert await history.turn(session.id, name) is None
    assert await history.rename(name, "x") is None
    assert await names(history, agent=name) == []


async def test_a_deleted_session_is_gone_with_all_it_said(store: SessionStore, history: ChatHistory) -> None:
    session = await conversation(store, 2)
    await store.delete(session.id)
    assert await history.session(session.id) is None
    assert await history.turn(session.id, "t1") is None
    assert await history.events(session.id, after=0, until=99, most_turns=9, most_chars=9999) == []
    assert await names(history, include_archived=True) == []
    await store.delete(session.id)
