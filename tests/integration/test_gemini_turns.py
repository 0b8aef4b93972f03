"""The real Gemini CLI against a scripted model: what is heard, what is asked for, what goes wrong, what is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sygen_bot.errors import AgentDied, ProviderFailed, ProviderUnavailable, TurnError
from sygen_bot.events import ThinkingDelta
from sygen_bot.providers.acp_profiles import GEMINI
from sygen_bot.providers.base import Attachment, ToolRequest
from sygen_bot.testing.contract import Approvals
from tests.fakes.gemini_api import INPUT_TOKENS, OUTPUT_TOKENS, FakeGemini
from tests.fakes.survivors import marked
from tests.integration.acp_rig import GEMINI_ARGV, Rig, acp_rig, needs_gemini
from tests.integration.agent_rig import cancel, running, until

pytestmark = [pytest.mark.integration, needs_gemini]

PROFILE = replace(GEMINI, argv=GEMINI_ARGV)


@pytest.fixture
async def api() -> AsyncIterator[FakeGemini]:
    async with FakeGemini() as api:
        yield api


@pytest.fixture
async def rig(tmp_path: Path, api: FakeGemini) -> AsyncIterator[Rig]:
    async with acp_rig(tmp_path, PROFILE, api.environment(tmp_path / "home")) as rig:
        yield rig


def tool(name: str, **arguments: object) -> str:
    return f"TOOL {name} {json.dumps(arguments)}"


async def test_a_turn_thinks_uses_tools_and_speaks_and_the_next_knows_of_it(rig: Rig, api: FakeGemini) -> None:
    approvals = Approvals("allow")
    (rig.workspace / "a.txt").write_text("what is in a")
    script = [
        "THINK deep",
        "SAY one",
        tool("run_shell_command", command="echo hi"),
        tool("read_file", file_path="a.txt"),
    ]
    await rig.say("\n".join([*script, "SAY two"]), approve=approvals, system_prompt="Be brief.")
    assert rig.answer == "one\n\ntwo"
    assert "deep" in "".join(event.data for event in rig.events if isinstance(event, ThinkingDelta))
    assert [(use.name, use.phase, use.is_error) for use in rig.tools] == [
        ("Bash", "start", False),
        ("Bash", "end", False),
        ("Read", "start", False),
        ("Read", "end", False),
    ]
    assert rig.tools[1].output == "hi"
    assert approvals.requests == [
        ToolRequest(tool="Bash", input={"command": "echo hi"}, read_only=False, summary="echo hi"),
        ToolRequest(
            tool="Read",
            input={"file_path": str(rig.workspace / "a.txt"), "title": "a.txt"},
            read_only=True,
            summary="a.txt",
        ),
    ]
    assert api.conversations[-1].tool_results[-1] == {"output": "what is in a"}
    assert "Be brief." in api.conversations[-1].turns[0]
    assert rig.finished.usage is not None
    assert rig.finished.usage.input_tokens == 3 * INPUT_TOKENS
    assert rig.finished.usage.output_tokens == 3 * OUTPUT_TOKENS
    await rig.say("SAY next", model="gemini-2.5-pro", system_prompt="Be brief.")
    assert api.conversations[-1].model == "gemini-2.5-pro"
    assert len(api.conversations[-1].turns) == 3
    assert rig.provider.processes == 1


async def test_whatever_the_settings_allow_is_asked_for_and_a_no_holds(rig: Rig, api: FakeGemini) -> None:
    settings = json.loads((rig.home / ".gemini" / "settings.json").read_text())
    settings["tools"] = {"allowed": ["run_shell_command", "write_file"]}
    settings["general"]["defaultApprovalMode"] = "auto_edit"
    (rig.home / ".gemini" / "settings.json").write_text(json.dumps(settings))
    policies = rig.home / ".gemini" / "policies"
    policies.mkdir()
    (policies / "all.toml").write_text('[[rule]]\ntoolName = "*"\ndecision = "allow"\npriority = 999\n')
    approvals = Approvals("deny")
    never = rig.workspace / "never"
    uses = [
        tool("run_shell_command", command="ls"),  # harmless, the CLI thinks
        tool("run_shell_command", command=f"touch {never}", dir_path=str(rig.workspace), description="make it"),
        tool("write_file", file_path=str(never), content="x"),
        tool("read_file", file_path="never"),
        tool("list_directory", dir_path=str(rig.workspace)),
        tool("google_web_search", query="cats"),
        tool("invoke_agent", agent_name="codebase_investigator", prompt="SAY hi"),
    ]
    await rig.say("\n".join([*uses, "SAY done"]), approve=approvals)
    assert rig.answer == "done"
    assert [request.tool for request in approvals.requests] == ["Bash", "Bash", "Write", "Read", "Search", "Search"]
    assert all(use.is_error for use in rig.tools if use.phase == "end")
    assert not never.exists()
    await rig.say("/memory add something", approve=approvals)
    assert approvals.requests[-1] == ToolRequest(
        tool="Command", input={"command": "/memory add something"}, read_only=False
    )
    assert rig.finished.text is not None
    await rig.say("/tmp/x is a path", approve=approvals)
    assert rig.answer == "You said: /tmp/x is a path"


async def test_a_file_of_the_message_reaches_the_model_without_a_question(rig: Rig, api: FakeGemini) -> None:
    image, text = rig.directory / "a.png", rig.directory / "b.txt"
    image.write_bytes(b"\x89PNG\r\n\x1a\n")
    text.write_text("what is in b")
    approvals = Approvals("deny")
    attachments = (
        Attachment(path=image, mime="image/png", name="a.png"),
        Attachment(path=text, mime="text/plain", name="b.txt"),
    )
    await rig.say("SAY seen", attachments=attachments, approve=approvals)
    assert rig.answer == "seen"
    assert approvals.requests == []
    assert api.conversations[-1].inline_types == ["image/png"]
    assert "what is in b" in json.dumps(api.conversations[-1].body)


async def test_errors_of_the_api_are_told_in_one_sentence_each(rig: Rig) -> None:
    cases: list[tuple[str, type[TurnError], str]] = [
        ("FAIL 401 API key invalid", ProviderUnavailable, "login"),
        ("FAIL 429 quota", ProviderUnavailable, "usage limit"),
        ("FAIL 500 broken", ProviderFailed, "error 500"),
        ("FAIL 503 busy", ProviderUnavailable, "overloaded"),
        ("FAIL cut", ProviderUnavailable, "no answer"),
    ]
    for message, kind, hint in cases:
        with pytest.raises(TurnError, match=hint) as failure:
            await rig.say(message)
        assert type(failure.value) is kind
    await rig.say("SAY half of it\nFAIL cut")
    assert rig.answer.startswith("half of it\n\n(The answer ends here")
    await rig.say("SAY whole")
    assert rig.answer == "whole"


async def test_an_abort_ends_the_model_request_and_every_child_and_a_death_is_told(rig: Rig, api: FakeGemini) -> None:
    await rig.say("SAY hello")
    before = marked(rig.mark)
    async with running(rig, "SLOW 1000 0.02") as task:
        await cancel(task)
    await api.until_disconnected()
    assert marked(rig.mark) == before
    started = rig.workspace / "started"
    command = f"touch {started}; setsid sleep 600 & sleep 600"
    async with running(rig, tool("run_shell_command", command=command), approve=Approvals("allow")) as task:
        await until(started.exists)
        await cancel(task)
        assert marked(rig.mark) <= before
    async with running(rig, "SLOW 1000 0.02") as task:
        for process in rig.agents():
            process.kill()
        with pytest.raises(AgentDied):
            await task
    assert marked(rig.mark) == set()


async def test_a_missing_login_is_seen_before_a_start_and_told_after_one(rig: Rig) -> None:
    (rig.home / ".gemini" / "settings.json").write_text("{}")
    rig.env = {"HOME": str(rig.home)}
    rig.restart()
    check = await rig.provider.check()
    assert not check.available
    assert "not logged in" in check.reason
    async with asyncio.timeout(30):
        with pytest.raises(ProviderUnavailable, match="login"):
            await rig.say("SAY hello")
