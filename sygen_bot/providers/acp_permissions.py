"""An ACP agent asks whether it may use a tool: who decides, and in which words the agent gets its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sygen_bot.providers.acp_tools import ToolUse
from sygen_bot.providers.base import Approver, Attachment, Decision, ToolRequest

CANCELLED: Final[Mapping[str, Any]] = {"outcome": {"outcome": "cancelled"}}


class Gate:
    """Puts uses of tools to the approver of the running turn; without a turn nothing is allowed."""

    def __init__(self) -> None:
        self._approve: Approver | None = None
        self._waiting: set[asyncio.Future[Decision]] = set()

    def open(self, approve: Approver) -> None:
        self._approve = approve

    def shut(self) -> None:
        """Withdraw what is being asked; from now on nothing is allowed."""
        self._approve = None
        for question in self._waiting:
            question.cancel()

    async def decide(self, request: ToolRequest) -> Decision | None:
        """What the approver says; None if it was withdrawn."""
        if self._approve is None:
            return None
        question: asyncio.Future[Decision] = asyncio.ensure_future(self._approve(request))
        self._waiting.add(question)
        try:
            await asyncio.wait({question})
            return None if question.cancelled() else question.result()
        finally:
            question.cancel()
            self._waiting.discard(question)


def outcome(options: object, decision: Decision | None) -> tuple[Mapping[str, Any], bool]:
    """The answer to a permission request with these `options`, and whether it allows.

    Only what holds for this once is chosen: rules that last are the gateway's. An agent that offers nothing of the kind gets no
    permission.
    """
    wanted = {"allow": "allow_once", "deny": "reject_once"}.get(decision or "")
    for option in options if isinstance(options, list) else []:
        match option:
            case {"kind": str(kind), "optionId": str(option_id)} if kind == wanted:
                return {"outcome": {"outcome": "selected", "optionId": option_id}}, decision == "allow"
            case _:
                pass
    return CANCELLED, False


def is_about_attachment(use: ToolUse, attachments: Sequence[Attachment]) -> bool:
    """Whether an agent only wants to read what the user sent it with the message."""
    if use.kind != "read" or use.given is not None:
        return False
    named = use.paths or (use.title.rpartition(": ")[2],)
    return all(any(path == str(attachment.path) for attachment in attachments) for path in named)
