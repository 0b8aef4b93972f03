"""What an agent may do without a person: the policy of its profile, use by use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from sygen_bot.providers.base import Policy, ToolRequest

DEFAULT_POLICY: Final[Policy] = "ask"

_SEARCHES: Final = frozenset({"Grep"})
"""Tools that read everything below the folder they are given, or below the workspace without one."""
_MOST_PATH_CHARS: Final = 4096


def verdict(
    request: ToolRequest, policy: Policy, *, private: Sequence[Path], workspace: Path
) -> Literal["allow", "deny", "ask"]:
    """What `policy` says to a use of a tool.

    Nobody is asked for what changes nothing, unless it reads what is `private`: the gateway's token, keys and database. Under `ask`
    reading outside of `workspace` is asked for too. `workspace` is the folder that relative paths start from.
    """
    if policy in ("allow_all", "deny"):
        return "allow" if policy == "allow_all" else "deny"
    kept = tuple(path.resolve() for path in private)
    harmless = request.read_only and not _reaches(request, kept, workspace)
    if policy == "allow_read_only":
        return "allow" if harmless else "deny"
    return "allow" if harmless and not _leaves(request, workspace) else "ask"


def _leaves(request: ToolRequest, workspace: Path) -> bool:
    """Whether a text in the tool's input is a path to something outside of the workspace."""
    inside = workspace.resolve()
    named = (path for text in _texts(request.input) if (path := _path(text, workspace)) is not None)
    return any(not path.is_relative_to(inside) for path in named)


def _reaches(request: ToolRequest, private: Sequence[Path], workspace: Path) -> bool:
    """Whether a text in the tool's input is a path to something private; for a search, also to a folder around it."""
    named = [path for text in _texts(request.input) if (path := _path(text, workspace)) is not None]
    if any(path.is_relative_to(secret) for path in named for secret in private):
        return True
    if request.tool not in _SEARCHES:
        return False
    folder = request.input.get("path") if isinstance(request.input, dict) else None
    around = _path(folder, workspace) if isinstance(folder, str) and folder else workspace.resolve()
    return around is None or any(secret.is_relative_to(around) for secret in private)


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)


def _path(text: str, workspace: Path) -> Path | None:
    """Where `text` leads as a path, links followed; None if it cannot be one."""
    if len(text) > _MOST_PATH_CHARS or "\0" in text:
        return None
    try:
        return (workspace / Path(text).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError):
        return None
