"""A turn of the real Claude Code against a scripted model: what is heard, what it costs, what goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from sygen_bot.errors import ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.events import SystemStatus, TextDelta, ThinkingDelta
from sygen_bot.providers.base import ToolRequest
from sygen_bot.providers.claude import ClaudeProvider
from sygen_bot.providers.pool import TRYING_AGAIN
from sygen_bot.testing.contract import Approvals
from tests.fakes.anthropic_api import INPUT_TOKENS, OUTPUT_TOKENS
from tests.fakes.survivors import marked
from tests.integration.agent_rig import running
from tests.integration.claude_rig import Rig, bash, claude_rig

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with claude_rig(tmp_path) as rig:
        yield rig


async def test_a_turn_thinks_uses_a_tool_and_speaks(rig: Rig) -> None:
    approvals = Approvals("allow")
    await rig.say(f"THINK deep thoughts\nSAY one two\n{bash('echo hi')}\nSAY three four", approve=approvals)
    assert rig.answer == "one two\n\nthree four"
    assert "".join(event.data for event in rig.events if isinstance(event, ThinkingDelta)) == "deep thoughts"
    start, end = rig.tools
    assert (start.name, start.phase, start.input) == ("Bash", "start", {"command": "echo hi"})
    assert (end.name, end.phase, end.output, end.is_error) == ("Bash", "end", "hi", False)
    assert start.tool_id == end.tool_id
    assert end.duration_ms is not None
    assert approvals.requests == [ToolRequest(tool="Bash", input={"command": "echo hi"}, read_only=False)]
    assert rig.labels[:3] == ["requesting", "thinking", None]
    assert rig.labels[-1] is None
    assert rig.finished.text is None
    assert rig.finished.model is not None
    assert rig.finished.model.startswith("claude-sonnet")
    assert rig.finished.usage is not None
    assert rig.finished.usage.input_tokens == 2 * INPUT_TOKENS
    assert rig.finished.usage.output_tokens == 2 * OUTPUT_TOKENS


async def test_the_cost_is_that_of_the_turn_alone(rig: Rig) -> None:
    costs = []

    async def pay() -> None:
        await rig.say("SAY worth it")
        assert rig.finished.usage is not None
        costs.append(rig.finished.usage.cost_usd)

    await pay()
    await pay()
    await rig.say("SLOW 1000 0.01", until=lambda event: isinstance(event, TextDelta))
    await pay()
    await rig.provider.close()
    rig.restart()
    await pay()
    assert costs[0] is not None
    assert costs[0] > 0
    assert costs == [pytest.approx(costs[0])] * 4


async def test_what_was_not_streamed_comes_with_the_end(rig: Rig) -> None:
    await rig.say("/cost")
    assert rig.answer == ""
    assert rig.finished.text is not None
    assert "cost" in rig.finished.text.lower()


async def test_another_model_or_prompt_goes_on_with_the_same_conversation(rig: Rig) -> None:
    lighthouse, harbour = "You are a lighthouse.", "You are a harbour."
    await rig.say("SAY a", system_prompt=lighthouse)
    await rig.say("SAY b", system_prompt=lighthouse, model="opus")
    await rig.say("SAY c", system_prompt=lighthouse)
    await rig.say("ECHO_HISTORY", system_prompt=harbour)
    assert rig.answer == "4 turns"
    requests = rig.api.conversations
    assert [request.body["model"].split("-")[1] for request in requests] == ["sonnet", "opus", "sonnet", "sonnet"]
    prompts = [json.dumps(request.body["system"]) for request in requests]
    assert [lighthouse in prompt for prompt in prompts] == [True, True, True, False]
    assert harbour in prompts[-1]


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (401, ProviderUnavailable, "log in"),
        (403, ProviderUnavailable, "log in"),
        (429, ProviderUnavailable, "limit"),
        (529, ProviderUnavailable, "overloaded"),
        (404, ProviderFailed, "model"),
        (500, ProviderFailed, "500"),
    ],
)
async def test_an_error_of_the_api_is_told_in_one_clear_sentence(
    rig: Rig, status: int, kind: type[TurnError], hint: str
) -> None:
    with pytest.raises(kind) as failure:
        await rig.say(f"FAIL {status} a message with sk-ant-fake in it")
    assert type(failure.value) is kind
    assert hint in str(failure.value)
    for leak in ("sk-ant", "/", "Traceback"):
        assert leak not in str(failure.value)
    await rig.say("SAY back again")
    assert rig.answer == "back again"


async def test_a_model_that_cannot_be_reached_is_unavailable(rig: Rig) -> None:
    rig.restart(env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"})
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        await rig.say("SAY anything")


async def test_a_conversation_that_is_gone_begins_anew_and_says_so(rig: Rig) -> None:
    rig.token = json.dumps({"session_id": str(uuid4()), "cost_usd": 5.0})
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "1 turns"
    assert any("gone" in (label or "") for label in rig.labels)
    assert rig.finished.usage is not None
    assert 0 < (rig.finished.usage.cost_usd or 0) < 1
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "2 turns"


async def test_a_token_of_somebody_else_begins_anew(rig: Rig) -> None:
    rig.token = "not a token of ours"
    await rig.say("SAY hello")
    assert rig.answer == "hello"


async def test_an_agent_that_dies_in_the_middle_of_its_answer_has_failed(rig: Rig) -> None:
    async with running(rig, "SLOW 1000 0.02") as task:
        rig.cli().kill()
        with pytest.raises(ProviderFailed, match="ended unexpectedly"):
            await task
    assert rig.answer
    assert marked(rig.mark) == set()
    await rig.say("SAY alive")
    assert rig.answer == "alive"


async def test_an_agent_that_died_while_idle_is_started_again(rig: Rig) -> None:
    await rig.say("SAY hello")
    rig.cli().kill()
    await rig.say("ECHO_HISTORY")
    assert rig.answer == "2 turns"


async def test_a_missing_program_is_unavailable(rig: Rig) -> None:
    command = str(rig.directory / "nowhere")
    environment = rig.api.environment(rig.home)
    provider = ClaudeProvider(run_dir=rig.directory / "run", command=command, env=environment)
    check = await provider.check()
    assert not check.available
    assert "not found" in check.reason
    with pytest.raises(ProviderUnavailable, match="missing"):
        await anext(provider.run(rig.turn("SAY hello")))


@pytest.mark.parametrize("script", ["exit 3", "echo 'not json'; exit 1"])
async def test_a_program_that_is_not_claude_code_fails_in_one_sentence(rig: Rig, script: str) -> None:
    program = rig.directory / "impostor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    environment = rig.api.environment(rig.home)
    provider = ClaudeProvider(run_dir=rig.directory / "run", command=str(program), env=environment)
    async with asyncio.timeout(10):
        events = provider.run(rig.turn("SAY hello"))
        assert await anext(events) == SystemStatus(TRYING_AGAIN)
        with pytest.raises(ProviderFailed, match="ended unexpectedly, twice"):
            await anext(events)
    await provider.close()


def test_importing_and_checking_do_not_load_the_sdk(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from sygen_bot.providers.claude import ClaudeProvider\n"
        "check = asyncio.run(ClaudeProvider(run_dir=Path(), env={'ANTHROPIC_API_KEY': 'x'}).check())\n"
        "assert check.available, check\n"
        "assert 'claude_agent_sdk' not in sys.modules"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=30)
