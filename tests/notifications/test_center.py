"""Notifications: kept first, then told; read on one device, read on all; the count is right after every step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from sygen_bot.errors import NotFound
from sygen_bot.notifications.center import NotificationCenter, Read
from sygen_bot.notifications.shape import notification_fields
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.notifications import Notification, NotificationStore

_MANY = 1200
"""More than are told of at once."""


def notification(number: int, *, title: str = "", body: str = "It went well.", created_at: float = 0) -> Notification:
    return Notification(
        id=f"n{number}",
        type="task",
        title=title or f"Thing {number} is done",
        body=body,
        agent="main",
        status="done",
        source_id=f"t{number}",
        severity="info",
        chat_id=None,
        channel_id=None,
        session_id="s",
        created_at=created_at or 1000.0 + number,
    )


@pytest.fixture
async def storage(database: str) -> AsyncIterator[Storage]:
    opened = await open_storage(database)
    yield opened
    await opened.close()


@pytest.fixture
async def center(storage: Storage) -> NotificationCenter:
    center = NotificationCenter(NotificationStore(storage))
    await center.start()
    return center


async def everything(center: NotificationCenter) -> list[Notification]:
    return await center.listed(limit=200, unread_only=False, before=None)


async def test_one_is_kept_before_it_is_told_and_told_as_it_is_kept(
    center: NotificationCenter, storage: Storage
) -> None:
    told: list[Notification | Read] = []
    center.listen(told.append)
    await center.add(notification(1, title="bell\x07 and\nlines \ud800", body="nul\0 and lone \ud800"))
    (kept,) = await everything(center)
    assert told == [kept]
    assert (kept.title, kept.body) == ("bell and lines \ufffd", "nul\ufffd and lone \ufffd")
    assert center.unread == 1
    next_one = NotificationCenter(NotificationStore(storage))
    await next_one.start()
    assert next_one.unread == 1


async def test_one_of_the_same_id_is_kept_and_told_and_counted_once(center: NotificationCenter) -> None:
    told: list[Notification | Read] = []
    center.listen(told.append)
    await center.add(notification(1))
    await center.add(notification(1, title="again"))
    assert [one.title for one in await everything(center)] == ["Thing 1 is done"]
    assert (len(told), center.unread) == (1, 1)


async def test_reading_is_told_to_everybody_once(center: NotificationCenter) -> None:
    await center.add(notification(1))
    devices: list[list[Notification | Read]] = [[], []]
    for device in devices:
        center.listen(device.append)
    first = await center.mark_read("n1")
    assert first.is_read
    assert await center.mark_read("n1") == first
    assert devices == [[Read(["n1"])]] * 2
    assert center.unread == 0
    with pytest.raises(NotFound):
        await center.mark_read("n2")


async def test_all_are_read_at_once_and_told_in_bounded_pieces(center: NotificationCenter) -> None:
    await asyncio.gather(*(center.add(notification(number)) for number in range(_MANY)))
    told: list[Notification | Read] = []
    center.listen(told.append)
    assert await center.mark_all_read() == _MANY
    ids = [read.ids for read in told if isinstance(read, Read)]
    assert max(map(len, ids)) <= 1000
    assert sorted(one for piece in ids for one in piece) == sorted(f"n{number}" for number in range(_MANY))
    assert (await center.mark_all_read(), center.unread, len(told)) == (0, 0, len(ids))


async def test_a_listener_that_has_gone_hears_no_more(center: NotificationCenter) -> None:
    stays: list[Notification | Read] = []
    goes: list[Notification | Read] = []
    center.listen(stays.append)
    stop = center.listen(goes.append)
    await center.add(notification(1))
    stop()
    await center.add(notification(2))
    assert (len(stays), len(goes)) == (2, 1)


async def test_the_trouble_of_one_listener_is_nobody_elses(center: NotificationCenter) -> None:
    told: list[Notification | Read] = []

    def trouble(_news: Notification | Read) -> None:
        raise RuntimeError("a bug")

    center.listen(trouble)
    center.listen(told.append)
    await center.add(notification(1))
    await center.mark_read("n1")
    assert len(told) == 2


def test_clients_see_every_field() -> None:
    assert notification_fields(notification(1)) == {
        "id": "n1",
        "type": "task",
        "title": "Thing 1 is done",
        "body": "It went well.",
        "agent": "main",
        "status": "done",
        "source_id": "t1",
        "severity": "info",
        "created_at": 1001.0,
        "read": False,
        "chat_id": None,
        "channel_id": None,
        "session_id": "s",
    }


class Devices(RuleBasedStateMachine):
    """Whatever is done in whatever order, the center is what a list of (id, moment, is read) would be."""

    numbers = st.integers(0, 40)

    def __init__(self, runner: asyncio.Runner, storage: Storage) -> None:
        super().__init__()
        self.runner = runner
        self.center = NotificationCenter(NotificationStore(storage))
        runner.run(self.center.remove_old(before=10**9))
        runner.run(self.center.start())
        self.model: dict[str, tuple[float, bool]] = {}
        self.read_elsewhere: set[str] = set()
        self.added_elsewhere: list[str] = []
        self.center.listen(self.hear)

    def hear(self, news: Notification | Read) -> None:
        if isinstance(news, Read):
            assert not self.read_elsewhere & set(news.ids), "told once"
            self.read_elsewhere |= set(news.ids)
        else:
            self.added_elsewhere.append(news.id)
            self.read_elsewhere.discard(news.id)

    @rule(number=numbers, created_at=st.integers(1, 10))
    def add(self, number: int, created_at: int) -> None:
        self.runner.run(self.center.add(notification(number, created_at=created_at)))
        if f"n{number}" not in self.model:
            self.model[f"n{number}"] = (created_at, False)
            assert self.added_elsewhere.pop() == f"n{number}"
        assert self.added_elsewhere == []

    @rule(number=numbers)
    def read(self, number: int) -> None:
        name = f"n{number}"
        if name not in self.model:
            with pytest.raises(NotFound):
                self.runner.run(self.center.mark_read(name))
            return
        assert self.runner.run(self.center.mark_read(name)).is_read
        self.model[name] = (self.model[name][0], True)

    @rule()
    def read_all(self) -> None:
        unread = sum(not is_read for _, is_read in self.model.values())
        assert self.runner.run(self.center.mark_all_read()) == unread
        self.model = {name: (when, True) for name, (when, _) in self.model.items()}

    @rule(before=st.integers(1, 11))
    def remove_old(self, before: int) -> None:
        self.runner.run(self.center.remove_old(before=before))
        self.model = {name: kept for name, kept in self.model.items() if kept[0] >= before}

    @rule()
    def restart(self) -> None:
        self.runner.run(self.center.start())

    @rule(limit=st.integers(1, 7), unread_only=st.booleans())
    def page_through(self, limit: int, unread_only: bool) -> None:
        found: list[Notification] = []
        page = self.runner.run(self.center.listed(limit=limit, unread_only=unread_only, before=None))
        while page:
            assert len(page) <= limit
            found += page
            page = self.runner.run(self.center.listed(limit=limit, unread_only=unread_only, before=page[-1].id))
        newest_first = [
            (name, when, is_read)
            for name, (when, is_read) in reversed(self.model.items())
            if not (unread_only and is_read)
        ]
        assert [(one.id, one.created_at, one.is_read) for one in found] == newest_first

    @invariant()
    def the_count_is_right(self) -> None:
        assert self.center.unread == sum(not is_read for _, is_read in self.model.values())

    @invariant()
    def every_device_knows_what_is_read(self) -> None:
        assert {name for name, (_, is_read) in self.model.items() if is_read} <= self.read_elsewhere


def test_whatever_is_done_all_devices_agree(database: str) -> None:
    with asyncio.Runner() as runner:
        storage = runner.run(open_storage(database))
        run_state_machine_as_test(
            lambda: Devices(runner, storage),  # type: ignore[arg-type]  # it only calls it
            settings=settings(max_examples=20, stateful_step_count=25, deadline=None),
        )
        runner.run(storage.close())


async def test_what_happens_at_once_is_counted_right(center: NotificationCenter) -> None:
    await asyncio.gather(*(center.add(notification(number)) for number in range(20)))
    await asyncio.gather(
        center.remove_old(before=1005.0),
        *(center.mark_read(f"n{5 + number % 10}") for number in range(20)),
        *(center.add(notification(number)) for number in range(15, 30)),
        center.mark_all_read(),
        *(center.add(notification(number)) for number in range(30, 35)),
    )
    unread = await center.listed(limit=200, unread_only=True, before=None)
    assert center.unread == len(unread)
