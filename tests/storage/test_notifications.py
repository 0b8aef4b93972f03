"""Notifications as they are kept: page by page, each read once, old ones gone, and quick however many there are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from sygen_bot.storage.engine import Storage
from sygen_bot.storage.notifications import Notification, NotificationStore

FIRST = Notification(
    id="n0",
    type="cron",
    title="The backup is done",
    body="All of it.",
    agent="main",
    status="done",
    source_id="job",
    severity="info",
    chat_id=2**53 - 1,
    channel_id=None,
    session_id="s",
    created_at=1000.25,
)


@pytest.fixture
def kept(storage: Storage) -> NotificationStore:
    return NotificationStore(storage)


async def fill(kept: NotificationStore, count: int) -> None:
    for number in range(count):
        await kept.add(replace(FIRST, id=f"n{number}", created_at=1000.0 + number))


async def ids(
    kept: NotificationStore, *, limit: int = 200, unread_only: bool = False, before: str | None = None
) -> list[str] | None:
    found = await kept.listed(limit=limit, unread_only=unread_only, before=before)
    return None if found is None else [one.id for one in found]


async def test_it_comes_back_as_it_was(kept: NotificationStore) -> None:
    assert await kept.add(FIRST)
    assert await kept.listed(limit=1, unread_only=False, before=None) == [FIRST]
    assert not await kept.add(replace(FIRST, title="another"))
    assert await kept.listed(limit=9, unread_only=False, before=None) == [FIRST]


async def test_pages_follow_each_other_from_the_newest(kept: NotificationStore) -> None:
    await fill(kept, 5)
    await kept.mark_read("n3")
    assert await ids(kept, limit=2) == ["n4", "n3"]
    assert await ids(kept, limit=2, before="n3") == ["n2", "n1"]
    assert await ids(kept, limit=2, before="n1") == ["n0"]
    assert await ids(kept, before="n0") == []
    assert await ids(kept, unread_only=True) == ["n4", "n2", "n1", "n0"]
    assert await ids(kept, unread_only=True, limit=2, before="n3") == ["n2", "n1"]


@pytest.mark.parametrize("unknown", ["n9", "", "n0\0", "'; DROP TABLE notifications; --", "\ud800", "ü" * 1000])
async def test_an_unknown_one_is_none(kept: NotificationStore, unknown: str) -> None:
    await fill(kept, 1)
    assert await ids(kept, before=unknown) is None
    assert await kept.mark_read(unknown) is None
    assert await kept.unread_count() == 1


async def test_each_is_read_once(kept: NotificationStore) -> None:
    await fill(kept, 3)
    read = replace(FIRST, id="n1", created_at=1001.0, is_read=True)
    assert await kept.mark_read("n1") == (read, True)
    assert await kept.mark_read("n1") == (read, False)
    assert await kept.unread_count() == 2
    assert await kept.mark_all_read() == ["n0", "n2"]
    assert await kept.mark_all_read() == []
    assert await kept.unread_count() == 0


async def test_old_ones_go(kept: NotificationStore) -> None:
    await fill(kept, 4)
    await kept.mark_read("n0")
    assert await kept.remove_old(before=1002.0) == 1
    assert await ids(kept) == ["n3", "n2"]
    assert await kept.remove_old(before=1002.0) == 0


async def test_what_is_unread_is_found_by_an_index(storage: Storage, kept: NotificationStore) -> None:
    await fill(kept, 1)
    asked = "SELECT count(*) FROM notifications WHERE is_read IS {}"

    def plan(connection: sa.Connection) -> str:
        if connection.dialect.name == "sqlite":
            rows = connection.execute(sa.text("EXPLAIN QUERY PLAN " + asked.format(0)))
        else:
            connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
            rows = connection.execute(sa.text("EXPLAIN " + asked.format("false")))
        return "\n".join(str(row) for row in rows)

    assert "notifications_unread" in await storage.read(plan)
