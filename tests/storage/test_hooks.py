"""Webhooks and their deliveries in the database, on every kind of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.hooks import Delivery, Hook, HookStore
from sygen_bot.storage.runs import Run, RunStore

HOOK = Hook(
    id="h1",
    title="One",
    mode="task",
    template="{{ a }}",
    auth="github",
    secret="s",
    agent="main",
    created_at=1,
    updated_at=1,
)
OTHER = replace(
    HOOK,
    id="h2",
    title="Two ä",
    mode="chat",
    provider="p",
    model="m",
    chat_id=2**53 - 1,
    channel_id=7,
    is_enabled=False,
    created_at=2,
)


@pytest.fixture
async def storage(database: str) -> AsyncIterator[Storage]:
    storage = await open_storage(database)
    yield storage
    await storage.close()


@pytest.fixture
async def store(storage: Storage) -> HookStore:
    store = HookStore(storage)
    await store.add(HOOK)
    await store.add(OTHER)
    return store


def a_run(run_id: str, hook_id: str = "h1") -> Run:
    key = SessionKey("task", 5, None)
    return Run(
        id=run_id, source="webhook", source_id=hook_id, title="t", prompt="p", key=key, agent="main", created_at=1
    )


async def test_hooks_come_back_as_they_were(store: HookStore) -> None:
    assert await store.listed() == [HOOK, OTHER]
    assert [await store.get(one.id) for one in (HOOK, OTHER)] == [HOOK, OTHER]
    assert await store.get("h3\0") is None
    changed = replace(HOOK, title="new", secret="other", is_enabled=False, updated_at=5)
    assert await store.update(changed)
    assert await store.listed() == [changed, OTHER]
    assert not await store.update(replace(HOOK, id="h3"))


async def test_a_delivery_and_its_run_are_kept_together(store: HookStore, storage: Storage) -> None:
    kept = await store.deliver("h1", "d1", received_at=3, outcome=a_run("r1"))
    delivery = Delivery(hook_id="h1", delivery_id="d1", received_at=3, run_id="r1", refusal=None)
    assert kept == (delivery, True)
    assert [run.id for run in await RunStore(storage).unfinished()] == ["r1"]
    assert await store.delivered("h1", limit=9) == [delivery]


async def test_the_same_delivery_again_gets_the_run_that_it_has(store: HookStore, storage: Storage) -> None:
    first = await store.deliver("h1", "d1", received_at=3, outcome=a_run("r1"))
    assert first is not None
    for again in (a_run("r1"), a_run("r2"), "too often"):
        assert await store.deliver("h1", "d1", received_at=4, outcome=again) == (first[0], False)
    other = await store.deliver("h2", "d1", received_at=4, outcome=a_run("r3", "h2"))
    assert other is not None
    assert other[1], "each hook has its own names"
    assert [run.id for run in await RunStore(storage).unfinished()] == ["r1", "r3"]


async def test_a_refused_delivery_may_come_again(store: HookStore) -> None:
    for refusal in ("too often", "a\nb" + "x" * 5000):
        assert await store.deliver("h1", "d1", received_at=3, outcome=refusal)
    (delivery,) = await store.delivered("h1", limit=9)
    assert delivery.run_id is None
    assert (delivery.refusal or "").startswith("a b")
    assert len(delivery.refusal or "") == 1000
    assert await store.deliver("h1", "d1", received_at=5, outcome=a_run("r1"))
    (delivery,) = await store.delivered("h1", limit=9)
    assert (delivery.run_id, delivery.refusal, delivery.received_at) == ("r1", None, 5)


async def test_of_a_hundred_at_once_one_is_new(store: HookStore, storage: Storage) -> None:
    outcomes = await asyncio.gather(
        *(store.deliver("h1", "d1", received_at=3, outcome=a_run("r1")) for _ in range(100))
    )
    assert [one is not None and one[1] for one in outcomes].count(True) == 1
    assert len(await RunStore(storage).unfinished()) == 1


async def test_a_run_outlives_what_is_known_of_its_delivery(store: HookStore, storage: Storage) -> None:
    await store.deliver("h1", "d1", received_at=3, outcome=a_run("r1"))
    await store.deliver("h1", "d2", received_at=4, outcome="no")
    assert await store.forget(before=4) == 1
    assert [one.delivery_id for one in await store.delivered("h1", limit=9)] == ["d2"]
    again = await store.deliver("h1", "d1", received_at=9, outcome=a_run("r1"))
    assert again is not None
    assert not again[1], "its run is there: it is not run twice, however late"
    assert len(await RunStore(storage).unfinished()) == 1


async def test_the_newest_deliveries_come_first(store: HookStore) -> None:
    for number in range(5):
        await store.deliver("h1", f"d{number}", received_at=3, outcome="no")
    assert [one.delivery_id for one in await store.delivered("h1", limit=3)] == ["d4", "d3", "d2"]


async def test_a_removed_hook_takes_its_deliveries_along_and_no_more(store: HookStore, storage: Storage) -> None:
    await store.deliver("h1", "d1", received_at=3, outcome=a_run("r1"))
    assert await store.remove("h1")
    assert not await store.remove("h1")
    assert await store.delivered("h1", limit=9) == []
    assert await store.deliver("h1", "d2", received_at=3, outcome=a_run("r2")) is None
    assert await store.deliver("h1", "d2", received_at=3, outcome="no") is None
    assert [run.id for run in await RunStore(storage).unfinished()] == ["r1"]
    assert await store.listed() == [OTHER]


async def test_names_that_no_database_holds_are_kept_readably(store: HookStore) -> None:
    for _ in range(2):
        await store.deliver("h1", "a\0\ud800", received_at=3, outcome="no\0")
    (delivery,) = await store.delivered("h1", limit=9)
    assert delivery.delivery_id == "a\ufffd\ufffd"
