"""The conversation on a terminal that cannot move its cursor, and in pipes: lines in, text out."""

from __future__ import annotations

import asyncio
import os
import select
import sys
from typing import TYPE_CHECKING, Final

from sygen_bot.cli.printing import AnswerPrinter
from sygen_bot.cli.question_plain import ask_by_line
from sygen_bot.cli.terminal import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sygen_bot.cli.elsewhere import Said
    from sygen_bot.cli.question import Reply
    from sygen_bot.client import AnswerEvent, ApprovalRequest

_CHUNK: Final = 64 * 1024


class PlainScreen:
    """Reads lines from stdin. Answers go to stdout, the rest to stderr."""

    def __init__(self) -> None:
        self._lines = LineReader(sys.stdin.fileno())
        self._printer = AnswerPrinter()
        self._no_question = asyncio.Event()
        self._no_question.set()
        self._reading: asyncio.Future[str | None] | None = None

    async def read(self) -> str | None:
        while True:
            await self._no_question.wait()
            if sys.stdin.isatty():
                sys.stdout.write("> ")
                sys.stdout.flush()
            self._reading = asyncio.ensure_future(self._lines.read())
            try:
                return await self._reading
            except asyncio.CancelledError:
                if self._no_question.is_set():
                    raise
            finally:
                self._reading.cancel()
                self._reading = None

    @property
    def can_ask(self) -> bool:
        return sys.stdin.isatty()

    async def ask(self, request: ApprovalRequest, *, others: Callable[[], int]) -> Reply:  # noqa: ARG002 - it shows soon enough
        self._no_question.clear()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)  # until it has let go of the terminal
            sys.stdout.write("\n")
            sys.stdout.flush()
        before = self._lines.set_aside()
        try:
            return await ask_by_line(request, say=self.note, read=self._lines.read)
        finally:
            self._lines.give_back(before)
            self._no_question.set()

    def begin(self) -> None:
        self._printer = AnswerPrinter()

    def show(self, event: AnswerEvent) -> None:
        self._printer.show(event)

    def end(self) -> None:
        self._printer.end()

    def note(self, sentence: str, *, is_error: bool = False) -> None:  # noqa: ARG002 - looks the same here
        self._printer.end()
        self._printer.explain(clean(sentence))

    def past(self, said: Sequence[Said], *, left_out: int) -> None:  # noqa: ARG002 - there is always more to tell
        for message in said:
            if message.is_question:
                self.message(message.text)
            else:
                self.block("\n".join(part for part in (message.text, message.note) if part))
        self.block("--- until here: said before ---")

    def message(self, text: str) -> None:
        if sys.stdin.isatty():  # a program that pipes its questions in wants their answers and nothing else
            self.note(f"> {text}")

    def block(self, text: str) -> None:
        if sys.stdin.isatty():
            self.note(text.strip("\n"))

    def leave(self) -> None:
        self._lines.close()

    def close(self) -> None:
        pass


class LineReader:
    """Lines from a file descriptor, without a thread that could not be stopped."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""
        self._at_end = False
        self._changed = asyncio.Event()

    async def read(self) -> str | None:
        """The next line without its end; None if there is no more."""
        while b"\n" not in self._buffer and not self._at_end:
            await self._readable()
        if not self._buffer:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace").removesuffix("\r")

    def set_aside(self) -> bytes:
        """All that was typed until now, for `give_back`: what is read next comes after that."""
        while select.select([self._descriptor], [], [], 0)[0] and not self._at_end:
            self._take()
        before, self._buffer = self._buffer, b""
        return before

    def give_back(self, before: bytes) -> None:
        self._buffer = before + self._buffer

    def close(self) -> None:
        """There is no more."""
        self._at_end, self._buffer = True, b""
        self._changed.set()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(self._descriptor, self._take)
        except OSError:  # a file: it never blocks
            self._take()
            return
        try:
            self._changed.clear()
            await self._changed.wait()
        finally:
            loop.remove_reader(self._descriptor)

    def _take(self) -> None:
        try:
            chunk = os.read(self._descriptor, _CHUNK)
        except OSError:
            chunk = b""
        self._buffer += chunk
        self._at_end = self._at_end or not chunk
        self._changed.set()
