"""Names for files that come from outside: readable, and nothing but a name on every system."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath
from typing import Final

MAX_NAME_BYTES: Final = 200
_MAX_SUFFIX_BYTES: Final = 20
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe_name(name: str, *, default: str = "file") -> str:
    """The last part of `name` as a file name of at most `MAX_NAME_BYTES`.

    What is invisible, turns the direction of writing or looks like a separator goes; it begins neither with a dot nor with a dash.
    """
    from pathvalidate import sanitize_filename

    visible = "".join(_plain(character) for character in unicodedata.normalize("NFC", name))
    last = visible.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    short = _shortened(" ".join(last.split()).lstrip("-. "))
    clean = sanitize_filename(short, platform="universal").lstrip("-. ").rstrip(". ")
    return clean if clean.strip("_") else default


def _plain(character: str) -> str:
    if character in "/\\":
        return character
    if unicodedata.category(character) in _INVISIBLE:
        return ""
    alike = unicodedata.normalize("NFKC", character)
    return (
        "_"
        if any(mark in alike for mark in '/\\:*?"<>|') or character in "\u2044\u2215\u29f8\u29f9\u2216"
        else character
    )


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > _MAX_SUFFIX_BYTES:
        suffix = ""
    stem = name.removesuffix(suffix).encode()[: MAX_NAME_BYTES - len(suffix.encode())]
    return stem.decode("utf-8", "ignore").rstrip(". ") + suffix
