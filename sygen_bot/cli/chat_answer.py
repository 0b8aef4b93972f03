"""An answer on its way, as Markdown: finished blocks are printed for good, the last one is drawn anew as it grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar, Final

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from sygen_bot.cli.terminal import clean

_RESERVED_LINES: Final = 3
_parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


class _LeftHeading(Heading):
    """A heading where the text is, not in the middle of the screen."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        self.text.stylize("bold")
        yield self.text


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "heading_open": _LeftHeading}


def markdown(text: str) -> Markdown:
    """`text` for the terminal: nothing of it is lost, line ends stay, and links show where they lead."""
    rendered = _Markdown("", hyperlinks=False, code_theme="ansi_dark")
    rendered.parsed = _parser.parse(text)
    for token in rendered.parsed:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"
    return rendered


def finished_length(text: str) -> int:
    """How much of a growing Markdown text will not change any more: all but the last block of its whole lines."""
    whole = text[: text.rfind("\n") + 1]
    blocks = [token.map[0] for token in _parser.parse(whole) if token.level == 0 and token.nesting >= 0 and token.map]
    if len(blocks) < 2:
        return 0
    return sum(map(len, whole.splitlines(keepends=True)[: blocks[-1]]))


class AnswerView:
    """Shows one answer. `refresh` draws it again; whoever owns it calls that often."""

    def __init__(self, console: Console, *, waiting_for: Callable[[], str]) -> None:
        self._console = console
        self._waiting_for = waiting_for
        self._text = ""
        self._label: str | None = None
        self._started = time.monotonic()
        self._spinner = Spinner("dots" if console.encoding.startswith("utf") else "line")
        self._ends_with_line = False
        self._live = self._started_live()

    def step_aside(self) -> None:
        """Leave the end of the screen to somebody else, until `go_on`. No `refresh` meanwhile. What was said stands above."""
        self._live.stop()
        self._print_text(len(self._text))

    def go_on(self) -> None:
        self._live = self._started_live()

    def add_text(self, text: str) -> None:
        self._text += clean(text)
        self._label = None

    def set_label(self, label: str | None) -> None:
        self._label = None if label is None else clean(label)

    def add_line(self, line: str, style: str) -> None:
        """A line of its own, after what has been said so far."""
        self._print_text(len(self._text))
        self._console.print(Text(clean(line), style=style))
        self._ends_with_line = True

    def refresh(self) -> None:
        self._print_text(finished_length(self._text))
        self._live.refresh()

    def close(self) -> None:
        """Leave nothing but the answer."""
        self._live.stop()
        self._print_text(len(self._text))
        if self._ends_with_line:
            self._console.print()

    def _started_live(self) -> Live:
        live = Live(
            self,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start(refresh=True)
        return live

    def _print_text(self, length: int) -> None:
        block, self._text = self._text[:length], self._text[length:]
        if not block.strip():
            return
        for line in self._lines(block, self._console.options):
            self._console.print(line)
        self._console.print()
        self._ends_with_line = False

    def _lines(self, text: str, options: ConsoleOptions) -> list[_Line]:
        """Rendered, without empty lines around it."""
        lines = self._console.render_lines(markdown(text), options.update(height=None), pad=False)
        filled = [number for number, line in enumerate(lines) if "".join(part.text for part in line).strip()]
        return [_Line(line) for line in lines[filled[0] : filled[-1] + 1]] if filled else []

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = max(console.size.height - _RESERVED_LINES, 1)
        yield from self._lines(self._text, options)[-room:]
        row = Table.grid(padding=(0, 1))
        seconds = time.monotonic() - self._started
        words = self._label or self._waiting_for()
        row.add_row(
            self._spinner,
            Text(f"{words} · {seconds:.0f} s · Ctrl-C stops it", style="dim", no_wrap=True, overflow="ellipsis"),
        )
        yield row


class _Line:
    """One rendered line."""

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        yield from self._segments
        yield Segment.line()
