"""The hook of Codex, as Codex runs it: it lets a tool run only if the gateway said so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sygen_bot.providers.codex_questions import Questions, sweep_questions

USE = {"tool_name": "Bash", "tool_input": {"command": "x" * 200_000}, "tool_use_id": "call_1"}


@asynccontextmanager
async def questions(run_dir: Path, ask: Callable[[dict[str, Any]], Awaitable[str | None]]) -> AsyncIterator[Questions]:
    open_questions = Questions(run_dir=run_dir, ask=ask)
    await open_questions.open()
    try:
        yield open_questions
    finally:
        await open_questions.close()


async def hook(command: str) -> tuple[int | None, str, str]:
    """How the hook ends, and what it says."""
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        output, errors = await process.communicate(json.dumps(USE).encode())
    return process.returncode, output.decode(), errors.decode()


async def test_a_use_is_asked_for_and_allowed_in_silence(tmp_path: Path) -> None:
    asked = []

    async def allow(use: dict[str, Any]) -> str | None:
        asked.append(use)
        return None

    async with questions(tmp_path / "run", allow) as doorbell:
        assert await hook(doorbell.command) == (0, "", "")
    assert asked == [USE]
    assert list((tmp_path / "run").iterdir()) == []


async def test_a_refusal_is_told_with_its_reason(tmp_path: Path) -> None:
    async def refuse(use: dict[str, Any]) -> str | None:
        return f"no {use['tool_name']} today"

    async with questions(tmp_path, refuse) as doorbell:
        code, output, _ = await hook(doorbell.command)
    assert code == 0
    assert json.loads(output)["hookSpecificOutput"] == {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": "no Bash today",
    }


@pytest.mark.parametrize("trouble", ["let-go", "bug", "gone", "no-program"])
async def test_without_an_answer_nothing_may_be_done(tmp_path: Path, trouble: str) -> None:
    async def wait(_use: dict[str, Any]) -> str | None:
        if trouble == "bug":
            raise ValueError("an approver with a bug")
        doorbell.let_go()
        await asyncio.Event().wait()
        return None

    async with questions(tmp_path, wait) as doorbell:
        command = doorbell.command
        if trouble == "gone":
            await doorbell.close()
        if trouble == "no-program":
            command = f"/nowhere/{command}"
        code, output, errors = await hook(command)
    assert (code, output) == (2, "")
    assert "may not be done" in errors


async def test_a_long_directory_is_no_obstacle(tmp_path: Path) -> None:
    async def allow(_use: dict[str, Any]) -> str | None:
        return None

    async with questions(tmp_path / ("long" * 40), allow) as doorbell:
        assert await hook(doorbell.command) == (0, "", "")


async def test_what_a_crash_left_is_removed_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    async def allow(_use: dict[str, Any]) -> str | None:
        return None

    left = await asyncio.start_unix_server(lambda _reader, _writer: None, tmp_path / "codex-0")
    left.close()
    await left.wait_closed()
    (tmp_path / "codex-file").touch()
    async with questions(tmp_path, allow) as doorbell:
        await asyncio.to_thread(sweep_questions, tmp_path)
        assert await hook(doorbell.command) == (0, "", "")
        assert not (tmp_path / "codex-0").exists()
