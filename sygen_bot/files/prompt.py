"""The words that tell an agent about a file that came in, and the files that such words name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from sygen_bot.files.mime import HEAD_BYTES, kind_of, media_type
from sygen_bot.session.text import one_line

INCOMING: Final = "[INCOMING FILE]"
MOST_FILES: Final = 16
"""How many files of one message are handed to the agent as such; the words name the others too."""
_PATH: Final = re.compile(re.escape(INCOMING) + r"[^\n]*\nName: [^\n]*\nPath: ([^\n]{1,4096})")
_BLOCKS: Final = re.compile(
    rf"{re.escape(INCOMING)}[^\n]*\nName: ([^\n]*)\nPath: [^\n]*\nType: [^\n]*(?:\nCaption: [^\n]*)?\n*"
    rf"(?:{re.escape(INCOMING)}[^\n]*\nName: [^\n]*\nPath: [^\n]*\nType: [^\n]*(?:\nCaption: [^\n]*)?\n*)*"
)


def incoming_file_prompt(path: Path, *, workspace: Path, mime: str, caption: str = "") -> str:
    """Text for a message. The path is relative to `workspace`, where the agent works; absolute if the file is elsewhere."""
    shown = path.relative_to(workspace) if path.is_relative_to(workspace) else path
    lines = [
        f"{INCOMING} A file was sent to you.",
        f"Name: {one_line(path.name)}",
        f"Path: {one_line(shown.as_posix())}",
        f"Type: {mime} ({kind_of(mime)})",
    ]
    if caption.strip():
        lines.append(f"Caption: {caption.strip()}")
    return "\n".join(lines)


def own_words(text: str) -> str:
    """What a person wrote behind such words, or the name of the first file if that is all."""
    found = _BLOCKS.match(text)
    return text if found is None else text[found.end() :].strip() or found[1]


def incoming_files(text: str, *, uploads: Path, workspace: Path) -> list[tuple[Path, str]]:
    """The files that `text` names in such words, with their MIME types: only what lies in `uploads`, whatever the text says."""
    folder = uploads.resolve()
    found: dict[Path, str] = {}
    for match in _PATH.finditer(text):
        try:
            path = (workspace / match[1]).resolve()
            if path.is_relative_to(folder) and path.is_file() and path not in found:
                with path.open("rb") as file:
                    found[path] = media_type(file.read(HEAD_BYTES), path.name)
        except (OSError, ValueError, RuntimeError):
            continue
        if len(found) == MOST_FILES:
            break
    return list(found.items())
