"""`<file:...>` tags: how an answer says that it comes with a file."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final
from urllib.parse import unquote, urlsplit

from sygen_bot.events import FileRef

_TAG = re.compile(r"<file:([^<>\r\n]{1,4096})>")
_CONTROL = re.compile("[\0-\x1f\x7f]")
_WINDOWS = re.compile(r"(?:[A-Za-z]:[\\/]|\\\\)")
_IMAGES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".avif", ".heic", ".tif", ".tiff", ".svg"}
)


def file_refs(text: str) -> tuple[FileRef, ...]:
    """The files that `text` mentions by tag, in order, without duplicates. Tags without an absolute path are none."""
    if "<" not in text or "<file:" not in text:  # to look for one character costs next to nothing
        return ()
    paths = dict.fromkeys(path for match in _TAG.finditer(text) if (path := _absolute_path(match[1])))
    return tuple(_ref(path) for path in paths)


def _absolute_path(inside: str) -> str | None:
    """The absolute path in a tag: POSIX, Windows (drive or UNC), or a file URI with or without its scheme; quotes fall off."""
    path = inside.strip().strip("\"'").strip()
    if path.startswith("//") or path.lower().startswith("file:"):
        try:
            uri = urlsplit(path if path.lower().startswith("file:") else f"file:{path}")
        except ValueError:  # what follows // is no host
            return None
        path = unquote(uri.path)
        if uri.netloc not in ("", "localhost"):
            path = rf"\\{uri.netloc}" + path.replace("/", "\\")
        elif _WINDOWS.match(path[1:]):
            path = path[1:]
    if _CONTROL.search(path):
        return None
    return path if path.startswith("/") or _WINDOWS.match(path) else None


def _ref(path: str) -> FileRef:
    pure = PureWindowsPath(path) if _WINDOWS.match(path) else PurePosixPath(path)
    return FileRef(path, pure.name or path, pure.suffix.lower() in _IMAGES)
