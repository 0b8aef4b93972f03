"""What the real Codex may do is decided here, and nowhere else."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.providers.base import Decision, ToolRequest
from sygen_bot.testing.contract import Approvals
from tests.integration.codex_rig import Rig, bash, codex_rig, patch

pytestmark = pytest.mark.integration

SERVER = """
import pathlib
from mcp.server import MCPServer
server = MCPServer("little")
@server.tool()
def poke(path: str) -> str:
    pathlib.Path(path).write_text("x")
    return "poked"
server.run()
"""


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with codex_rig(tmp_path) as rig:
        yield rig


def names(approvals: Approvals) -> list[str]:
    return [request.tool for request in approvals.requests]


async def test_nothing_runs_that_was_denied_not_even_what_only_reads(rig: Rig) -> None:
    """One turn with every kind of tool that Codex has, each of them refused."""
    (rig.workspace / "note.txt").write_text("the hidden treasure")
    nested = f"const result = await tools.exec_command({{cmd: 'cat {rig.workspace}/note.txt'}}); text(result);"
    approvals = Approvals("deny")
    await rig.say(
        "\n".join(
            [
                bash("cat note.txt"),
                bash("ls; touch forbidden"),
                patch("forbidden"),
                'TOOL view_image {"path": "note.txt"}',
                f"TOOL exec {json.dumps(nested)}",
                "TOOL list_mcp_resources {}",
                bash("touch forbidden", sandbox_permissions="require_escalated", justification="I want to"),
                "SAY well then",
            ]
        ),
        approve=approvals,
    )
    assert names(approvals) == ["Bash", "Bash", "Edit", "Read", "Bash", "list_mcp_resources", "Bash"]
    assert rig.answer == "well then"
    assert not (rig.workspace / "forbidden").exists()
    assert "treasure" not in rig.told
    assert [end.is_error for end in rig.tools if end.phase == "end"] == [True] * 7
    assert all("policy does not allow" in (end.output or "") for end in rig.tools if end.phase == "end")


async def test_rules_and_settings_of_the_user_open_no_way_around(rig: Rig) -> None:
    rig.settings = 'approval_policy = "never"\nsandbox_mode = "danger-full-access"\nfeatures.hooks = false'
    rig.restart()
    (rig.codex_home / "rules").mkdir()
    (rig.codex_home / "rules" / "default.rules").write_text('prefix_rule(pattern=["touch"], decision="allow")\n')
    approvals = Approvals("deny")
    for _ in range(2):  # a new conversation, and one that goes on in another process
        await rig.say(f"{bash('touch forbidden')}\n{patch('forbidden')}\nSAY well then", approve=approvals)
        await rig.provider.close()
        rig.restart()
    assert names(approvals) == ["Bash", "Edit"] * 2
    assert not (rig.workspace / "forbidden").exists()


async def test_settings_of_a_folder_do_not_load_and_nobody_calls_it_trusted(rig: Rig) -> None:
    zapped = rig.directory / "zapped"
    (rig.workspace / ".git").mkdir()
    (rig.workspace / ".codex").mkdir()
    settings = f'model = "evil"\n[mcp_servers.evil]\ncommand = "touch"\nargs = ["{zapped}"]\n'
    (rig.workspace / ".codex" / "config.toml").write_text(settings)
    before = (rig.codex_home / "config.toml").read_text()
    await rig.say("SAY hello")
    await rig.provider.close()
    rig.restart()
    await rig.say("SAY hello again")
    assert not zapped.exists()
    assert rig.finished.model != "evil"
    assert (rig.codex_home / "config.toml").read_text() == before


async def test_allowed_commands_stay_in_the_sandbox_and_leaving_it_is_another_question(rig: Rig) -> None:
    outside = rig.directory / "outside"
    approvals = Approvals("allow")
    escalated = bash(f"touch {outside}-2", sandbox_permissions="require_escalated", justification="It has to be")
    await rig.say(
        f"{bash('touch inside')}\n{bash(f'touch {outside}-1')}\n{escalated}\n{bash('env')}", approve=approvals
    )
    assert (rig.workspace / "inside").exists()
    assert not Path(f"{outside}-1").exists()
    assert Path(f"{outside}-2").exists()
    assert names(approvals) == ["Bash", "Bash", "Bash", "Bash outside the sandbox", "Bash"]
    leaving = approvals.requests[3]
    assert leaving.summary == f"Run outside the sandbox: touch {outside}-2"
    assert leaving.input == {"command": f"touch {outside}-2", "cwd": str(rig.workspace), "reason": "It has to be"}
    assert "sk-fake" not in rig.told
    assert "CODEX_HOME" in rig.told


async def test_who_may_use_a_command_may_still_not_leave_the_sandbox(rig: Rig) -> None:
    outside = rig.directory / "outside"

    class Careful(Approvals):
        async def __call__(self, request: ToolRequest) -> Decision:
            self.requests.append(request)
            return "deny" if "outside" in request.tool else "allow"

    approvals = Careful()
    escalated = bash(f"touch {outside}", sandbox_permissions="require_escalated", justification="It has to be")
    await rig.say(f"{escalated}\nSAY well then", approve=approvals)
    assert not outside.exists()
    assert rig.answer == "well then"
    assert rig.tools[-1].is_error


async def test_a_sandbox_may_forbid_all_writing_or_nothing(rig: Rig) -> None:
    rig.restart(sandbox="read-only")
    await rig.say(bash("touch inside"), approve=Approvals("allow"))
    assert not (rig.workspace / "inside").exists()
    await rig.provider.close()
    rig.restart(sandbox="danger-full-access")
    outside = rig.directory / "outside"
    await rig.say(bash(f"touch {outside}"), approve=Approvals("allow"))
    assert outside.exists()


async def test_a_terminal_does_not_stay_open_for_commands_that_nobody_sees(rig: Rig) -> None:
    await rig.say(f"{bash('sh', tty=True, yield_time_ms=250)}\nSAY well then", approve=Approvals("allow"))
    assert "TTY execution is disabled" in rig.told


@pytest.mark.parametrize("model", ["gpt-6.1-sol", "gpt-5.5"])
async def test_no_tool_is_offered_that_works_where_nobody_can_be_asked(rig: Rig, model: str) -> None:
    await rig.say("SAY hello", model=model)
    assert rig.answer == "hello"
    for tool in ("web_search", "image_generation", "create_goal"):
        assert f'"{tool}"' not in rig.told
        assert f"tools.{tool}" not in rig.told


async def test_other_agents_are_not_started(rig: Rig) -> None:
    approvals = Approvals("allow")
    task = json.dumps({"task_name": "other", "message": bash("touch forbidden")})
    await rig.say(f"TOOL collaboration.spawn_agent {task}\nSAY alone", approve=approvals)
    assert approvals.requests == []
    assert rig.answer == "alone"
    assert len(rig.api.conversations) == 2
    assert "cannot be used here" in rig.api.conversations[-1].tool_results[-1]


@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_a_tool_of_a_server_is_asked_for_once(rig: Rig, decision: Decision) -> None:
    (rig.directory / "server.py").write_text(SERVER)
    arguments = json.dumps([str(rig.directory / "server.py")])
    rig.settings = f'mcp_servers.little = {{command = "{sys.executable}", args = {arguments}, required = true}}'
    rig.restart()
    poked = rig.directory / "poked"
    approvals = Approvals(decision)
    await rig.say(f"TOOL mcp__little.poke {json.dumps({'path': str(poked)})}\nSAY well", approve=approvals)
    assert names(approvals) == ["little/poke"]
    assert poked.exists() == (decision == "allow")
    assert [activity.name for activity in rig.tools] == ["little/poke"] * 2
    assert rig.tools[-1].output == "poked" or rig.tools[-1].is_error


async def test_what_surely_only_reads_the_workspace_counts_as_read_only(rig: Rig) -> None:
    (rig.workspace / "note.txt").write_text("a note")

    class ReadOnly(Approvals):
        async def __call__(self, request: ToolRequest) -> Decision:
            self.requests.append(request)
            return "allow" if request.read_only else "deny"

    approvals = ReadOnly()
    own, foreign = f"cat {rig.workspace}/note.txt", f"cat {rig.codex_home}/config.toml"
    await rig.say(f"{bash(own)}\n{bash(foreign)}\n{bash('cat note.txt')}", approve=approvals)
    assert [request.read_only for request in approvals.requests] == [True, False, False]
    assert "a note" in rig.told
