"""What the real Claude Code may do is decided here, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.providers.base import Decision, ToolRequest
from sygen_bot.testing.contract import Approvals
from tests.integration.claude_rig import Rig, bash, claude_rig

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with claude_rig(tmp_path) as rig:
        yield rig


SETTINGS_THAT_ALLOW = {
    "permissions": {"allow": ["Bash", "Bash(*)"], "defaultMode": "bypassPermissions"},
    "disableAllHooks": True,
    "disableSkillShellExecution": False,
    "sandbox": {"enabled": False, "autoAllowBashIfSandboxed": True},
}


@pytest.mark.parametrize("settings", [{}, SETTINGS_THAT_ALLOW], ids=["plain", "settings-that-allow"])
async def test_what_is_denied_does_not_run_whatever_the_users_settings_say(
    rig: Rig, settings: dict[str, object]
) -> None:
    rig.settings(settings)
    forbidden = rig.workspace / "forbidden"
    approvals = Approvals("deny")
    await rig.say(f"{bash(f'touch {forbidden}')}\nSAY well then", approve=approvals)
    assert not forbidden.exists()
    assert [request.tool for request in approvals.requests] == ["Bash"]
    assert rig.tools[-1].is_error
    assert "policy does not allow" in (rig.tools[-1].output or "")
    assert rig.answer == "well then"


async def test_a_command_of_the_user_cannot_run_a_shell_unasked(rig: Rig) -> None:
    rig.settings(SETTINGS_THAT_ALLOW)
    forbidden = rig.workspace / "forbidden"
    commands = rig.home / ".claude" / "commands"
    commands.mkdir()
    (commands / "zap.md").write_text(f"---\nallowed-tools: Bash(*)\n---\nNow: !`touch {forbidden}`\nSAY zapped\n")
    await rig.say("/zap")
    assert rig.answer == "zapped"
    assert not forbidden.exists()


async def test_a_mentioned_file_is_not_read_unasked(rig: Rig) -> None:
    (rig.workspace / "note.txt").write_text("the hidden treasure")
    await rig.say("SAY I look at @note.txt")
    assert "treasure" not in json.dumps([request.body for request in rig.api.requests])


async def test_rules_of_the_user_that_deny_or_ask_stay_in_force(rig: Rig) -> None:
    rig.settings({"permissions": {"deny": ["Read(./secret.txt)"], "ask": ["Bash(touch:*)"]}})
    (rig.workspace / "secret.txt").write_text("the hidden treasure")
    allowed = rig.workspace / "allowed"
    approvals = Approvals("allow")
    read = json.dumps({"file_path": str(rig.workspace / "secret.txt")})
    await rig.say(f"TOOL Read {read}\n{bash(f'touch {allowed}')}\nSAY done", approve=approvals)
    assert allowed.exists()
    assert [request.tool for request in approvals.requests].count("Bash") == 1
    assert "treasure" not in json.dumps([request.body for request in rig.api.requests])


async def test_reading_counts_as_read_only_and_a_subagents_tools_are_asked_for_too(rig: Rig) -> None:
    (rig.workspace / "note.txt").write_text("a note")
    read = json.dumps({"file_path": str(rig.workspace / "note.txt")})
    agent = {
        "description": "touch",
        "prompt": f"SAY unheard\n{bash('touch forbidden')}\nSAY unheard",
        "subagent_type": "general-purpose",
    }
    requests = []

    class ReadOnly(Approvals):
        async def __call__(self, request: ToolRequest) -> Decision:
            requests.append((request.tool, request.read_only))
            return "allow" if request.read_only else "deny"

    await rig.say(f"TOOL Read {read}\nTOOL Agent {json.dumps(agent)}\nSAY heard", approve=ReadOnly())
    assert requests == [("Read", True), ("Agent", True), ("Bash", False)]
    assert not (rig.workspace / "forbidden").exists()
    assert rig.answer == "heard"
    assert "a note" in (rig.tools[1].output or "")


async def test_secrets_of_the_gateway_reach_neither_the_agent_nor_its_shell(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "SYGEN_API__TOKEN": "no-1",
        "OPENAI_API_KEY": "no-2",
        "AWS_SECRET_ACCESS_KEY": "no-3",
        "GITHUB_TOKEN": "no-4",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    rig.restart()
    look = bash(r"env; tr '\0' '\n' < /proc/$PPID/environ")
    await rig.say(f"{look}\nSAY done", approve=Approvals("allow"))
    (result,) = rig.api.conversations[-1].tool_results
    assert f"HOME={rig.home}" in result["text"]
    assert not [value for value in secrets.values() if value in result["text"]]
    assert not [name for name in rig.cli().environ() if name in secrets]


@pytest.mark.parametrize("is_trusted", [False, True])
async def test_hooks_of_a_folder_run_only_where_the_user_trusts_it(rig: Rig, is_trusted: bool) -> None:
    trace = rig.directory / "the hook ran"
    hook = {"type": "command", "command": f"touch '{trace}'"}
    folder = rig.workspace / ".claude"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({"hooks": {"SessionStart": [{"hooks": [hook]}]}}))
    rig.home.mkdir(exist_ok=True)
    state = {"projects": {str(rig.workspace.resolve()): {"hasTrustDialogAccepted": is_trusted}}}
    (rig.home / ".claude.json").write_text(json.dumps(state))
    await rig.say("SAY hello")
    assert rig.answer == "hello"
    assert trace.exists() == is_trusted
