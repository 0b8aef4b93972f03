"""Prints an answer as it comes: text to stdout, everything else to stderr if that is a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from sygen_bot.api.protocol import encode_approval, encode_error, encode_event
from sygen_bot.cli.terminal import clean, dim, is_smart
from sygen_bot.events import Result, SystemStatus, TextDelta, ThinkingDelta, ToolActivity

if TYPE_CHECKING:
    from sygen_bot.client import AnswerEvent, ApprovalNews

REASONS: Final = {
    "abort": "The turn was aborted.",
    "interrupted": "The turn was interrupted.",
    "shutdown": "The gateway stopped before the turn had ended.",
    "timeout": "The turn took longer than its provider may take, and was stopped.",
    "answer_too_large": "The answer grew larger than the gateway allows, and was cut off.",
}


class AnswerPrinter:
    """Text for people and pipes."""

    def __init__(self) -> None:
        self.was_aborted = False
        self.explains_aborts = True
        self._out_is_terminal = sys.stdout.isatty()
        self._err_is_terminal = sys.stderr.isatty()
        self._at_line_start = True
        self._status_shown = False

    def begin(self) -> None:
        """The question is on its way."""
        self._status("waiting for the answer")

    def show(self, event: AnswerEvent) -> None:
        match event:
            case TextDelta(text):
                self._say(text)
            case ToolActivity(name, phase="start"):
                self._note(f"· {clean(name)}")
            case SystemStatus(label):
                self._status(label)
            case Result():
                if event.stream_fallback:
                    self._say(event.text)
                self.was_aborted = event.aborted
                if event.aborted:
                    self.end()
                    if event.reason != "abort" or self.explains_aborts:
                        self.explain(REASONS.get(event.reason or "", "The turn was aborted."))
            case _:
                pass

    def end(self) -> None:
        """The answer is over: end its last line."""
        self._clear_status()
        if not self._at_line_start:
            self._write("\n")

    def make_room(self) -> None:
        """Something else is shown next, on stderr: what was said so far ends with its line, if they share a screen."""
        self._clear_status()
        if self._out_is_terminal and not self._at_line_start:
            self._write("\n")

    def approval(self, news: ApprovalNews) -> None:
        """Somebody is asked about a tool, or has answered. For people it is shown elsewhere."""

    def explain(self, sentence: str) -> None:
        """Say something about the answer on stderr."""
        self._clear_status()
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()

    def fail(self, code: str, sentence: str) -> None:  # noqa: ARG002 - for printers that show it
        """The answer will not come."""
        self.end()
        self.explain(clean(sentence))

    def _say(self, text: str) -> None:
        if not text:
            return
        self._clear_status()
        self._write(clean(text) if self._out_is_terminal else text)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        if text:
            self._at_line_start = text.endswith("\n")

    def _note(self, text: str) -> None:
        if not self._err_is_terminal:
            return
        self.make_room()
        sys.stderr.write(f"{dim(text, sys.stderr)}\n")
        sys.stderr.flush()

    def _status(self, label: str | None) -> None:
        """A line that the next output replaces."""
        self._clear_status()
        if label and self._at_line_start and is_smart(sys.stderr):
            sys.stderr.write(dim(f"{clean(label)} ...", sys.stderr))
            sys.stderr.flush()
            self._status_shown = True

    def _clear_status(self) -> None:
        if self._status_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._status_shown = False


class JsonPrinter(AnswerPrinter):
    """One JSON event a line, as the protocol has them."""

    def begin(self) -> None:
        pass

    def show(self, event: AnswerEvent) -> None:
        if isinstance(event, Result):
            self.was_aborted = event.aborted
        if not isinstance(event, ThinkingDelta) and (line := encode_event(event)) is not None:
            self._line(line)

    def approval(self, news: ApprovalNews) -> None:
        self._line(encode_approval(news))

    def end(self) -> None:
        pass

    def fail(self, code: str, sentence: str) -> None:
        self._line(encode_error(code, sentence))

    def _line(self, line: bytes) -> None:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
