"""The processes of the real Claude Code: warm, aborted, idle, unwilling, and always gone in the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.providers.base import Decision, ToolRequest
from sygen_bot.testing.contract import Approvals
from tests.fakes.survivors import marked, until_marked
from tests.integration.agent_rig import cancel, running, until
from tests.integration.claude_rig import FOREVER, Rig, bash, claude_rig

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with claude_rig(tmp_path) as rig:
        yield rig


async def test_an_abort_closes_the_model_request_and_keeps_the_agent_warm(rig: Rig) -> None:
    await rig.say("SAY hello")
    process = rig.cli().pid
    async with running(rig, "SLOW 1000 0.02") as task:
        await cancel(task)
    await rig.api.until_disconnected()
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "3 turns"
    assert rig.cli().pid == process


@pytest.mark.parametrize(
    "command",
    [FOREVER, f"setsid sh -c '{FOREVER}' & {FOREVER}", f"trap '' TERM INT HUP; {FOREVER}"],
    ids=["plain", "detached", "stubborn"],
)
async def test_an_abort_ends_what_a_tool_started(rig: Rig, command: str) -> None:
    started = rig.workspace / "started"
    async with running(rig, bash(f"touch {started}; {command}"), approve=Approvals("allow")) as task:
        await until(started.exists)
        await cancel(task)
        assert {process.name() for process in rig.processes()} <= {"claude", "python", Path(sys.executable).name}
    await rig.say("SAY again")
    assert rig.answer == "again"


async def test_an_abort_withdraws_a_question_that_nobody_has_answered(rig: Rig) -> None:
    asked, withdrawn = asyncio.Event(), asyncio.Event()

    class Undecided(Approvals):
        async def __call__(self, request: ToolRequest) -> Decision:
            assert request.tool == "Bash"
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                withdrawn.set()
            return "allow"

    never = rig.workspace / "never"
    async with running(rig, bash(f"touch {never}"), approve=Undecided()) as task:
        async with asyncio.timeout(10):
            await asked.wait()
        await cancel(task)
        assert withdrawn.is_set()
    assert not never.exists()


async def test_a_stopped_agent_that_does_not_listen_is_ended(rig: Rig) -> None:
    async with running(rig, "SLOW 1000 0.02") as task:
        rig.cli().suspend()
        await cancel(task)
        assert marked(rig.mark) == set()


async def test_an_idle_agent_is_ended_after_its_time(rig: Rig) -> None:
    rig.restart(idle_ttl_s=0.2)
    await rig.say("SAY hello")
    assert await until_marked(rig.mark, 0, timeout_s=5) == set()
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "2 turns"


async def test_an_abort_while_the_agent_starts_leaves_nothing(rig: Rig) -> None:
    task = asyncio.create_task(rig.say("SAY hello"))
    await until(lambda: bool(marked(rig.mark)))
    await cancel(task)
    assert marked(rig.mark) == set()
