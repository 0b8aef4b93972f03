"""The example programs do what they say, against a real gateway."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.client import connect
from sygen_bot.config import load_settings
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    paths = Paths(tmp_path / "home")
    settings = load_settings(paths, overrides={"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted"})
    async with running_gateway(settings, paths, token="a token") as running:
        yield running


async def run(gateway: Gateway, name: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / name), *arguments),
        env={"SYGEN_URL": gateway.url, "SYGEN_TOKEN": "a token"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()
    return out.decode()


async def test_ask_prints_the_answer(gateway: Gateway) -> None:
    assert await run(gateway, "ask.py", "SAY good morning") == "good morning\n"


async def test_side_by_side_asks_everybody(gateway: Gateway) -> None:
    assert await run(gateway, "side_by_side.py", "what is up?") == "scripted: You said: what is up?\n"


async def test_time_limit_stops_the_agent_and_keeps_its_words(gateway: Gateway) -> None:
    said = await run(gateway, "time_limit.py", "0.3", "SLOW 1000 0.02")
    assert said.startswith("w0 w1 ")
    assert said.endswith(" (stopped)\n")
    assert await run(gateway, "time_limit.py", "10", "SAY quick") == "quick \n"


async def test_show_and_tell_shows_a_file(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    said = await run(gateway, "show_and_tell.py", str(tmp_path / "note.txt"), "what is this?")
    assert "note.txt" in said
    assert said.endswith("what is this?\n")


async def test_approve_denies_what_removes_and_leaves_the_rest_to_people(gateway: Gateway) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / "approve.py")),
        env={"SYGEN_URL": gateway.url, "SYGEN_TOKEN": "a token"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(20):
            assert await process.stderr.readline() == b"watching\n"
            async with connect(gateway.url, "a token", approvals=True) as client:
                news = client.approvals.follow()
                answering = asyncio.create_task(
                    run(gateway, "ask.py", 'ASK Bash {"command": "ls"}\nASK Bash {"command": "rm -r build"}')
                )
                request = await anext(news)
                await client.approvals.answer(request.id, "allow_once")
                assert await answering == "allowed\ndenied\n"
            assert await process.stdout.readline() == b"denied: Bash: rm -r build\n"
    finally:
        process.terminate()
        await process.communicate()


def test_every_example_is_run_here() -> None:
    source = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if path.name not in source] == []
