"""Where a command that prints an answer asks its person: on stderr, with keys from the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sygen_bot.cli.terminal import clean, is_smart

if TYPE_CHECKING:
    from sygen_bot.cli.printing import AnswerPrinter
    from sygen_bot.cli.question import Reply
    from sygen_bot.client import ApprovalRequest


class TerminalAsker:
    """Somebody is there if stderr is a terminal that this process may read, even if the question came through a pipe."""

    def __init__(self, printer: AnswerPrinter) -> None:
        self._printer = printer
        self._keyboard = _keyboard() if sys.stderr.isatty() else None

    @property
    def can_ask(self) -> bool:
        return self._keyboard is not None

    async def ask(self, request: ApprovalRequest, *, others: Callable[[], int]) -> Reply:
        if self._keyboard is None:
            return None
        self._printer.make_room()
        if not is_smart(sys.stderr):
            from sygen_bot.cli.chat_plain import LineReader
            from sygen_bot.cli.question_plain import ask_by_line

            return await ask_by_line(request, say=self.note, read=LineReader(self._keyboard).read)
        from rich.console import Console

        from sygen_bot.cli.keys import Keys
        from sygen_bot.cli.question import Question

        console = Console(stderr=True, force_terminal=True, highlight=False)
        return await Question(request, console=console, keys=Keys(self._keyboard), others=others).answer()

    def note(self, sentence: str, *, is_error: bool = False) -> None:  # noqa: ARG002 - looks the same here
        self._printer.make_room()
        self._printer.explain(clean(sentence))

    def close(self) -> None:
        if self._keyboard is not None:
            os.close(self._keyboard)
            self._keyboard = None


def _keyboard() -> int | None:
    """The terminal of this process, if it is in the foreground there."""
    with suppress(OSError):
        descriptor = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        if os.tcgetpgrp(descriptor) == os.getpgrp():
            return descriptor
        os.close(descriptor)
    return None
