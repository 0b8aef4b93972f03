"""Codex's tools: what they are called here, and which uses are harmless. Looks at paths, changes nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sygen_bot.providers.base import ToolRequest

NOT_OFFERED: Final = frozenset(
    {
        # other agents go on when the answer has ended, and nobody would hear of what they do
        *("spawn_agent", "send_message", "followup_task", "wait_agent", "interrupt_agent", "list_agents"),
        *("send_input", "resume_agent", "close_agent"),
        *("request_user_input", "request_user_input_async"),  # wait for somebody at the terminal
        "request_permissions",  # what it would grant is not asked for again
        *("create_goal", "update_goal"),  # begin turns of their own
    }
)
_NAMESPACES: Final = ("collaboration", "functions", "clock")
_NAMES: Final = {
    "apply_patch": "Edit",
    "view_image": "Read",
    "sleep": "Sleep",
    "curr_time": "Time",
    "update_plan": "Plan",
}
_HARMLESS: Final = frozenset({"Sleep", "Time", "Plan", "get_goal"})
_OUTSIDE: Final = "Bash outside the sandbox"
_NETWORK: Final = "Network access"

_READERS: Final = {"ls": "1AadFhlrRSt", "cat": "AbEnsT", "head": "", "tail": "", "wc": "clmw", "stat": ""}
"""Programs that only read, each with the options, letter by letter, that may stand before its paths."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./,@%+-]+(?: +[A-Za-z0-9_./,@%+-]+)*", re.ASCII)
"""Words that no shell makes anything of."""
_PATCHED: Final = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$|^\*\*\* Move to: (.+)$", re.MULTILINE)
_MAX_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One use of a tool: its `id`, its name for people, and its input."""

    id: str
    tool: str
    input: Mapping[str, object]


def use_of(hook_event: Mapping[str, Any]) -> ToolUse:
    """The use that Codex's hook describes."""
    name, given = str(hook_event.get("tool_name")), hook_event.get("tool_input")
    tool = tool_name(name)
    details = dict(given) if isinstance(given, dict) else {"input": given}
    if tool == "Edit":
        details = {"patch": str(details.get("command", ""))}
    return ToolUse(str(hook_event.get("tool_use_id")), tool, details)


def tool_name(name: str) -> str:
    """A tool's name for people and policies: `mcp__github__search` is `github/search`, `apply_patch` is `Edit`."""
    prefix, _, rest = name.partition("__")
    server, separator, tool = rest.partition("__")
    if prefix == "mcp" and separator and server and tool:
        return f"{server}/{tool}"
    bare = own_name(name)
    return _NAMES.get(bare, bare)


def own_name(name: str) -> str:
    """Codex writes a tool's namespace in front of its name, with nothing in between."""
    for namespace in _NAMESPACES:
        bare = name.removeprefix(namespace).lstrip("._")
        if name.startswith(namespace) and bare:
            return bare
    return name


def request_for(use: ToolUse, workspace: Path) -> ToolRequest:
    """What the approver of a turn is asked about `use`."""
    return ToolRequest(
        tool=use.tool, input=use.input, read_only=is_read_only(use, workspace), summary=_summary(use, workspace)
    )


def is_read_only(use: ToolUse, workspace: Path) -> bool:
    """Whether this use surely changes nothing and shows nothing but files of the workspace.

    Codex does not tell in which directory a command is to run: only absolute paths say what is read.
    """
    if use.tool in _HARMLESS:
        return True
    if use.tool == "Read":
        path = use.input.get("path")
        return isinstance(path, str) and _is_within(workspace / path, workspace)
    command = use.input.get("command")
    return use.tool == "Bash" and isinstance(command, str) and _only_reads(command, workspace)


def outside_sandbox(params: Mapping[str, Any]) -> ToolRequest:
    """What the approver is asked when a command wants more than the sandbox allows."""
    network = params.get("networkApprovalContext")
    if isinstance(network, dict):
        return ToolRequest(tool=_NETWORK, input=network, read_only=False, summary=f"Connect to {network.get('host')}")
    command = bare_command(str(params.get("command") or ""))
    wanted = {"command": command} | {
        name: params[name] for name in ("cwd", "reason", "additionalPermissions") if params.get(name)
    }
    return ToolRequest(
        tool=_OUTSIDE, input=wanted, read_only=False, summary=f"Run outside the sandbox: {_first_line(command)}"
    )


def refusal(tool: str) -> str:
    """What the agent is told when it may not use a tool."""
    return f"The user's policy does not allow this use of {tool}: go on without it, or say what you would need."


def bare_command(command: str) -> str:
    """What a shell was told to run: `/bin/bash -lc 'ls x'` is `ls x`."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    is_wrapped = len(words) == 3 and words[1] in ("-c", "-lc") and words[0].endswith("sh")
    return words[2] if is_wrapped else command


def _only_reads(command: str, workspace: Path) -> bool:
    if _PLAIN.fullmatch(command) is None:
        return False
    program, *words = command.split()
    letters = _READERS.get(program)
    options = [word for word in words if word.startswith("-")]
    paths = [Path(word) for word in words if not word.startswith("-")]
    if letters is None or not paths:
        return False
    if not all(len(option) > 1 and set(option[1:]) <= set(letters) for option in options):
        return False
    return all(path.is_absolute() and _is_within(path, workspace) for path in paths)


def _is_within(path: Path, workspace: Path) -> bool:
    """Whether `path`, links followed, is a file or directory of the workspace."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return False
    return target.is_relative_to(workspace.resolve()) and (target.is_file() or target.is_dir())


def _summary(use: ToolUse, workspace: Path) -> str:
    if use.tool != "Edit":
        return ""
    patch = str(use.input.get("patch"))
    names = list(dict.fromkeys(first or second for first, second in _PATCHED.findall(patch)))
    shown = [_short(name, workspace) for name in names[:_MAX_NAMED]]
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return f"Edit {', '.join(shown)}{more}" if shown else ""


def _short(name: str, workspace: Path) -> str:
    path = Path(name.strip())
    return str(path.relative_to(workspace)) if path.is_relative_to(workspace) else str(path)


def _first_line(text: str) -> str:
    first, _, rest = text.partition("\n")
    return f"{first} ..." if rest.strip() else first
