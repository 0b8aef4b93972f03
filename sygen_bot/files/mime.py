"""What a file is: by its first bytes, and only where these say nothing by its extension."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import Final, Literal

Kind = Literal["photo", "audio", "video", "document"]

HEAD_BYTES: Final = 8192
"""How much of a file's beginning `media_type` wants to see."""
UNKNOWN: Final = "application/octet-stream"

_BY_EXTENSION: Final = mimetypes.MimeTypes(filenames=())  # the same on every machine, whatever it has in /etc
for _extension, _type in {
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".heic": "image/heic",
    ".m4a": "audio/mp4",
    ".md": "text/markdown",
    ".mkv": "video/x-matroska",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".toml": "application/toml",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}.items():
    _BY_EXTENSION.add_type(_type, _extension)


def media_type(head: bytes, name: str) -> str:
    """The MIME type of a file that begins with `head` and is called `name`."""
    import filetype  # slow to load, and many gateways never see a file

    found = filetype.guess(head[:HEAD_BYTES])
    if found is not None and not (found.mime == "image/bmp" and not _is_bitmap(head)):
        return str(found.mime)
    by_name, encoding = _BY_EXTENSION.guess_type("file" + PurePosixPath(name).suffix)
    if by_name is None or encoding is not None:
        return UNKNOWN
    return by_name


def kind_of(mime: str) -> Kind:
    """The class of a MIME type. SVG is a document: it can hold programs."""
    family = mime.partition("/")[0]
    if family == "image" and mime != "image/svg+xml":
        return "photo"
    if family in ("audio", "video"):
        return "audio" if family == "audio" else "video"
    return "document"


def _is_bitmap(head: bytes) -> bool:
    """Two letters make no picture: text may begin with them, too."""
    return len(head) > 10 and head[6:10] == b"\0\0\0\0"
