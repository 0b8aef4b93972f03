"""What people are told about approvals: what an agent wants to do, and what became of it."""

from __future__ import annotations

import json
import time
from typing import Final

from sygen_bot.cli.terminal import visible
from sygen_bot.events import ApprovalOutcome, ApprovalRequest

OUTCOMES: Final[dict[ApprovalOutcome, str]] = {
    "allow_once": "allowed once",
    "allow_always": "allowed always",
    "deny": "denied",
    "expired": "nobody answered in time: denied",
    "cancelled": "its turn has ended",
}


def subject(tool: str, summary: str) -> str:
    """A use of a tool in one line, such as `Bash: rm -r build`."""
    return " ".join(visible(f"{tool}: {summary}" if summary else tool).split())


def input_lines(request: ApprovalRequest) -> list[str]:
    """The whole input for people, a field after the other; empty if the summary says all of it.

    Lines that follow the first of a text are indented: they cannot look like another field.
    """
    value = request.input
    if isinstance(value, dict) and list(value.values()) == [request.summary]:
        return []
    if not isinstance(value, dict):
        return _lines(value)
    lines: list[str] = []
    for name, field in value.items():
        first, *rest = _lines(field)
        label = " ".join(visible(str(name)).split())
        lines += [f"{label}: {first}", *rest] if not rest else [f"{label}:", *(f"  {line}" for line in (first, *rest))]
    return lines


def _lines(value: object) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return visible(text).rstrip("\n").split("\n")


def time_left(expires_at: float) -> str:
    """Such as `4:59`."""
    left = max(0, round(expires_at - time.time()))
    return f"{left // 60}:{left % 60:02}"


def pattern_of(request: ApprovalRequest) -> str:
    """What a rule made of this request holds for."""
    return visible(request.pattern)


def told(tool: str, summary: str, outcome: ApprovalOutcome, by: str | None = None) -> str:
    """What became of a request, in one line."""
    who = f" ({visible(by)})" if by else ""
    return f"{subject(tool, summary)} · {OUTCOMES[outcome]}{who}"
