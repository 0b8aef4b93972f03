"""What agents asked to do, who answered what and when, and the rules that answer for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from sygen_bot.events import ApprovalOutcome
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.tables import approval_rules, approvals

KEPT_DAYS: Final = 365
"""How long the answers are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One use of a tool that was asked for. Times in epoch seconds. `pattern`: what a rule for it would hold for.

    `decision`, `decided_by` and `decided_at` are None as long as nobody has answered.
    """

    id: str
    session_id: str
    turn_id: str
    agent: str
    tool: str
    summary: str
    input: object
    is_cut: bool
    pattern: str
    asked_at: float
    expires_at: float
    decision: ApprovalOutcome | None = None
    decided_by: str | None = None
    decided_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """An agent may use a tool for what has exactly this pattern without being asked. `made_by`: who said so."""

    id: str
    agent: str
    tool: str
    pattern: str
    made_by: str | None
    created_at: float


class ApprovalStore:
    """Every method raises StorageError."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def add(self, approval: Approval) -> None:
        values = {name: getattr(approval, name) for name in Approval.__dataclass_fields__}
        values["input"] = msgspec.json.encode(approval.input).decode()
        insertion = sa.insert(approvals).values(values)
        await self._storage.write(lambda connection: connection.execute(insertion) and None)

    async def decide(
        self,
        approval_id: str,
        decision: ApprovalOutcome,
        *,
        by: str | None,
        at: float,
        rule: ApprovalRule | None = None,
    ) -> None:
        """Keep the answer, and with it the rule that it makes."""

        def write(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(approvals)
                .where(approvals.c.id == approval_id)
                .values(decision=decision, decided_by=by, decided_at=at)
            )
            if rule is not None:
                values = {name: getattr(rule, name) for name in ApprovalRule.__dataclass_fields__}
                connection.execute(sa.insert(approval_rules).values(values))

        await self._storage.write(write)

    async def cancel_pending(self, *, at: float) -> None:
        """Nobody waits any more for what has no answer."""
        change = sa.update(approvals).where(approvals.c.decision.is_(None)).values(decision="cancelled", decided_at=at)
        await self._storage.write(lambda connection: connection.execute(change) and None)

    async def listed(self, *, before: str | None, limit: int) -> list[Approval] | None:
        """The newest, answered or not; `before`: those that came before that one. None if there is no such one."""

        def read(connection: sa.Connection) -> list[Approval] | None:
            query = sa.select(approvals).order_by(approvals.c.number.desc()).limit(limit)
            if before is not None:
                number = connection.scalar(sa.select(approvals.c.number).where(approvals.c.id == before))
                if number is None:
                    return None
                query = query.where(approvals.c.number < number)
            return [_approval(row) for row in connection.execute(query)]

        return await self._storage.read(read)

    async def remove_old(self, *, before: float) -> None:
        """Remove what was answered before that moment."""
        removal = sa.delete(approvals).where(approvals.c.decision.is_not(None), approvals.c.asked_at < before)
        await self._storage.write(lambda connection: connection.execute(removal) and None)

    async def rules(self) -> list[ApprovalRule]:
        """All rules, oldest first."""
        query = sa.select(approval_rules).order_by(approval_rules.c.created_at, approval_rules.c.id)
        return await self._storage.read(
            lambda connection: [ApprovalRule(**row._asdict()) for row in connection.execute(query)]
        )

    async def remove_rule(self, rule_id: str) -> None:
        removal = sa.delete(approval_rules).where(approval_rules.c.id == rule_id)
        await self._storage.write(lambda connection: connection.execute(removal) and None)


def _approval(row: sa.Row[Any]) -> Approval:
    fields = row._asdict()
    del fields["number"]
    return Approval(**fields | {"input": msgspec.json.decode(fields["input"])})
