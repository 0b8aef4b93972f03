"""A Codex that misbehaves: a small program in its place, started and spoken to as the real one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.errors import AgentDied, ProviderFailed, ProviderUnavailable
from sygen_bot.providers import codex_process
from sygen_bot.providers.pool import TRYING_AGAIN
from tests.fakes import hostile_codex
from tests.fakes.survivors import marked
from tests.integration.codex_rig import Rig, codex_rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with codex_rig(tmp_path) as rig:
        yield rig


def put_in_place(rig: Rig, mode: str) -> None:
    program = rig.directory / "codex"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {hostile_codex.__file__} "$@"\n')
    program.chmod(0o700)
    rig.restart(env={"HOSTILE": mode}, command=program)


async def test_nonsense_is_passed_over(rig: Rig) -> None:
    put_in_place(rig, "noise")
    await rig.say("hello")
    assert rig.answer == "still here"
    assert [activity.name for activity in rig.tools] == ["WebSearch", "WebSearch"]


async def test_a_flood_of_errors_blocks_nothing(rig: Rig) -> None:
    put_in_place(rig, "flood")
    await rig.say("hello")
    assert rig.answer == "still here"


async def test_one_that_dies_before_it_speaks_is_started_once_more(rig: Rig) -> None:
    put_in_place(rig, "mute-once")
    await rig.say("hello")
    assert rig.answer == "still here"
    assert TRYING_AGAIN in rig.labels


async def test_one_that_always_dies_before_it_speaks_is_given_up(rig: Rig) -> None:
    put_in_place(rig, "mute")
    with pytest.raises(ProviderFailed, match="twice"):
        await rig.say("hello")
    assert marked(rig.mark) == set()


async def test_one_that_dies_while_it_speaks_has_died(rig: Rig) -> None:
    put_in_place(rig, "dies")
    with pytest.raises(AgentDied):
        await rig.say("hello")
    assert rig.answer == "still "


async def test_one_that_never_answers_is_unavailable(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codex_process, "START_TIMEOUT_S", 0.3)
    put_in_place(rig, "hang")
    async with asyncio.timeout(5):
        with pytest.raises(ProviderUnavailable, match="in time"):
            await rig.say("hello")
    assert marked(rig.mark) == set()


async def test_one_that_cannot_be_made_to_ask_does_not_run(rig: Rig) -> None:
    put_in_place(rig, "unhooked")
    with pytest.raises(ProviderUnavailable, match="ask before it uses a tool"):
        await rig.say("hello")


async def test_one_that_uses_a_tool_unasked_is_ended_at_once(rig: Rig) -> None:
    put_in_place(rig, "unasked")
    async with asyncio.timeout(5):
        with pytest.raises(ProviderFailed, match="ask before it uses a tool"):
            await rig.say("hello")
    assert marked(rig.mark) == set()


async def test_a_configuration_that_cannot_be_read_is_told_without_its_path(rig: Rig) -> None:
    put_in_place(rig, "no-start")
    with pytest.raises(ProviderUnavailable, match="configuration") as failure:
        await rig.say("hello")
    assert "/" not in str(failure.value)


@pytest.mark.parametrize("script", ["exit 3", "echo 'not json'; exit 1"])
async def test_a_program_that_is_not_codex_fails_in_one_sentence(rig: Rig, script: str) -> None:
    program = rig.directory / "impostor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    rig.restart(command=program)
    with pytest.raises(ProviderFailed, match="ended unexpectedly"):
        await rig.say("hello")


async def test_a_missing_program_is_unavailable(rig: Rig) -> None:
    rig.restart(command=rig.directory / "nowhere")
    check = await rig.provider.check()
    assert not check.available
    assert "not found" in check.reason
    with pytest.raises(ProviderUnavailable, match="missing"):
        await rig.say("hello")
