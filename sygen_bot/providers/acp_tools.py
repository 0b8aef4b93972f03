"""Uses of tools as an ACP agent describes them: a name and an input for people and policies, and what came of them. No I/O but paths."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

_NAMES: Final = {
    "read": "Read",
    "edit": "Edit",
    "delete": "Delete",
    "move": "Move",
    "search": "Search",
    "execute": "Bash",
    "think": "Think",
    "fetch": "Fetch",
    "switch_mode": "SwitchMode",
}
_KNOWN_NAMES: Final = frozenset({*_NAMES.values(), "Write"})
_TELLING: Final = frozenset({"command", "cmd", "file_path", "path", "url", "query", "pattern"})
_HARMLESS: Final = frozenset({"read", "search", "think"})
_MAX_NAME_CHARS: Final = 60
_PLACE: Final = re.compile(r"\[current working directory [^\]]*\](?: \((?P<description>.*)\))?", re.DOTALL)
"""What Gemini CLI says of a command beside its text, where it runs in the workspace and in the foreground."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One use, as far as the agent has described it."""

    id: str
    kind: str = "other"
    title: str = ""
    given: Any = None  # JSON
    content: tuple[Mapping[str, Any], ...] = ()
    paths: tuple[str, ...] = ()
    result: Any = None  # JSON
    status: str = "pending"

    @classmethod
    def of(cls, update: Mapping[str, Any]) -> Self:
        """From a `tool_call`, a `tool_call_update`, or the `toolCall` of a permission request. Raises KeyError without an id."""
        return cls(str(update["toolCallId"])).with_update(update)

    def with_update(self, update: Mapping[str, Any]) -> Self:
        """This use with what `update` says anew; what has another shape than it should is passed over."""
        changes: dict[str, Any] = {}
        for field, key in (("kind", "kind"), ("title", "title"), ("status", "status")):
            if isinstance(value := update.get(key), str) and value:
                changes[field] = value
        if (given := update.get("rawInput")) not in (None, {}):
            changes["given"] = given
        if update.get("rawOutput") is not None:
            changes["result"] = update["rawOutput"]
        if content := _objects(update.get("content")):
            changes["content"] = content
        paths = (location.get("path") for location in _objects(update.get("locations")))
        if found := tuple(path for path in paths if isinstance(path, str) and path):
            changes["paths"] = found
        return replace(self, **changes)

    @property
    def name(self) -> str:
        """For people and policies. What is of no known kind is called what the agent calls it, input and all."""
        if self.kind == "edit" and any(not diff.get("oldText") for diff in self._diffs()):
            return "Write"
        title = " ".join(self.title.split())[:_MAX_NAME_CHARS]
        # What only calls itself by the name of a known kind is not mistaken for it.
        return _NAMES.get(self.kind) or (title if title and title not in _KNOWN_NAMES else "Tool")

    @property
    def input(self) -> object:
        """What the agent says that the tool gets; where it does not, what can be told from the rest."""
        if self.given is not None:
            return self.given
        if self.kind == "execute" and self.title:
            return {"command": self.title, **self._circumstances()}
        for diff in self._diffs():
            if isinstance(path := diff.get("path"), str):
                return {"file_path": path, "old_text": diff.get("oldText") or "", "new_text": diff.get("newText") or ""}
        if len(self.paths) == 1:
            return {"file_path": self.paths[0], "title": self.title}
        return {"title": self.title, "paths": list(self.paths)} if self.paths else {"title": self.title}

    @property
    def asked_input(self) -> object:
        """The input for whoever decides: with the title, where the input alone would not tell one tool from another."""
        if isinstance(self.given, dict) and not self.given.keys() & _TELLING:
            return {"title": self.title, **self.given}
        return self.input

    @property
    def output(self) -> str:
        parts = [text for block in self.content if (text := _text_of(block))]
        if not parts and self.result is not None:
            parts = [self.result if isinstance(self.result, str) else json.dumps(self.result, ensure_ascii=False)]
        return "\n".join(parts)

    @property
    def is_over(self) -> bool:
        return self.status in ("completed", "failed")

    @property
    def has_failed(self) -> bool:
        return self.status == "failed"

    def is_read_only(self, workspace: Path) -> bool:
        """Whether it certainly changes nothing and sends nothing out: it looks at files of the workspace, and names them."""
        return self.kind in _HARMLESS and bool(self.paths) and all(is_within(path, workspace) for path in self.paths)

    def _diffs(self) -> Iterator[Mapping[str, Any]]:
        return (block for block in self.content if block.get("type") == "diff")

    def _circumstances(self) -> dict[str, str]:
        """What is said of a command beside its text. A description makes no difference to it; another directory does."""
        said = "\n".join(text for block in self.content if (text := _text_of(block)))
        place = _PLACE.fullmatch(said)
        if place is None:
            return {"details": said} if said else {}
        return {"description": place["description"]} if place["description"] else {}


def is_within(path: str, workspace: Path) -> bool:
    """Whether `path`, seen from the workspace and with all links followed, is in it."""
    try:
        return (workspace / path).resolve().is_relative_to(workspace.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _objects(value: object) -> tuple[Mapping[str, Any], ...]:
    return tuple(each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _text_of(block: Mapping[str, Any]) -> str:
    match block:
        case {"type": "content", "content": {"type": "text", "text": str(text)}}:
            return text
        case {"type": "content", "content": {"type": str(kind)}}:
            return f"[{kind}]"
        case {"type": "diff", "path": str(path)}:
            return f"{path} was changed."
        case _:
            return ""
