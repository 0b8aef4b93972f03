"""The line a person types in: history, completion of commands and names, keys, the status below."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.styles import Style

from sygen_bot.cli.approver import APPROVE
from sygen_bot.cli.conversation import QUIT, SEND
from sygen_bot.orchestrator.commands import COMMANDS
from sygen_bot.paths import Paths

if TYPE_CHECKING:
    from sygen_bot.client import Gateway

_OWN = (
    (SEND, "shows the agent a file"),
    (APPROVE, "answers what agents ask, in other conversations too"),
    (QUIT[0], "leaves"),
)
_STYLE = Style.from_dict({"prompt": "bold ansicyan", "bottom-toolbar": "noreverse fg:ansibrightblack"})


def make_prompt(gateway: Gateway, *, status: Callable[[], str]) -> PromptSession[str]:
    """The prompt of a conversation. `status`: the line below it."""
    return PromptSession(
        FormattedText([("class:prompt", "> ")]),
        multiline=True,
        prompt_continuation="  ",
        history=_history(Paths.from_environment().chat_history),
        completer=NameCompleter(gateway),
        complete_while_typing=False,
        key_bindings=_keys(),
        bottom_toolbar=lambda: FormattedText([("class:bottom-toolbar", status())]),
        style=_STYLE,
        mouse_support=False,
        input=_SteadyInput(sys.stdin),
        reserve_space_for_menu=4,
    )


def type_ahead(prompt: PromptSession[str], keys: str) -> None:
    """Have the prompt take `keys` when it is there the next time."""
    presses: list[KeyPress] = []
    parser = Vt100Parser(presses.append)
    parser.feed(keys)
    parser.flush()
    store_typeahead(prompt.app.input, presses)


class _SteadyInput(Vt100Input):
    """Keys of a terminal that stays as the prompt has it while something is printed above.

    A cooked terminal, if only for an instant, takes Ctrl-D for the end of a line: the prompt would never see it.
    """

    def cooked_mode(self) -> AbstractContextManager[None]:
        return nullcontext()


class NameCompleter(Completer):
    """Completes /commands, and the names of providers and models after `@` and `/model`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        typed = document.text_before_cursor
        if typed.startswith("/model "):
            names = [("default", "whom the gateway chooses"), *self._names()]
            yield from _matching(typed.removeprefix("/model "), names)
        elif typed.startswith(f"{SEND} ") and not set(named := typed.removeprefix(f"{SEND} ")) & set(" \"'\n"):
            paths = PathCompleter(expanduser=True)  # of names that need no quotes
            yield from (one for one in paths.get_completions(Document(named), complete_event) if " " not in one.text)
        elif " " in typed or "\n" in typed:
            return
        elif typed.startswith("/"):
            commands = [(name, command.summary) for name, command in COMMANDS.items()]
            yield from _matching(typed, [*commands, *_OWN])
        elif typed.startswith("@"):
            yield from _matching(typed, [(f"@{name}", what) for name, what in self._names()])

    def _names(self) -> Iterator[tuple[str, str]]:
        for card in self._gateway.hello.providers:
            yield card.id, card.name
            yield from ((model, f"model of {card.name}") for model in card.models if model != card.id)


def _matching(typed: str, names: Iterable[tuple[str, str]]) -> Iterator[Completion]:
    for name, meaning in names:
        if name.lower().startswith(typed.lower()):
            yield Completion(name, start_position=-len(typed), display_meta=meaning)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        if event.current_buffer.text.strip():
            event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def clear_or_leave(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    return keys


def _history(file: Path) -> History:
    """What was typed before, in a file of mode 0600; for this time only, if there can be no such file."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        file.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(file)
