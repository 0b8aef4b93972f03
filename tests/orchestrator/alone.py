"""An orchestrator without a gateway around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sygen_bot.orchestrator.approvals import Approvals
from sygen_bot.orchestrator.core import AgentProfile, Orchestrator, SessionStore
from sygen_bot.orchestrator.freshness import Freshness
from sygen_bot.providers.registry import ProviderRegistry, Target
from sygen_bot.storage.approvals import ApprovalStore
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.history import ChatSession


async def no_sessions(_chat_id: int) -> list[ChatSession]:
    return []


def orchestrator_alone(
    storage: Storage,
    registry: ProviderRegistry,
    folder: Path,
    *,
    store: SessionStore,
    default: str = "scripted",
    queue_limit: int = 8,
    max_answer_bytes: int = 2**20,
    freshness: Freshness | None = None,
    clock: Callable[[], float] = time.time,
) -> Orchestrator:
    """Its agent `main` works in `folder` and may use no tools."""
    return Orchestrator(
        registry=registry,
        store=store,
        agent=AgentProfile(
            name="main",
            workspace=folder,
            policy="deny",
            uploads=folder / "uploads",
            default=Target(default),
            freshness=freshness or Freshness(),
        ),
        approvals=Approvals(ApprovalStore(storage), timeout_s=60),
        queue_limit=queue_limit,
        max_parallel_turns=1000,
        max_answer_bytes=max_answer_bytes,
        turn_timeouts_s={},
        list_sessions=no_sessions,
        clock=clock,
    )
