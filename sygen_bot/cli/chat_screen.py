"""The conversation on a real terminal: a line to type in, answers that grow as Markdown, a status line."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.document import Document
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.styled import Styled
from rich.text import Text

from sygen_bot import __version__
from sygen_bot.cli.chat_answer import AnswerView, markdown
from sygen_bot.cli.chat_prompt import make_prompt, type_ahead
from sygen_bot.cli.keys import Keys, Quiet
from sygen_bot.cli.printing import REASONS
from sygen_bot.cli.question import Question, Reply
from sygen_bot.cli.terminal import clean, command_line
from sygen_bot.events import Result, SystemStatus, TextDelta, ToolActivity

if TYPE_CHECKING:
    from sygen_bot.cli.elsewhere import Said
    from sygen_bot.client import AnswerEvent, ApprovalRequest, ConnectionState, Gateway

_FRAME_S: Final = 0.08


class _Paused(Exception):
    """The prompt steps aside for a question."""


class RichScreen:
    """Created on a running event loop."""

    def __init__(self, *, gateway: Gateway, url: str, state: Callable[[], ConnectionState]) -> None:
        self._gateway = gateway
        self._url = url
        self._state = state
        self._console = Console(force_terminal=True, highlight=False)
        self._prompt = make_prompt(gateway, status=self._status)
        self._view: AnswerView | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._quiet = Quiet(sys.stdin.fileno())
        self._quiet.start()  # to the end: in between, keys that mean something to a cooked terminal would be lost
        self._notes: deque[RenderableType] = deque()
        self._model_may_differ = False
        self._is_leaving = False
        self._no_question = asyncio.Event()
        self._no_question.set()
        self._stepped_aside = asyncio.Event()
        self._welcome()

    async def read(self) -> str | None:
        try:
            text = await self._typed()
        except (EOFError, KeyboardInterrupt):
            return None
        finally:
            self._print_notes()
        self._model_may_differ |= text.split()[:1] == ["/model"] and len(text.split()) > 1
        return None if self._is_leaving else text

    async def _typed(self) -> str:
        """What the person says. Questions come in between, and what was typed until then is there again."""
        kept = Document()
        while True:
            await self._no_question.wait()
            if self._is_leaving:
                raise EOFError
            try:
                return await self._prompt.prompt_async(default=kept)
            except _Paused:
                kept = self._prompt.default_buffer.document
                self._print_notes()
                self._stepped_aside.set()
            finally:
                self._prompt.app.erase_when_done = False

    @property
    def can_ask(self) -> bool:
        return True

    async def ask(self, request: ApprovalRequest, *, others: Callable[[], int]) -> Reply:
        self._no_question.clear()
        question = Question(request, console=self._console, keys=Keys(sys.stdin.fileno()), others=others)
        try:
            await self._step_aside()
            return await question.answer()
        finally:
            type_ahead(self._prompt, question.typed_ahead)
            self._no_question.set()
            if self._view is not None:
                self._view.go_on()
                self._drawing = asyncio.create_task(self._draw(self._view))

    async def _step_aside(self) -> None:
        """Take the prompt, or the end of an answer that grows, from the screen."""
        if self._view is not None:
            if self._drawing is not None:
                self._drawing.cancel()
            self._view.step_aside()
        app = self._prompt.app
        if app.is_running and app.future is not None and not app.future.done():
            self._stepped_aside.clear()
            app.erase_when_done = True
            app.exit(exception=_Paused())
            await self._stepped_aside.wait()

    def begin(self) -> None:
        self._view = AnswerView(self._console, waiting_for=self._waiting_for)
        if self._no_question.is_set():
            self._drawing = asyncio.create_task(self._draw(self._view))
        else:
            self._view.step_aside()

    def show(self, event: AnswerEvent) -> None:
        view = self._view
        if view is None:
            return
        match event:
            case TextDelta(text):
                view.add_text(text)
            case ToolActivity(name, phase="start"):
                view.add_line(f"· {name}", "dim")
            case SystemStatus(label):
                view.set_label(label)
            case Result():
                if event.stream_fallback:
                    view.add_text(event.text)
                if event.aborted:
                    view.add_line(REASONS.get(event.reason or "", "The turn was aborted."), "yellow")
            case _:
                pass

    def end(self) -> None:
        if self._drawing is not None:
            self._drawing.cancel()
        if self._view is not None:
            self._view.close()
        self._view = self._drawing = None

    def note(self, sentence: str, *, is_error: bool = False) -> None:
        style = "red" if is_error else "dim"
        if self._view is not None:
            self._view.add_line(sentence, style)
        else:
            self._add(Text(clean(sentence), style=style))

    def past(self, said: Sequence[Said], *, left_out: int) -> None:
        if left_out:
            before = "1 earlier message" if left_out == 1 else f"{left_out} earlier messages"
            self._console.print(Text(before, style="dim italic"), end="\n\n")
        for message in said:
            if message.is_question:
                self._console.print(_question(message.text))
            elif text := clean(message.text).strip("\n"):
                self._console.print(Padding(Styled(markdown(text), "dim"), (0, 0, 1, 0)))
            if message.note:
                self._console.print(Text(clean(message.note), style="dim italic"), end="\n\n")
        self._console.print(Rule("until here: said before", style="dim", align="left"), end="\n\n")

    def message(self, text: str) -> None:
        self._add(_question(text))

    def block(self, text: str) -> None:
        self._add(Padding(markdown(clean(text).strip("\n")), (0, 0, 1, 0)))

    def _add(self, thing: RenderableType) -> None:
        """Print it above whatever is there now: an answer on its way, or the prompt."""
        if self._view is not None:
            self._console.print(thing)
            return
        self._notes.append(thing)
        if self._prompt.app.is_running:
            run_in_terminal(self._print_notes)
            self._prompt.app.invalidate()
        else:
            self._print_notes()

    def leave(self) -> None:
        self._is_leaving = True
        if self._prompt.app.is_running:
            self._prompt.app.exit(exception=EOFError())

    def close(self) -> None:
        self._quiet.stop()

    def _print_notes(self) -> None:
        """Print what came while the prompt was there: above it, or when it has gone."""
        while self._notes:
            self._console.print(self._notes.popleft())

    async def _draw(self, view: AnswerView) -> None:
        while True:
            view.refresh()
            await asyncio.sleep(_FRAME_S)

    def _waiting_for(self) -> str:
        return "working" if self._state() == "connected" else "waiting for the gateway"

    def _status(self) -> str:
        hello = self._gateway.hello
        session = f"chat {hello.chat_id}" + ("" if hello.channel_id is None else f", channel {hello.channel_id}")
        state = {"connected": "connected", "reconnecting": "reconnecting ..."}.get(self._state(), "not connected")
        return f"{self._target()} · {session} · {state}"

    def _target(self) -> str:
        if self._model_may_differ:
            return "/model tells who answers"
        provider, model = self._gateway.hello.active_provider, self._gateway.hello.active_model
        if provider is None:
            return f"nobody can answer: {command_line('doctor')} tells why"
        return provider if model in (None, provider) else f"{provider}/{model}"

    def _welcome(self) -> None:
        self._console.print(
            Text(f"Sygen {__version__}", style="bold").append(f" · {self._target()} · {self._url}", style="dim")
        )
        self._console.print(
            Text("/help lists commands · Alt-Enter: new line · Ctrl-C stops a turn · Ctrl-D leaves", style="dim")
        )
        self._console.print()


def _question(text: str) -> Text:
    """As it looks where it was typed, but quiet."""
    return Text("> " + clean(text).strip("\n").replace("\n", "\n  "), style="dim")
