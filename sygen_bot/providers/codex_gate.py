"""The gate that every use of a tool by Codex goes through, whatever its configuration, rules and sandbox say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from sygen_bot.providers.base import Approver, Decision, ToolRequest
from sygen_bot.providers.codex_tools import (
    NOT_OFFERED,
    ToolUse,
    outside_sandbox,
    own_name,
    refusal,
    request_for,
    use_of,
)
from sygen_bot.providers.jsonrpc import METHOD_NOT_FOUND, RpcError

ASKED: Final = "gate/asked"
ALLOWED: Final = "gate/allowed"
REFUSED: Final = "gate/refused"


class Gate:
    """Puts every use of a tool to the approver of the running turn; without a turn nothing is allowed.

    Codex asks twice. Its hook (`before_use`) comes before every use; its own requests (`answer`) come where its sandbox or a tool's
    own nature wants a confirmation. What the first answer covers is not put to a person again; leaving the sandbox is.
    `notice` hears of each use as one of the messages `ASKED`, `ALLOWED`, `REFUSED`.
    """

    def __init__(self, *, workspace: Path, notice: Callable[[str, ToolUse], None]) -> None:
        self._workspace = workspace
        self._notice = notice
        self._approve: Approver | None = None
        self._allowed: dict[str, ToolUse] = {}
        self._waiting: set[asyncio.Task[Decision]] = set()

    def open(self, approve: Approver) -> None:
        self._approve = approve

    def shut(self) -> None:
        """Nothing is allowed any more; what waits for an answer is given up."""
        self._approve = None
        self._allowed.clear()
        for task in self._waiting:
            task.cancel()

    @property
    def is_open(self) -> bool:
        return self._approve is not None

    def has_allowed(self, use_id: str) -> bool:
        """Whether this use was put to the approver of this turn, and may be."""
        return use_id in self._allowed

    async def before_use(self, hook_event: Mapping[str, Any]) -> str | None:
        """None, or why this use may not be."""
        use = use_of(hook_event)
        if self._approve is None or own_name(str(hook_event.get("tool_name"))) in NOT_OFFERED:
            return f"{use.tool} cannot be used here: go on without it."
        self._notice(ASKED, use)
        if await self._ask(lambda: request_for(use, self._workspace)) == "allow":
            self._allowed[use.id] = use
            self._notice(ALLOWED, use)
            return None
        self._notice(REFUSED, use)
        return refusal(use.tool)

    async def answer(self, method: str, params: Mapping[str, Any]) -> object:
        """The answer to a request of Codex. What is not known, or would need a person at a form, is declined. Raises RpcError."""
        match method:
            case "item/commandExecution/requestApproval":
                allowed = self.has_allowed(str(params.get("itemId"))) and await self._may_leave(params)
                return {"decision": "accept" if allowed else "decline"}
            case "item/fileChange/requestApproval":  # the hook has shown the whole patch
                return {"decision": "accept" if self.has_allowed(str(params.get("itemId"))) else "decline"}
            case "mcpServer/elicitation/request":
                accepted = self._is_allowed_call(params)
                return {
                    "action": "accept" if accepted else "decline",
                    "content": {} if accepted else None,
                    "_meta": None,
                }
            case "item/permissions/requestApproval":
                return {"permissions": {}, "scope": "turn"}
            case "item/tool/requestUserInput":
                return {"answers": {}}
            case "item/tool/call":
                return {
                    "contentItems": [{"type": "inputText", "text": "There is no such tool here."}],
                    "success": False,
                }
            case "execCommandApproval" | "applyPatchApproval":
                return {"decision": "denied"}
            case _:
                raise RpcError(METHOD_NOT_FOUND, "This client does not answer that.")

    async def _may_leave(self, params: Mapping[str, Any]) -> bool:
        return await self._ask(lambda: outside_sandbox(params)) == "allow"

    async def _ask(self, describe: Callable[[], ToolRequest]) -> Decision:
        if self._approve is None:
            return "deny"
        task = asyncio.create_task(_put(describe, self._approve))
        self._waiting.add(task)
        try:
            return await task
        finally:
            task.cancel()
            self._waiting.discard(task)

    def _is_allowed_call(self, params: Mapping[str, Any]) -> bool:
        """Whether this is Codex's own question about the use of a server's tool that was allowed already."""
        meta = params.get("_meta")
        if not isinstance(meta, dict) or meta.get("codex_approval_kind") != "mcp_tool_call":
            return False
        server, arguments = params.get("serverName"), meta.get("tool_params") or {}
        return any(use.tool.startswith(f"{server}/") and dict(use.input) == arguments for use in self._allowed.values())


async def _put(describe: Callable[[], ToolRequest], approve: Approver) -> Decision:
    """`describe` looks at files, to see whether a use only reads."""
    return await approve(await asyncio.to_thread(describe))
