"""`sygen ask`: one question, its answer on stdout, and an exit code that says how it ended."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sygen_bot.cli.connection import (
    NO_CONNECTION,
    USAGE,
    ChannelOption,
    ChatOption,
    NoGateway,
    ServerKeyOption,
    TokenOption,
    UrlOption,
    find_gateway,
)
from sygen_bot.cli.terminal import command_line, program

if TYPE_CHECKING:
    from sygen_bot.client import ApprovalDecision

EPILOG: Final = f"""\b
Exit codes:
  0    answered
  1    the turn failed, or the message was refused
  2    wrong usage or configuration
  3    the turn was aborted: by somebody, by --timeout, or because the gateway stopped
  4    no connection, not let in, or the connection was lost
  130  Ctrl-C; the turn is aborted first

\b
Examples:
  {program()} ask "what is a monad?"
  git diff | {program()} ask "review this"
  {program()} ask - < question.txt
  {program()} ask --yes "run the tests and tell me what fails"
  {program()} ask --json "hello" | jq -r 'select(.type == "result").text'
"""


def _positive(value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter("it is a number of seconds above 0")
    return value


def ask(
    text: Annotated[list[str] | None, typer.Argument(help="The question. `-` stands for standard input.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON event a line.")] = False,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", callback=_positive, help="Abort the turn if it takes longer.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Allow every use of a tool that the agent asks about for this question.")
    ] = False,
    no: Annotated[bool, typer.Option("--no", help="Deny them all.")] = False,
    chat_id: ChatOption = None,
    channel_id: ChannelOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Ask one question. What comes on standard input is added to it.

    The answer streams to standard output. Tool activity and status go to standard error, if that is a terminal; there you are asked
    what the agent may do, too. Elsewhere it waits for another device.
    """
    if yes and no:
        raise typer.BadParameter("--yes and --no are one too many")
    question = _question(text or [])
    try:
        endpoint = find_gateway(url, token, server_key)
    except NoGateway as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_CONNECTION) from error
    import asyncio

    from sygen_bot.cli.asking import ask_once
    from sygen_bot.cli.printing import AnswerPrinter, JsonPrinter

    printer = JsonPrinter() if as_json else AnswerPrinter()
    chat = (chat_id, channel_id)
    tools: ApprovalDecision | None = "allow_once" if yes else "deny" if no else None
    raise typer.Exit(asyncio.run(ask_once(endpoint, question, printer, timeout_s=timeout, chat=chat, tools=tools)))


def _question(words: list[str]) -> str:
    """The words, and what comes on standard input: in the place of `-`, else after them."""
    takes_input = "-" in words or not sys.stdin.isatty()
    if takes_input and sys.stdin.isatty() and sys.stderr.isatty():
        typer.echo("Type the question; Ctrl-D ends it.", err=True)
    given = sys.stdin.buffer.read().decode("utf-8", "replace").strip("\n") if takes_input else ""
    if "-" in words:
        question = " ".join(given if word == "-" else word for word in words)
    else:
        question = "\n\n".join(part for part in (" ".join(words), given) if part.strip())
    question = question.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # arguments may be any bytes
    if not question.strip():
        typer.echo(f"There is nothing to ask. Try: {command_line('ask', 'hello')}", err=True)
        raise typer.Exit(USAGE)
    return question
