"""What meets in the middle: an answer that is being stored while its turn ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sygen_bot.errors import NotFound
from sygen_bot.events import ApprovalOutcome
from sygen_bot.orchestrator.approvals import Approvals
from sygen_bot.orchestrator.turn import TurnJob
from sygen_bot.providers.base import ToolRequest
from sygen_bot.providers.registry import ProviderRegistry
from sygen_bot.session.key import SessionKey
from sygen_bot.storage.approvals import ApprovalRule, ApprovalStore
from sygen_bot.storage.engine import open_storage
from sygen_bot.storage.sessions import SessionStore
from tests.orchestrator.alone import orchestrator_alone


class SlowStore(ApprovalStore):
    """A real store that keeps answers when it is let."""

    begun: asyncio.Event
    let: asyncio.Event

    async def decide(
        self,
        approval_id: str,
        decision: ApprovalOutcome,
        *,
        by: str | None,
        at: float,
        rule: ApprovalRule | None = None,
    ) -> None:
        self.begun.set()
        await self.let.wait()
        await super().decide(approval_id, decision, by=by, at=at, rule=rule)


async def test_an_answer_that_comes_too_late_for_its_turn_makes_no_rule(tmp_path: Path) -> None:
    storage = await open_storage(tmp_path / "sygen.db")
    store = SlowStore(storage)
    store.begun, store.let = asyncio.Event(), asyncio.Event()
    approvals = Approvals(store, timeout_s=60)
    orchestrator = orchestrator_alone(storage, ProviderRegistry([]), tmp_path, store=SessionStore(storage))
    session = await orchestrator.open(SessionKey("api", 1, None))
    job = TurnJob(turn_id="t", text="x", accepted_at=0.0, ordinal=1)
    use = ToolRequest(tool="Bash", input={"command": "ls"}, read_only=False)
    asked = asyncio.Event()
    approvals.listen(lambda _news, _session: asked.set())
    asking = asyncio.create_task(approvals.ask(use, session, job))
    async with asyncio.timeout(10):
        await asked.wait()
        answering = asyncio.create_task(approvals.answer(approvals.pending()[0].id, "allow_always", by="phone"))
        await store.begun.wait()
        approvals.cancel_turn(job)
        assert await asking == "deny"
        store.let.set()
        with pytest.raises(NotFound):
            await answering
        await approvals.close()
    assert approvals.rules() == []
    assert await store.rules() == []
    (kept,) = await approvals.history(before=None, limit=10)
    assert kept.decision == "cancelled"
    await storage.close()
