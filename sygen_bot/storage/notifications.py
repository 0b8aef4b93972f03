"""Notifications as they are kept: the newest first, each read or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import sqlalchemy as sa

from sygen_bot.session.text import one_line, speakable
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.tables import notifications

NotificationType = Literal["cron", "webhook", "task", "system"]
Severity = Literal["info", "warning", "critical"]

_MAX_TITLE_CHARS: Final = 200
_MAX_BODY_CHARS: Final = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something that happened while nobody looked. `created_at`: epoch seconds. `source_id`: the job, hook or task it is about.

    `chat_id`, `channel_id` and `session_id` name the conversation that it belongs to, if there is one.
    """

    id: str
    type: NotificationType
    title: str
    body: str
    agent: str | None
    status: str | None
    source_id: str | None
    severity: Severity
    chat_id: int | None
    channel_id: int | None
    session_id: str | None
    created_at: float
    is_read: bool = False


class NotificationStore:
    """Every method raises StorageError."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def add(self, notification: Notification) -> bool:
        """Keep it. False, and nothing is done, if one of its id is there."""
        return await self._storage.write(lambda connection: insert_notification(connection, notification))

    async def listed(self, *, limit: int, unread_only: bool, before: str | None) -> list[Notification] | None:
        """The newest; `before`: those that came before that one. None if there is no such one."""

        def read(connection: sa.Connection) -> list[Notification] | None:
            query = sa.select(notifications).order_by(notifications.c.number.desc()).limit(limit)
            if unread_only:
                query = query.where(notifications.c.is_read.is_(False))
            if before is not None:
                of_it = notifications.c.id == speakable(before)
                number = connection.scalar(sa.select(notifications.c.number).where(of_it))
                if number is None:
                    return None
                query = query.where(notifications.c.number < number)
            return [_notification(row) for row in connection.execute(query)]

        return await self._storage.read(read)

    async def unread_count(self) -> int:
        query = sa.select(sa.func.count()).select_from(notifications).where(notifications.c.is_read.is_(False))
        return await self._storage.read(lambda connection: int(connection.scalar(query) or 0))

    async def mark_read(self, notification_id: str) -> tuple[Notification, bool] | None:
        """The notification, read now, and whether it was unread before. None if there is none of that id."""

        def write(connection: sa.Connection) -> tuple[Notification, bool] | None:
            of_it = notifications.c.id == speakable(notification_id)
            changed = connection.execute(
                sa.update(notifications).where(of_it, notifications.c.is_read.is_(False)).values(is_read=True)
            ).rowcount
            row = connection.execute(sa.select(notifications).where(of_it)).first()
            return None if row is None else (_notification(row), changed > 0)

        return await self._storage.write(write)

    async def mark_all_read(self) -> list[str]:
        """The ids of those that were unread."""

        def write(connection: sa.Connection) -> list[str]:
            unread = notifications.c.is_read.is_(False)
            ids = list(connection.scalars(sa.select(notifications.c.id).where(unread).order_by(notifications.c.number)))
            connection.execute(sa.update(notifications).where(unread).values(is_read=True))
            return ids

        return await self._storage.write(write)

    async def remove_old(self, *, before: float) -> int:
        """Remove those from before that moment, in epoch seconds. Returns how many unread ones went."""

        def write(connection: sa.Connection) -> int:
            old = notifications.c.created_at < before
            unread = connection.scalar(
                sa.select(sa.func.count()).select_from(notifications).where(old, notifications.c.is_read.is_(False))
            )
            connection.execute(sa.delete(notifications).where(old))
            return int(unread or 0)

        return await self._storage.write(write, is_patient=True)


def as_kept(notification: Notification) -> Notification:
    """The notification as it can be kept and told everywhere."""
    return replace(
        notification,
        title=one_line(notification.title)[:_MAX_TITLE_CHARS],
        body=speakable(notification.body)[:_MAX_BODY_CHARS],
    )


def insert_notification(connection: sa.Connection, notification: Notification) -> bool:
    """Part of somebody's transaction: what is told of a thing is kept with it. False, and nothing is done, if one of its id is there."""
    known = sa.select(notifications.c.number).where(notifications.c.id == notification.id)
    if connection.scalar(known) is not None:
        return False
    kept = as_kept(notification)
    connection.execute(
        sa.insert(notifications).values(
            id=notification.id,
            type=notification.type,
            title=kept.title,
            body=kept.body,
            agent=notification.agent,
            status=notification.status,
            source_id=notification.source_id,
            severity=notification.severity,
            chat_id=notification.chat_id,
            channel_id=notification.channel_id,
            session_id=notification.session_id,
            created_at=notification.created_at,
            is_read=notification.is_read,
        )
    )
    return True


def _notification(row: sa.Row[Any]) -> Notification:
    return Notification(**{name: value for name, value in row._asdict().items() if name != "number"})
