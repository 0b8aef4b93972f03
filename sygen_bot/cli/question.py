"""The question whether an agent may use a tool, on a terminal: a box with its keys below, gone when it has its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from sygen_bot.cli.approval_words import input_lines, pattern_of, subject, time_left
from sygen_bot.cli.keys import Keys
from sygen_bot.cli.terminal import clean, visible
from sygen_bot.events import ApprovalDecision, ApprovalRequest

Reply = ApprovalDecision | Literal["stop"] | None
"""`stop`: the person stops the turn. None: nobody is there to answer."""

_QUIET_S: Final = 0.4
"""Keys count only after a pause this long: what is typed when a question comes up is not meant for it."""
_TICK_S: Final = 1.0
_LONGEST: Final = 14
_AROUND: Final = 8
"""Lines of the screen that are left to the frame and to what was there before."""
_CTRL_C: Final = "\x03"


class Question:
    """One question. `typed_ahead`: what was typed before it took keys. `others`: how many wait behind it."""

    def __init__(self, request: ApprovalRequest, *, console: Console, keys: Keys, others: Callable[[], int]) -> None:
        self.typed_ahead = ""
        self._request = request
        self._console = console
        self._keys = keys
        self._others = others
        self._is_open = False
        self._is_cut = False
        self._pattern: str | None = None
        """What a rule would hold for, once the person wants one."""

    async def answer(self) -> Reply:
        """Ask until there is an answer. To cancel this takes the question away."""
        live = Live(
            self,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with self._keys:
            live.start(refresh=True)
            try:
                while (typed := await self._keys.next(_QUIET_S)) is not None:
                    if _CTRL_C in typed:
                        return "stop"
                    self.typed_ahead += typed
                self._is_open = True
                while True:
                    live.refresh()
                    reply = self._reply(await self._keys.next(_TICK_S))
                    if reply is not None:
                        return reply
            except EOFError:
                return None
            finally:
                live.stop()

    def _reply(self, key: str | None) -> Reply:
        """What a key means. Several at once were pasted, or are one key that means nothing here."""
        if key == _CTRL_C:
            return "stop"
        if self._pattern is not None:
            if key in ("y", "Y"):
                return "allow_always"
            if key is not None:
                self._pattern = None
        elif key in ("y", "Y"):
            return "allow_once"
        elif key in ("n", "N"):
            return "deny"
        elif key in ("a", "A") and "allow_always" in self._request.options:
            self._pattern = pattern_of(self._request)
        elif key in ("v", "V"):
            self._show_all()
        return None

    def _show_all(self) -> None:
        """Print all of it above the question, where the terminal keeps it."""
        request = self._request
        lines = [subject(request.tool, request.summary), *input_lines(request)]
        if request.truncated:
            lines.append("(The gateway has cut it here.)")
        self._console.print(Text("\n".join(clean(line) for line in lines), style="dim"), end="\n\n")

    # --- drawing ------------------------------------------------------------------------------------------------------

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        request = self._request
        title = Text(
            f" {visible(request.agent)} asks: {visible(request.tool)} ", style="bold yellow", overflow="ellipsis"
        )
        parts = self._use(options) if self._pattern is None else self._rule(self._pattern, options)
        yield Panel(Group(*parts), title=title, title_align="left", border_style="yellow")
        yield Text(f"  {self._hint()}" if self._is_open else "  ...", style="bold", no_wrap=True, overflow="ellipsis")

    def _use(self, options: ConsoleOptions) -> list[Text]:
        request = self._request
        summary = Text(" ".join(visible(request.summary).split()), style="bold", overflow="fold")
        lines = input_lines(request)
        shown, left_out = self._fitting("\n".join(lines), options)
        self._is_cut = bool(left_out) or request.truncated
        parts = [summary, Text(), Text(shown, overflow="fold")] if lines else [summary]
        if left_out:
            parts.append(Text(f"... {left_out} more lines: v shows them", style="dim"))
        return parts

    def _rule(self, pattern: str, options: ConsoleOptions) -> list[Text]:
        request = self._request
        shown, left_out = self._fitting(pattern, options)
        parts = [
            Text(
                f"From now on {visible(request.agent)} may use {visible(request.tool)} without asking, for exactly this:"
            ),
            Text(),
            Text(shown, style="bold", overflow="fold"),
        ]
        if left_out:
            parts.append(Text(f"... {left_out} more lines", style="dim"))
        return parts

    def _fitting(self, text: str, options: ConsoleOptions) -> tuple[str, int]:
        """As much of a text as there is room for, and how many lines are left out."""
        room = max(min(_LONGEST, self._console.size.height - _AROUND), 3)
        wrapped = Text(clean(text)).wrap(self._console, max(options.max_width - 4, 1), overflow="fold")
        kept = wrapped if len(wrapped) <= room else wrapped[: room - 1]
        return "\n".join(line.plain for line in kept), len(wrapped) - len(kept)

    def _hint(self) -> str:
        if self._pattern is not None:
            return "[y] yes, always  [n] back"
        keys = ["[y] once", "[a] always", "[n] no"]
        if "allow_always" not in self._request.options:
            del keys[1]
        if self._is_cut:
            keys.append("[v] all of it")
        facts = ["  ".join(keys), f"{time_left(self._request.expires_at)} left"]
        if others := self._others():
            facts.append("1 more waits" if others == 1 else f"{others} more wait")
        return " · ".join(facts)
