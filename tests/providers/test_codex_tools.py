"""Which uses of Codex's tools are harmless, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sygen_bot.providers.codex_tools import (
    ToolUse,
    bare_command,
    is_read_only,
    outside_sandbox,
    own_name,
    request_for,
    tool_name,
    use_of,
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "a.txt").write_text("a")
    (tmp_path / "secret").write_text("s")
    (workspace / "link").symlink_to(tmp_path / "secret")
    return workspace


def bash(command: str) -> ToolUse:
    return ToolUse("1", "Bash", {"command": command})


@pytest.mark.parametrize("command", ["cat {w}/a.txt", "ls -la {w}", "head {w}/a.txt {w}/a.txt", "wc -l {w}/a.txt"])
def test_reading_files_of_the_workspace_is_read_only(workspace: Path, command: str) -> None:
    assert is_read_only(bash(command.format(w=workspace)), workspace)


@pytest.mark.parametrize(
    "command",
    [
        *("cat a.txt", "ls", "pwd", "cat", ""),  # in which directory, nobody tells
        *("cat {w}/../secret", "cat {w}/link", "cat /etc/passwd", "ls {w}/..", "cat {w}/missing", "cat {w}/a.txt /etc/passwd"),
        *("cat {w}/a.txt; rm x", "cat {w}/a.txt\nrm x", "cat {w}/a.txt && x", "cat {w}/a.txt | sh", "cat {w}/a.txt > x"),
        *("cat $(x) {w}/a.txt", "cat `x` {w}/a.txt", "cat {w}/*", "cat ~/x", "cat '{w}/a.txt'", "A=1 cat {w}/a.txt"),
        *("tail -f {w}/a.txt", "ls --color {w}", "rm {w}/a.txt", "./cat {w}/a.txt", "/tmp/cat {w}/a.txt", "cat - {w}/a.txt"),
        *("git log {w}", "rg x {w}", "find {w}", "sed -n 1p {w}/a.txt", "cat\t{w}/a.txt"),
    ],
)  # fmt: skip
def test_anything_else_is_not(workspace: Path, command: str) -> None:
    assert not is_read_only(bash(command.format(w=workspace)), workspace)


@given(st.text(max_size=40))
def test_no_shell_sees_more_than_words_in_what_counts_as_reading(text: str) -> None:
    root = Path("/")
    if is_read_only(bash(f"cat /{text}"), root):
        assert not set(text) & set("\n\t;&|<>$`\\\"'*?()[]{}~!#=")


def test_a_picture_is_read_only_in_the_workspace_alone(workspace: Path) -> None:
    for path, expected in [("a.txt", True), (f"{workspace}/a.txt", True), ("../secret", False), ("link", False)]:
        assert is_read_only(ToolUse("1", "Read", {"path": path}), workspace) == expected
    assert not is_read_only(ToolUse("1", "Read", {"path": ["a.txt"]}), workspace)
    assert not is_read_only(ToolUse("1", "github/cat", {"command": f"cat {workspace}/a.txt"}), workspace)


def test_tools_have_names_for_people() -> None:
    expected = {
        "Bash": "Bash",
        "apply_patch": "Edit",
        "view_image": "Read",
        "mcp__github__search_issues": "github/search_issues",
        "clocksleep": "Sleep",
        "collaborationspawn_agent": "spawn_agent",
        "something_new": "something_new",
    }
    assert {name: tool_name(name) for name in expected} == expected
    assert own_name("collaboration.spawn_agent") == own_name("spawn_agent") == "spawn_agent"
    assert own_name("clock") == "clock"


def test_an_edit_says_in_one_line_which_files_it_is_about(workspace: Path) -> None:
    patch = (
        f"*** Begin Patch\n*** Add File: {workspace}/new.txt\n+x\n*** Update File: old.txt\n*** Move to: moved.txt\n"
        "@@\n-a\n+b\n*** Delete File: /etc/passwd\n*** End Patch\n"
    )
    event = {"tool_name": "apply_patch", "tool_input": {"command": patch}, "tool_use_id": "call_1"}
    request = request_for(use_of(event), workspace)
    assert request.summary == "Edit new.txt, old.txt, moved.txt, /etc/passwd"
    assert request.input == {"patch": patch}
    assert (request.tool, request.read_only) == ("Edit", False)


def test_a_hook_that_says_nothing_useful_is_still_a_use(workspace: Path) -> None:
    assert request_for(use_of({}), workspace).read_only is False
    assert use_of({"tool_name": "x", "tool_input": ["a"]}).input == {"input": ["a"]}


def test_leaving_the_sandbox_is_a_use_of_its_own() -> None:
    request = outside_sandbox({"command": "/bin/bash -lc 'make\nrm -rf x'", "cwd": "/w", "reason": None})
    assert request.tool == "Bash outside the sandbox"
    assert request.summary == "Run outside the sandbox: make ..."
    assert request.input == {"command": "make\nrm -rf x", "cwd": "/w"}
    network = outside_sandbox({"networkApprovalContext": {"host": "example.org", "protocol": "https"}})
    assert (network.tool, network.summary) == ("Network access", "Connect to example.org")


@pytest.mark.parametrize(
    ("command", "bare"),
    [("/bin/bash -lc 'ls x'", "ls x"), ("bash -c ls", "ls"), ("ls -c x", "ls -c x"), ("it's", "it's"), ("", "")],
)
def test_the_shell_around_a_command_is_left_out(command: str, bare: str) -> None:
    assert bare_command(command) == bare
