"""Notifications: kept first, then told to everybody who listens; read on one device, read on all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from sygen_bot.errors import NotFound
from sygen_bot.storage.notifications import Notification, NotificationStore, as_kept

_IDS_AT_ONCE: Final = 1000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Read:
    """These were read, on whichever device."""

    ids: Sequence[str]


Listener = Callable[[Notification | Read], None]


class NotificationCenter:
    """Every method that waits raises StorageError. `unread` is always current: there is one gateway to a database."""

    def __init__(self, store: NotificationStore) -> None:
        self._store = store
        self._listeners: list[Listener] = []
        self._unread = 0

    @property
    def unread(self) -> int:
        return self._unread

    async def start(self) -> None:
        """Count what is unread."""
        self._unread = await self._store.unread_count()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with everything that happens from now on. Returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def add(self, notification: Notification) -> None:
        """Keep it, then tell of it. One of the same id is kept and told once."""
        if await self._store.add(notification):
            self.tell(notification)

    def tell(self, notification: Notification) -> None:
        """Tell of one that was kept together with something else."""
        self._unread += not notification.is_read
        self._say(as_kept(notification))

    async def listed(self, *, limit: int, unread_only: bool, before: str | None) -> list[Notification]:
        """The newest; `before`: those that came before that one. Raises NotFound if there is no such one."""
        found = await self._store.listed(limit=limit, unread_only=unread_only, before=before)
        if found is None:
            raise NotFound
        return found

    async def mark_read(self, notification_id: str) -> Notification:
        """Raises NotFound."""
        marked = await self._store.mark_read(notification_id)
        if marked is None:
            raise NotFound
        notification, was_unread = marked
        if was_unread:
            self._unread -= 1
            self._say(Read([notification.id]))
        return notification

    async def mark_all_read(self) -> int:
        """How many were unread."""
        ids = await self._store.mark_all_read()
        self._unread -= len(ids)
        for start in range(0, len(ids), _IDS_AT_ONCE):
            self._say(Read(ids[start : start + _IDS_AT_ONCE]))
        return len(ids)

    async def remove_old(self, *, before: float) -> None:
        """Remove those from before that moment, in epoch seconds."""
        gone = await self._store.remove_old(
            before=before
        )  # in a line of its own: `-=` would forget what happens meanwhile
        self._unread -= gone

    def _say(self, news: Notification | Read) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(news)
            except Exception:  # noqa: BLE001 - a listener's trouble is not that of what it hears of
                _log.exception("notification_not_told")
