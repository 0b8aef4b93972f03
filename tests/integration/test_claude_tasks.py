"""Claude Code starts background tasks by a tool of the gateway's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from sygen_bot.errors import QueueFull
from sygen_bot.events import ToolActivity
from sygen_bot.providers.base import TaskStarter
from sygen_bot.testing.contract import Approvals
from tests.integration.claude_rig import Rig, claude_rig

pytestmark = pytest.mark.integration

WANTED = json.dumps({"prompt": "count the files", "title": "Counting"})


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with claude_rig(tmp_path) as running:
        yield running


async def uses(rig: Rig, start_task: TaskStarter | None, decision: Approvals) -> list[ToolActivity]:
    """What becomes of a use of the tool."""
    turn = replace(rig.turn(f"TOOL mcp__sygen__start_task {WANTED}\nSAY done"), approve=decision, start_task=start_task)
    rig.events = []
    async with aclosing(rig.provider.run(turn)) as events:
        async for event in events:
            rig.events.append(event)
    return rig.tools


async def test_an_agent_starts_a_task_and_hears_its_id(rig: Rig) -> None:
    asked: list[tuple[str, str | None]] = []

    async def start(prompt: str, title: str | None) -> str:
        asked.append((prompt, title))
        return "t123"

    tools = await uses(rig, start, Approvals("allow"))
    assert asked == [("count the files", "Counting")]
    assert [tool.name for tool in tools] == ["sygen/start_task"] * 2
    assert "t123" in (tools[-1].output or "")
    assert not tools[-1].is_error


async def test_without_a_yes_no_task_is_started(rig: Rig) -> None:
    async def start(prompt: str, title: str | None) -> str:
        raise AssertionError("it was not allowed")

    tools = await uses(rig, start, Approvals("deny"))
    assert tools[-1].is_error


async def test_a_task_that_cannot_be_started_is_told_to_the_agent(rig: Rig) -> None:
    async def start(prompt: str, title: str | None) -> str:
        raise QueueFull("Too many wait.")

    tools = await uses(rig, start, Approvals("allow"))
    assert tools[-1].is_error
    assert "Too many wait." in (tools[-1].output or "")
