"""Values that agents hand over, such as a tool's input, made fit to be kept and told."""

from __future__ import annotations

from typing import Final

import msgspec

from sygen_bot.session.text import speakable

MAX_NESTING: Final = 32
"""A value that nests deeper is kept as text: inside an event everybody has to be able to read it."""


def kept_json(value: object, max_bytes: int) -> tuple[object, bool]:
    """The value as it is kept, and whether it was cut: then, and where JSON has no form for it, it is text."""
    try:
        text = msgspec.json.encode(value, enc_hook=str).decode()
        kept = msgspec.json.decode(text)
    except (UnicodeError, TypeError, ValueError, RecursionError):
        return cut(speakable(_shown(value)), max_bytes)
    if len(text.encode()) > max_bytes or _is_deep(kept):
        return cut(speakable(text), max_bytes)
    return (_without_nul(kept) if "\\u0000" in text else kept), False


def cut(text: str, max_bytes: int) -> tuple[str, bool]:
    """The beginning of `text` that UTF-8 has room for, and whether that is not all."""
    raw = text.encode()
    return (raw[:max_bytes].decode("utf-8", "ignore"), True) if len(raw) > max_bytes else (text, False)


def _shown(value: object) -> str:
    try:
        return repr(value)
    except (RecursionError, ValueError):
        return "(too deep to show)"


def _is_deep(value: object) -> bool:
    """Whether lists and objects nest over `MAX_NESTING` levels."""
    level = [value]
    for _ in range(MAX_NESTING):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return any(isinstance(item, dict | list) for item in level)


def _without_nul(value: object) -> object:
    match value:
        case str():
            return speakable(value)
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {speakable(name): _without_nul(item) for name, item in value.items()}
        case _:
            return value
