"""A QR code on a terminal: black on white in half blocks, whatever the colours of the terminal are."""

from __future__ import annotations

import shutil
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from sygen_bot.cli.terminal import is_smart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

_BLOCKS: Final = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
_BLACK_ON_WHITE: Final = "\x1b[38;5;16;48;5;231m"  # of the 256 colours, which no theme changes
_RESET: Final = "\x1b[0m"
_BORDER: Final = 2  # half of what the standard asks for: readers are content, and it fits into 24 lines
_INDENT: Final = "  "


def qr_code(text: str, stream: TextIO) -> str | None:
    """The lines of a code that holds `text`; None where `stream` cannot show it."""
    import segno

    if not is_smart(stream) or not _can_encode(stream):
        return None
    rows = [list(row) for row in segno.make_qr(text, error="l").matrix_iter(border=_BORDER)]
    terminal = shutil.get_terminal_size()
    if len(rows[0]) + len(_INDENT) > terminal.columns or (len(rows) + 1) // 2 > terminal.lines:
        return None
    return "\n".join(_line(upper, lower) for upper, lower in zip_longest(rows[::2], rows[1::2]))


def _line(upper: Sequence[int], lower: Sequence[int] | None) -> str:
    below = [0] * len(upper) if lower is None else lower
    blocks = (_BLOCKS[bool(above), bool(under)] for above, under in zip(upper, below, strict=True))
    return f"{_INDENT}{_BLACK_ON_WHITE}{''.join(blocks)}{_RESET}"


def _can_encode(stream: TextIO) -> bool:
    try:
        "▀▄█".encode(stream.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
