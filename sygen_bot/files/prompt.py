"""The words that tell an agent about a file that came in."""

from __future__ import annotations

from pathlib import Path

from sygen_bot.files.mime import kind_of
from sygen_bot.session.text import one_line


def incoming_file_prompt(path: Path, *, workspace: Path, mime: str, caption: str = "") -> str:
    """Text for a message. The path is relative to `workspace`, where the agent works; absolute if the file is elsewhere."""
    shown = path.relative_to(workspace) if path.is_relative_to(workspace) else path
    lines = [
        "[INCOMING FILE] A file was sent to you.",
        f"Name: {one_line(path.name)}",
        f"Path: {one_line(shown.as_posix())}",
        f"Type: {mime} ({kind_of(mime)})",
    ]
    if caption.strip():
        lines.append(f"Caption: {caption.strip()}")
    return "\n".join(lines)
