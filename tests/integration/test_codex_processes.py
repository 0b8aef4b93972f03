"""The processes of the real Codex: warm, aborted, idle, unwilling, and always gone in the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.providers.codex_settings import Sandbox
from sygen_bot.testing.contract import Approvals, Undecided
from tests.fakes.survivors import marked, until_marked
from tests.integration.agent_rig import cancel, running, until
from tests.integration.codex_rig import FOREVER, Rig, bash, codex_rig

pytestmark = pytest.mark.integration

PYTHON = Path(sys.executable).name


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with codex_rig(tmp_path) as rig:
        yield rig


def only_the_agent_is_left(rig: Rig) -> bool:
    return set(rig.processes().values()) <= {"codex", "python", PYTHON}


async def test_an_abort_closes_the_model_request_and_keeps_the_agent_warm(rig: Rig) -> None:
    await rig.say("SAY hello")
    process = rig.cli().pid
    async with running(rig, "SLOW 1000 0.02") as task:
        await cancel(task)
    await rig.api.until_disconnected()
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "3 turns"
    assert rig.cli().pid == process
    assert rig.provider.processes == 1


@pytest.mark.parametrize(
    ("sandbox", "command"),
    [
        ("workspace-write", f"trap '' TERM INT HUP; {FOREVER}"),
        ("danger-full-access", f"trap '' TERM INT HUP; {FOREVER}"),
        ("danger-full-access", f"setsid sh -c '{FOREVER}' & {FOREVER}"),
    ],
    ids=["sandboxed", "stubborn", "detached"],
)
async def test_an_abort_ends_what_a_tool_started(rig: Rig, sandbox: Sandbox, command: str) -> None:
    rig.restart(sandbox=sandbox)
    started = rig.workspace / "started"
    async with running(rig, bash(f"touch {started}; {command}"), approve=Approvals("allow")) as task:
        await until(started.exists)
        await cancel(task)
        assert only_the_agent_is_left(rig)
    await rig.say("SAY again")
    assert rig.answer == "again"


async def test_what_still_runs_when_the_answer_ends_is_ended_too(rig: Rig) -> None:
    await rig.say(f"{bash(FOREVER, yield_time_ms=250)}\nSAY done", approve=Approvals("allow"))
    assert rig.answer == "done"
    assert rig.tools[-1].phase == "end"
    await until(lambda: only_the_agent_is_left(rig))


async def test_an_abort_while_a_question_waits_keeps_the_agent_warm(rig: Rig) -> None:
    await rig.say("SAY hello")
    process = rig.cli().pid
    undecided = Undecided()
    async with running(rig, bash("touch never"), approve=undecided) as task:
        async with asyncio.timeout(10):
            await undecided.asked.wait()
        await cancel(task)
    await rig.say("SAY again")
    assert rig.answer == "again"
    assert rig.cli().pid == process
    assert not (rig.workspace / "never").exists()


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
    assert list((rig.directory / "run").iterdir()) != []
    await rig.provider.close()
    assert list((rig.directory / "run").iterdir()) == []


async def test_an_abort_while_the_agent_starts_leaves_nothing(rig: Rig) -> None:
    task = asyncio.create_task(rig.say("SAY hello"))
    await until(lambda: bool(marked(rig.mark)))
    await cancel(task)
    assert marked(rig.mark) == set()
