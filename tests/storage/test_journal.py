"""The one writer: in order, many in one transaction, and nobody pays for another's failure."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from sygen_bot.errors import Conflict, StorageError
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.sessions import SessionStore
from tests.storage.rows import KEY, opened

Operation = Callable[[sa.Connection], str]


@pytest.fixture(autouse=True)
async def notes(storage: Storage) -> None:
    def make(connection: sa.Connection) -> None:
        connection.execute(sa.text("CREATE TABLE notes (number INTEGER PRIMARY KEY, text TEXT NOT NULL)"))

    await storage.write(make)


def note(number: int, text: str = "x", *, seen: list[sa.Connection] | None = None) -> Operation:
    def write(connection: sa.Connection) -> str:
        if seen is not None:
            seen.append(connection)
        connection.execute(sa.text("INSERT INTO notes VALUES (:n, :t)"), {"n": number, "t": text})
        return text

    return write


async def noted(storage: Storage) -> list[int]:
    return await storage.read(
        lambda connection: list(connection.scalars(sa.text("SELECT number FROM notes ORDER BY number")))
    )


def fail(connection: sa.Connection) -> str:
    connection.execute(sa.text("INSERT INTO notes VALUES (99, 'of one that fails')"))
    connection.execute(sa.text("INSERT INTO nowhere VALUES (1)"))
    return ""


def conflict(connection: sa.Connection) -> str:
    connection.execute(sa.text("INSERT INTO notes VALUES (98, 'of one that refuses')"))
    raise Conflict("no")


def writers(storage: Storage, *operations: Operation) -> list[asyncio.Task[str]]:
    """All of them ask at the same time."""
    return [asyncio.create_task(storage.write(operation)) for operation in operations]


async def test_what_an_operation_returns_comes_back_when_it_is_committed(storage: Storage) -> None:
    assert await storage.write(note(1, "ä🚀")) == "ä🚀"
    assert await noted(storage) == [1]


async def test_what_waits_at_the_same_time_shares_a_transaction_in_the_order_of_the_calls(storage: Storage) -> None:
    seen: list[sa.Connection] = []
    done: list[str] = []
    tasks = writers(storage, *(note(number, f"{number}", seen=seen) for number in range(50)))
    for task in tasks:
        task.add_done_callback(lambda ended: done.append(ended.result()))
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert len(seen) == 50
    assert len({id(connection) for connection in seen}) == 2, "the first one alone, the others when it is done"
    assert done == [f"{number}" for number in range(50)]


async def test_a_very_long_queue_is_written_too(storage: Storage) -> None:
    await asyncio.wait_for(asyncio.gather(*writers(storage, *(note(number) for number in range(600)))), 20)
    assert await noted(storage) == list(range(600))


async def test_one_that_fails_does_not_take_the_others_with_it(storage: Storage) -> None:
    await storage.write(note(10))
    tasks = writers(storage, note(1), note(10), note(2), conflict, fail, note(3))
    ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert [type(end) for end in ends] == [str, StorageError, str, Conflict, StorageError, str]
    assert "\n" not in str(ends[1])
    assert await noted(storage) == [1, 2, 3, 10]


async def test_those_of_a_failed_transaction_are_settled_in_the_order_of_the_calls(storage: Storage) -> None:
    done: list[int] = []
    tasks = writers(storage, *(fail if number % 7 == 3 else note(number) for number in range(30)))
    for task in tasks:
        task.add_done_callback(lambda ended: done.append(tasks.index(ended)))
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert done == list(range(30))


async def test_after_a_failure_the_next_one_works(storage: Storage) -> None:
    for _ in range(3):
        with pytest.raises(StorageError):
            await storage.write(fail)
    await storage.write(note(1))
    assert await noted(storage) == [1]


async def test_a_caller_that_is_cancelled_takes_nothing_back_and_disturbs_nobody(storage: Storage) -> None:
    tasks = writers(storage, *(note(number) for number in range(30)))
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert [isinstance(end, asyncio.CancelledError) for end in ends] == [number % 3 == 0 for number in range(30)]
    await storage.write(note(100))
    assert await noted(storage) == [*range(30), 100]


async def test_a_caller_that_is_cancelled_while_its_operation_fails_leaves_no_unheard_error(storage: Storage) -> None:
    heard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    (task,) = writers(storage, fail)
    await asyncio.sleep(0)
    task.cancel()
    await storage.write(note(1))
    gc.collect()
    assert task.cancelled()
    assert heard == []


async def test_patient_ones_let_the_others_go_first_and_are_written_in_their_own_order(storage: Storage) -> None:
    order: list[str] = []

    async def write(name: str, number: int, *, is_patient: bool) -> None:
        await storage.write(note(number), is_patient=is_patient)
        order.append(name)

    first = asyncio.create_task(write("other 0", 100, is_patient=False))
    patient = [asyncio.create_task(write(f"patient {n}", n, is_patient=True)) for n in range(20)]
    others = [asyncio.create_task(write(f"other {n}", 100 + n, is_patient=False)) for n in (1, 2)]
    await asyncio.wait_for(asyncio.gather(first, *patient, *others), 10)
    assert order == [*(f"other {n}" for n in range(3)), *(f"patient {n}" for n in range(20))]
    assert len(await noted(storage)) == 23


async def test_closing_writes_what_waits_and_takes_no_more(database: str) -> None:
    storage = await open_storage(database)
    session = await opened(SessionStore(storage))
    store = SessionStore(storage)
    tasks = [asyncio.create_task(store.save_context(session.id, f"p{number}", "t")) for number in range(20)]
    await asyncio.sleep(0)
    await storage.close()
    await asyncio.gather(*tasks)
    with pytest.raises(StorageError, match="closed"):
        await store.save_context(session.id, "late", "t")
    storage = await open_storage(database)
    assert set((await SessionStore(storage).open(KEY, agent="main")).contexts) == {f"p{number}" for number in range(20)}
    await storage.close()
