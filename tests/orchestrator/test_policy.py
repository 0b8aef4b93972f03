"""What an agent may do without being asked: the policy of its profile, from the configuration to the tool."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from sygen_bot.config import AgentSettings, load_settings
from sygen_bot.events import Result
from sygen_bot.orchestrator.lifecycle import running_gateway
from sygen_bot.orchestrator.policy import DEFAULT_POLICY, verdict
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Decision, Policy, ToolRequest
from sygen_bot.session.key import SessionKey

READ = ToolRequest(tool="Read", input={"path": "/w/a"}, read_only=True)
BASH = ToolRequest(tool="Bash", input={"command": "rm -r build"}, read_only=False)


@pytest.mark.parametrize(
    ("policy", "read", "bash"),
    [
        ("ask", "allow", "ask"),
        ("deny", "deny", "deny"),
        ("allow_read_only", "allow", "deny"),
        ("allow_all", "allow", "allow"),
    ],
)
def test_each_policy_decides_by_what_a_tool_changes(policy: Policy, read: Decision, bash: Decision) -> None:
    decide = partial(verdict, policy=policy, private=(), workspace=Path("/w"))
    assert (decide(READ), decide(BASH)) == (read, bash)


def test_what_a_tool_is_called_makes_it_no_safer() -> None:
    disguised = ToolRequest(tool="Read", input={}, read_only=False)
    assert verdict(disguised, "allow_read_only", private=(), workspace=Path("/w")) == "deny"
    assert verdict(disguised, "ask", private=(), workspace=Path("/w")) == "ask"


@pytest.mark.parametrize(
    ("tool", "value", "unasked", "asked"),
    [
        ("Read", {"file_path": "{home}/config/config.json"}, "deny", "ask"),
        ("Read", {"file_path": "../config/config.json"}, "deny", "ask"),
        ("Read", {"file_path": "{home}/workspace/link/config.json"}, "deny", "ask"),
        ("Read", {"file_path": "{home}/sygen.db-wal"}, "deny", "ask"),
        ("Read", {"paths": [{"path": "{home}/keys/identity.key"}]}, "deny", "ask"),
        ("Read", {"file_path": "{home}/workspace/notes.md"}, "allow", "allow"),
        ("Read", {"file_path": "notes.md"}, "allow", "allow"),
        ("Read", {"file_path": "{home}/configuration.md"}, "allow", "ask"),
        ("Read", {"file_path": "~/.ssh/id_ed25519"}, "allow", "ask"),
        ("Grep", {"pattern": "token", "path": "{home}"}, "deny", "ask"),
        ("Grep", {"pattern": "token", "path": "/"}, "deny", "ask"),
        ("Grep", {"pattern": "token"}, "allow", "allow"),
        ("Glob", {"pattern": "**/*.md", "path": "{home}"}, "allow", "ask"),
    ],
)
def test_reading_the_gateways_own_files_is_denied_or_asked_for_and_so_is_reading_elsewhere(
    tmp_path: Path, tool: str, value: dict[str, object], unasked: str, asked: str
) -> None:
    paths = Paths(tmp_path / "home")
    paths.prepare()
    (paths.workspace / "link").symlink_to(paths.config_file.parent)
    named = json.loads(json.dumps(value).replace("{home}", str(paths.home)))
    use = ToolRequest(tool=tool, input=named, read_only=True)
    decide = partial(verdict, use, private=paths.private, workspace=paths.workspace)
    assert (decide("allow_read_only"), decide("ask")) == (unasked, asked)


def test_people_are_asked_by_default() -> None:
    assert AgentSettings().approval_policy == DEFAULT_POLICY == "ask"
    assert set(get_args(Policy)) == {"ask", "deny", "allow_read_only", "allow_all"}


@pytest.mark.parametrize(
    ("configured", "answer"),
    [
        ({"approval_policy": "allow_read_only"}, "allowed\ndenied"),
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
