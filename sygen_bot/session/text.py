"""Text that can be kept and told everywhere."""

from __future__ import annotations

import re
from typing import Final

_UNSPEAKABLE: Final = re.compile("[\0\ud800-\udfff]")


_CONTROLS: Final = re.compile("[\0-\x1f\x7f-\x9f]")


def one_line(text: str) -> str:
    """`text` for a title: without line breaks and other control characters, and with single spaces."""
    return " ".join(_CONTROLS.sub(" ", speakable(text)).split())


def speakable(text: str) -> str:
    """`text` with U+FFFD for what neither UTF-8 nor every database can hold: U+0000 and lone surrogates."""
    return text if text.isascii() and "\0" not in text else _UNSPEAKABLE.sub("\ufffd", text)
