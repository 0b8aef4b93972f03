"""What Claude Code's tools are called, which uses are harmless, and the gate before them."""

from __future__ import annotations

from typing import Any

import pytest
from claude_agent_sdk import ClaudeAgentOptions, PermissionResultAllow, ToolPermissionContext

from sygen_bot.providers.base import ToolRequest
from sygen_bot.providers.claude_tools import Gate, is_read_only, tool_name
from sygen_bot.testing.contract import Approvals


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Bash", "Bash"),
        ("mcp__github__create_issue", "github/create_issue"),
        ("mcp__a_b__c__d", "a_b/c__d"),
        ("mcp__half", "mcp__half"),
        ("mcp____x", "mcp____x"),
        ("", ""),
    ],
)
def test_names_for_people(name: str, shown: str) -> None:
    assert tool_name(name) == shown


@pytest.mark.parametrize("name", ["Read", "Glob", "Grep", "LS", "NotebookRead", "TodoWrite", "Skill", "Agent"])
def test_reading_and_keeping_a_list_are_harmless(name: str) -> None:
    assert is_read_only(name, {})


@pytest.mark.parametrize(
    "name",
    ["Bash", "Write", "Edit", "NotebookEdit", "WebFetch", "WebSearch", "SendMessage", "mcp__x__Read", "read", ""],
)
def test_changing_sending_and_the_unknown_are_not(name: str) -> None:
    assert not is_read_only(name, {})


def test_a_subagent_with_a_checkout_of_its_own_is_not_harmless() -> None:
    assert not is_read_only("Agent", {"isolation": "worktree"})


class Asking:
    """A CLI that asks, without the CLI: first its hook, then as its own rules would."""

    def __init__(self, gate: Gate) -> None:
        self._options = ClaudeAgentOptions()
        gate.guard(self._options)

    async def hook(self, name: str, arguments: dict[str, Any], tool_id: str) -> str:
        assert self._options.hooks is not None
        (matcher,) = self._options.hooks["PreToolUse"]
        use: Any = {"hook_event_name": "PreToolUse", "tool_name": name, "tool_input": arguments}
        output: Any = await matcher.hooks[0](use, tool_id, {"signal": None})
        return str(output["hookSpecificOutput"]["permissionDecision"])

    async def rule(self, name: str, arguments: dict[str, Any], tool_id: str) -> bool:
        assert self._options.can_use_tool is not None
        answer = await self._options.can_use_tool(name, arguments, ToolPermissionContext(tool_use_id=tool_id))
        return isinstance(answer, PermissionResultAllow)


async def test_one_use_is_asked_for_once_and_the_answer_holds() -> None:
    decided: list[str] = []
    gate, approvals = Gate(decided=decided.append), Approvals("allow")
    cli = Asking(gate)
    gate.open(approvals)
    assert await cli.hook("Bash", {"command": "ls"}, "t1") == "allow"
    assert await cli.rule("Bash", {"command": "ls"}, "t1")
    assert approvals.requests == [ToolRequest(tool="Bash", input={"command": "ls"}, read_only=False)]
    assert decided == ["t1"]


async def test_an_answer_is_not_for_another_input() -> None:
    gate, approvals = Gate(decided=lambda _: None), Approvals("allow")
    cli = Asking(gate)
    gate.open(approvals)
    await cli.hook("Bash", {"command": "ls"}, "t1")
    approvals.decision = "deny"
    assert not await cli.rule("Bash", {"command": "rm"}, "t1")


async def test_without_a_turn_nothing_is_allowed() -> None:
    gate = Gate(decided=lambda _: None)
    cli = Asking(gate)
    assert await cli.hook("Read", {}, "t1") == "deny"
    gate.open(Approvals("allow"))
    assert await cli.hook("Read", {}, "t1") == "allow"
    gate.shut()
    assert await cli.hook("Read", {}, "t1") == "deny"
    assert not await cli.rule("Read", {}, "t1")


async def test_what_is_not_offered_is_not_even_asked_for() -> None:
    gate, approvals = Gate(decided=lambda _: None), Approvals("allow")
    cli = Asking(gate)
    gate.open(approvals)
    assert await cli.hook("AskUserQuestion", {}, "t1") == "deny"
    assert approvals.requests == []
