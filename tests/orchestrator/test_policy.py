"""What an agent may do without being asked: the policy of its profile, from the configuration to the tool."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import get_args

import pytest

from sygen_bot.config import AgentSettings, load_settings
from sygen_bot.events import Result
from sygen_bot.orchestrator.approvals import DEFAULT_POLICY, approver
from sygen_bot.orchestrator.lifecycle import running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Decision, Policy, ToolRequest
from sygen_bot.session.key import SessionKey

READ = ToolRequest(tool="Read", input={"path": "/a"}, read_only=True)
BASH = ToolRequest(tool="Bash", input={"command": "rm -r build"}, read_only=False)


@pytest.mark.parametrize(
    ("policy", "read", "bash"),
    [
        ("deny", "deny", "deny"),
        ("allow_read_only", "allow", "deny"),
        ("allow_all", "allow", "allow"),
    ],
)
async def test_each_policy_decides_by_what_a_tool_changes(policy: Policy, read: Decision, bash: Decision) -> None:
    decide = approver(policy, private=(), workspace=Path("/w"))
    assert (await decide(READ), await decide(BASH)) == (read, bash)


async def test_what_a_tool_is_called_makes_it_no_safer() -> None:
    disguised = ToolRequest(tool="Read", input={}, read_only=False)
    assert await approver("allow_read_only", private=(), workspace=Path("/w"))(disguised) == "deny"


@pytest.mark.parametrize(
    ("tool", "value", "decision"),
    [
        ("Read", {"file_path": "{home}/config/config.json"}, "deny"),
        ("Read", {"file_path": "../config/config.json"}, "deny"),
        ("Read", {"file_path": "{home}/workspace/link/config.json"}, "deny"),
        ("Read", {"file_path": "{home}/sygen.db-wal"}, "deny"),
        ("Read", {"paths": [{"path": "{home}/keys/identity.key"}]}, "deny"),
        ("Read", {"file_path": "{home}/workspace/notes.md"}, "allow"),
        ("Read", {"file_path": "{home}/configuration.md"}, "allow"),
        ("Grep", {"pattern": "token", "path": "{home}"}, "deny"),
        ("Grep", {"pattern": "token", "path": "/"}, "deny"),
        ("Grep", {"pattern": "token"}, "allow"),
        ("Glob", {"pattern": "**/*.md", "path": "{home}"}, "allow"),
    ],
)
async def test_an_agent_that_may_only_read_does_not_read_the_gateways_own_files(
    tmp_path: Path, tool: str, value: dict[str, object], decision: Decision
) -> None:
    paths = Paths(tmp_path / "home")
    paths.prepare()
    (paths.workspace / "link").symlink_to(paths.config_file.parent)
    asked = json.loads(json.dumps(value).replace("{home}", str(paths.home)))
    decide = approver("allow_read_only", private=paths.private, workspace=paths.workspace)
    assert await decide(ToolRequest(tool=tool, input=asked, read_only=True)) == decision


def test_reading_is_the_default_and_there_is_no_policy_that_asks_nobody() -> None:
    assert AgentSettings().approval_policy == DEFAULT_POLICY == "allow_read_only"
    assert set(get_args(Policy)) == {"deny", "allow_read_only", "allow_all"}


@pytest.mark.parametrize(
    ("configured", "answer"),
    [
        ({}, "allowed\ndenied"),
        ({"approval_policy": "deny"}, "denied\ndenied"),
        ({"approval_policy": "allow_all"}, "allowed\nallowed"),
    ],
)
async def test_the_configured_policy_reaches_the_agents_tools(
    tmp_path: Path, configured: dict[str, str], answer: str
) -> None:
    paths = Paths(tmp_path / "home")
    settings = load_settings(
        paths,
        overrides={
            "api.host": "127.0.0.1",
            "api.port": 0,
            "api.drain_s": 0,
            "provider": "scripted",
            "agents.main": configured,
        },
    )
    async with running_gateway(settings, paths, token="t") as gateway, asyncio.timeout(20):
        end = await gateway.orchestrator.handle_message_streaming(
            SessionKey("api", 1, None), 'ASK Read {"path": "/a"}\nASK Bash {"command": "rm -r build"}'
        )
    assert isinstance(end, Result)
    assert end.text == answer
