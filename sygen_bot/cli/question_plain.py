"""The same question on a terminal that cannot move its cursor: lines out, lines in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from sygen_bot.cli.approval_words import input_lines, pattern_of, subject, time_left
from sygen_bot.cli.question import Reply
from sygen_bot.cli.terminal import visible
from sygen_bot.events import ApprovalRequest

_SHOWN: Final = 20


async def ask_by_line(
    request: ApprovalRequest, *, say: Callable[[str], None], read: Callable[[], Awaitable[str | None]]
) -> Reply:
    """Ask until a line is an answer. None if there are no more lines."""
    lines = input_lines(request)
    say(f"{visible(request.agent)} asks for {subject(request.tool, request.summary)}")
    _say_lines(lines[:_SHOWN], say)
    is_cut = len(lines) > _SHOWN
    if is_cut:
        say(f"  ... {len(lines) - _SHOWN} more lines")
    may_always = "allow_always" in request.options
    keys = ", ".join(("y once", *(["a always"] if may_always else []), "n no", *(["v all of it"] if is_cut else [])))
    while True:
        say(f"{keys}? ({time_left(request.expires_at)} left)")
        line = await read()
        match None if line is None else line.strip().lower():
            case None:
                return None
            case "y" | "yes":
                return "allow_once"
            case "n" | "no":
                return "deny"
            case "a" | "always" if may_always:
                say(
                    f"From now on {visible(request.agent)} may use {visible(request.tool)} without asking, for exactly this:"
                )
                _say_lines(pattern_of(request).split("\n"), say)
                say("y yes, always; anything else goes back")
                if (await read() or "").strip().lower() in ("y", "yes"):
                    return "allow_always"
            case "v":
                _say_lines(lines, say)
            case _:
                pass


def _say_lines(lines: list[str], say: Callable[[str], None]) -> None:
    for line in lines:
        say(f"  {line}")
