"""Claude Code's tools: what they are called here, which uses are harmless, and the gate that every use goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from claude_agent_sdk import (
    ClaudeAgentOptions,
    HookContext,
    HookInput,
    HookJSONOutput,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ToolPermissionContext,
)

from sygen_bot.providers.base import Approver, Decision, ToolRequest

READ_ONLY_TOOLS: Final = frozenset(
    {
        *("Read", "Glob", "Grep", "LS", "NotebookRead"),
        *("TodoWrite", "TaskCreate", "TaskUpdate", "TaskGet", "TaskList"),  # the agent's own list of what is to do
        *("ToolSearch", "ListAgents", "BashOutput", "TaskOutput"),
        "Skill",  # reads instructions; what they want done is asked for use by use
    }
)
_DELEGATING: Final = frozenset({"Agent", "Task"})
"""A subagent does nothing but use tools, and each use is asked for. With `isolation` it makes a checkout of its own first."""

NOT_OFFERED: Final = (
    *("AskUserQuestion", "EnterPlanMode", "ExitPlanMode"),  # wait for somebody at the terminal
    *("CronCreate", "CronDelete", "CronList", "ScheduleWakeup", "Monitor", "Workflow"),  # speak when no turn runs
)

SETTINGS: Final[Mapping[str, object]] = {
    # Commands and skills may hold shell lines that run while they are read: no hook sees them, so nobody could refuse.
    "disableSkillShellExecution": True,
    "disableAllHooks": False,
    "permissions": {"disableBypassPermissionsMode": "disable"},
}
"""Settings above those of the user and the project, so that neither opens a way around the gate."""

_PATIENCE_S: Final = 24 * 3600.0
"""How long the CLI waits for a decision; a person may have to be asked."""


def tool_name(name: str) -> str:
    """A tool's name for people and policies: `mcp__github__search` is `github/search`, others are as they are."""
    prefix, _, rest = name.partition("__")
    server, separator, tool = rest.partition("__")
    return f"{server}/{tool}" if prefix == "mcp" and separator and server and tool else name


def is_read_only(name: str, arguments: Mapping[str, object]) -> bool:
    """Whether this use changes nothing and sends nothing out. Unknown tools do not count as harmless."""
    return name in READ_ONLY_TOOLS or (name in _DELEGATING and not arguments.get("isolation"))


def refusal(name: str) -> str:
    """What the agent is told when it may not use a tool."""
    return (
        f"The user's policy does not allow this use of {tool_name(name)}: go on without it, or say what you would need."
    )


class Gate:
    """Puts every use of a tool to the approver of the running turn; without a turn nothing is allowed.

    The CLI's hook before each use asks here whatever the settings say: rules that allow, modes that bypass, hooks switched
    off. Where the CLI's own rules would ask a person after that, it asks a second time, and gets the same answer.
    `decided` hears of every use that may go ahead, by its id.
    """

    def __init__(self, *, decided: Callable[[str], None]) -> None:
        self._decided = decided
        self._approve: Approver | None = None
        self._answers: dict[str, tuple[str, dict[str, Any], Decision]] = {}

    def open(self, approve: Approver) -> None:
        self._approve = approve

    def shut(self) -> None:
        self._approve = None
        self._answers.clear()

    def guard(self, options: ClaudeAgentOptions) -> None:
        """Make a CLI that is started with `options` ask here."""
        # A hook that fails blocks: an error here must never be a permission.
        matcher = HookMatcher(hooks=[self._before_use], timeout=_PATIENCE_S, on_failure="block")
        options.hooks = {"PreToolUse": [matcher]}
        options.can_use_tool = self._may_use
        options.permission_mode = "default"
        options.disallowed_tools = list(NOT_OFFERED)

    async def _before_use(self, use: HookInput, tool_use_id: str | None, context: HookContext) -> HookJSONOutput:
        del context
        if use["hook_event_name"] != "PreToolUse":
            return {}
        name = use["tool_name"]
        if await self._decide(name, use["tool_input"], tool_use_id) == "allow":
            return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow"}}
        return {
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny",
                "permissionDecisionReason": refusal(name),
            }
        }

    async def _may_use(
        self, name: str, arguments: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResultAllow | PermissionResultDeny:
        if await self._decide(name, arguments, context.tool_use_id) == "allow":
            return PermissionResultAllow()
        return PermissionResultDeny(message=refusal(name))

    async def _decide(self, name: str, arguments: dict[str, Any], tool_use_id: str | None) -> Decision:
        if self._approve is None or name in NOT_OFFERED:
            return "deny"
        if tool_use_id is not None and tool_use_id in self._answers:
            known_name, known_arguments, decision = self._answers[tool_use_id]
            if (known_name, known_arguments) == (name, arguments):
                return decision
        request = ToolRequest(tool=tool_name(name), input=arguments, read_only=is_read_only(name, arguments))
        decision = await self._approve(request)
        if tool_use_id is not None:
            self._answers[tool_use_id] = name, arguments, decision
            if decision == "allow":
                self._decided(tool_use_id)
        return decision
