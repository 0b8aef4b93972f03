"""Webhooks as they are kept, and what was delivered to them. That a delivery was dealt with and its run are one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa

from sygen_bot.session.text import one_line, speakable
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.runs import Run, insert_run
from sygen_bot.storage.tables import deliveries, hooks

HookMode = Literal["chat", "task"]
HookAuth = Literal["bearer", "github", "stripe"]

_MAX_REFUSAL_CHARS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One webhook. Times in epoch seconds. `template`: of the prompt.

    `secret`: what a signature is checked with; of a bearer hook only the digest of its token. `provider` and `model`: None for
    the default. `chat_id` and `channel_id`: where a hook of mode `chat` speaks.
    """

    id: str
    title: str
    mode: HookMode
    template: str
    auth: HookAuth
    secret: str
    agent: str
    provider: str | None = None
    model: str | None = None
    chat_id: int | None = None
    channel_id: int | None = None
    is_enabled: bool = True
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Something that was delivered, and what became of it: a run, or `refusal`, why there is none."""

    hook_id: str
    delivery_id: str
    received_at: float
    run_id: str | None
    refusal: str | None


class HookStore:
    """Every method raises StorageError."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def add(self, hook: Hook) -> None:
        await self._storage.write(lambda connection: connection.execute(sa.insert(hooks).values(_row(hook))) and None)

    async def get(self, hook_id: str) -> Hook | None:
        query = sa.select(hooks).where(hooks.c.id == speakable(hook_id))
        row = await self._storage.read(lambda connection: connection.execute(query).first())
        return None if row is None else _hook(row)

    async def listed(self) -> list[Hook]:
        """All of them, oldest first."""
        query = sa.select(hooks).order_by(hooks.c.created_at, hooks.c.id)
        return await self._storage.read(lambda connection: [_hook(row) for row in connection.execute(query)])

    async def update(self, hook: Hook) -> bool:
        """Keep it as it is now. False if it was removed."""
        change = sa.update(hooks).where(hooks.c.id == hook.id).values(_row(hook))
        return await self._storage.write(lambda connection: connection.execute(change).rowcount > 0)

    async def remove(self, hook_id: str) -> bool:
        """Remove it with what was delivered to it; its runs stay. False if there is none."""
        of_it = speakable(hook_id)

        def remove(connection: sa.Connection) -> bool:
            connection.execute(sa.delete(deliveries).where(deliveries.c.hook_id == of_it))
            return connection.execute(sa.delete(hooks).where(hooks.c.id == of_it)).rowcount > 0

        return await self._storage.write(remove)

    async def deliver(
        self, hook_id: str, delivery_id: str, *, received_at: float, outcome: Run | str
    ) -> tuple[Delivery, bool] | None:
        """Keep what becomes of a delivery: its run, or in a sentence why there is none. Returns what is kept, and whether it is new.

        A delivery that has its run already keeps that one; one that was refused gets what comes of it now. None if the hook was
        removed.
        """
        kept = Delivery(
            hook_id=hook_id,
            delivery_id=speakable(delivery_id),
            received_at=received_at,
            run_id=outcome.id if isinstance(outcome, Run) else None,
            refusal=None if isinstance(outcome, Run) else one_line(outcome)[:_MAX_REFUSAL_CHARS],
        )
        of_it = (deliveries.c.hook_id == hook_id, deliveries.c.delivery_id == kept.delivery_id)

        def deliver(connection: sa.Connection) -> tuple[Delivery, bool] | None:
            if connection.scalar(sa.select(hooks.c.id).where(hooks.c.id == hook_id)) is None:
                return None
            row = connection.execute(sa.select(deliveries).where(*of_it)).first()
            if row is not None and row.run_id is not None:
                return _delivery(row), False
            if isinstance(outcome, Run) and not insert_run(connection, outcome):
                return kept, False  # the delivery was forgotten, its run was not
            if row is not None:
                connection.execute(sa.delete(deliveries).where(*of_it))
            connection.execute(
                sa.insert(deliveries).values(
                    hook_id=hook_id,
                    delivery_id=kept.delivery_id,
                    received_at=received_at,
                    run_id=kept.run_id,
                    refusal=kept.refusal,
                )
            )
            return kept, True

        return await self._storage.write(deliver)

    async def delivered(self, hook_id: str, *, limit: int) -> list[Delivery]:
        """What was delivered to a hook, newest first."""
        query = (
            sa.select(deliveries)
            .where(deliveries.c.hook_id == speakable(hook_id))
            .order_by(deliveries.c.number.desc())
            .limit(limit)
        )
        return await self._storage.read(lambda connection: [_delivery(row) for row in connection.execute(query)])

    async def forget(self, *, before: float) -> int:
        """Remove deliveries from before that moment, in epoch seconds; their runs stay. Returns how many."""
        old = sa.delete(deliveries).where(deliveries.c.received_at < before)
        return await self._storage.write(lambda connection: connection.execute(old).rowcount, is_patient=True)


def _row(hook: Hook) -> dict[str, Any]:
    return {name: getattr(hook, name) for name in hooks.c.keys()}  # noqa: SIM118 - columns iterate as objects


def _hook(row: sa.Row[Any]) -> Hook:
    return Hook(**row._asdict())


def _delivery(row: sa.Row[Any]) -> Delivery:
    return Delivery(**{name: value for name, value in row._asdict().items() if name != "number"})
