"""What an agent may do: the policy of its profile decides on every use of a tool."""

from __future__ import annotations

from typing import Final

import structlog

from sygen_bot.providers.base import Approver, Decision, Policy, ToolRequest

DEFAULT_POLICY: Final[Policy] = "allow_read_only"

_log = structlog.get_logger(__name__)


def approver(policy: Policy) -> Approver:
    """The approver that applies `policy`: nothing, only what changes nothing, or everything."""

    async def decide(request: ToolRequest) -> Decision:
        allowed = policy == "allow_all" or (policy == "allow_read_only" and request.read_only)
        if not allowed:
            _log.info("tool_denied", tool=request.tool, policy=policy)
        return "allow" if allowed else "deny"

    return decide
