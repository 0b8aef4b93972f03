"""What a terminal can show, and keeping what agents say from steering it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final, TextIO

# Control characters but tab and newline: printed raw, they would move the cursor, change titles or the clipboard.
_CONTROLS: Final = dict.fromkeys((*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0)))

_NAMED: Final = re.compile("`sygen ([^`]+)`")


def clean(text: str) -> str:
    """`text` without control characters, safe to print on a terminal."""
    return text.translate(_CONTROLS)


def visible(text: str) -> str:
    """`text` in which nothing is hidden or turned around: characters that cannot be seen are shown by their numbers.

    For what somebody decides by: `clean` would leave them out.
    """
    return "".join(
        character if character.isprintable() or character in "\n\t" else f"<U+{ord(character):04X}>"
        for character in text
    )


def is_smart(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "")


def dim(text: str, stream: TextIO) -> str:
    """`text` in a quiet colour, where `stream` shows colours."""
    return f"\x1b[2m{text}\x1b[0m" if is_smart(stream) and "NO_COLOR" not in os.environ else text


def command_line(*arguments: str) -> str:
    """What to type for `sygen ARGUMENTS` from here: as it was typed for this process, with the SYGEN_HOME of this process."""
    home = os.environ.get("SYGEN_HOME")
    words = [program(), *(shlex.quote(argument) for argument in arguments)]
    return " ".join([f"SYGEN_HOME={shlex.quote(home)}", *words] if home else words)


def as_typed(advice: str) -> str:
    """`advice` from a part that knows nothing of this command line: its `sygen ...` as it has to be typed from here."""
    return _NAMED.sub(lambda named: f"`{command_line(*named[1].split())}`", advice)


def program() -> str:
    """How `sygen` was typed for this process."""
    typed = sys.argv[0]
    if Path(typed).name == "__main__.py":
        return "python -m sygen_bot"
    on_path = shutil.which("sygen")
    if on_path is not None and Path(on_path).resolve() == Path(typed).resolve():
        return "sygen"
    return shlex.quote(typed) if Path(typed).name == "sygen" else "sygen"
