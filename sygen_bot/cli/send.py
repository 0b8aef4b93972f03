"""`sygen send`: files to the gateway, and the agent asked about them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from sygen_bot.cli.connection import (
    NO_CONNECTION,
    ChannelOption,
    ChatOption,
    Endpoint,
    NoGateway,
    ServerKeyOption,
    TokenOption,
    UrlOption,
    find_gateway,
)
from sygen_bot.cli.terminal import clean, program

if TYPE_CHECKING:
    from sygen_bot.client import Gateway

EPILOG: Final = f"""\b
Exit codes:
  0    answered; with --no-ask: the files are there
  1    a file or the message was refused, or the turn failed
  2    wrong usage or configuration
  3    the turn was aborted: by somebody, or because the gateway stopped
  4    no connection, not let in, or the connection was lost
  130  Ctrl-C; what runs is stopped first

\b
Examples:
  {program()} send photo.jpg --caption "what is this?"
  {program()} send a.csv b.csv --caption "compare them"
  {program()} send --voice question.ogg
  journalctl -b | {program()} send - --name boot.log --caption "what went wrong?"
  {program()} send --no-ask report.pdf
"""

_STDIN: Final = Path("-")


def send(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", allow_dash=True, help="What to send. `-` stands for standard input.")
    ],
    caption: Annotated[str | None, typer.Option(metavar="TEXT", help="What to say about it.")] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it, if it is one file or standard input.")
    ] = None,
    voice: Annotated[bool, typer.Option("--voice", help="It is a recording: ask what is said in it.")] = False,
    no_ask: Annotated[bool, typer.Option("--no-ask", help="Only send, and print where the gateway has it.")] = False,
    chat_id: ChatOption = None,
    channel_id: ChannelOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
    allow_plain: Annotated[
        bool,
        typer.Option("--allow-plain", help="Send over http:// although others on the way could read it."),
    ] = False,
) -> None:
    """Send files to the gateway, and ask the agent about them.

    The answer streams to standard output, as that of `ask` does. Progress goes to standard error.
    """
    _check(files, caption=caption, name=name, voice=voice, no_ask=no_ask)
    try:
        endpoint = find_gateway(url, token, server_key)
    except NoGateway as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_CONNECTION) from error
    sending = _Sending(files, caption, name, allow_plain=allow_plain or endpoint.is_private)
    chat = (chat_id, channel_id)
    question = sending.question(endpoint, chat, is_voice=voice)
    if no_ask:
        for path in sending.paths:
            typer.echo(path)
        return
    import asyncio

    from sygen_bot.cli.asking import ask_once
    from sygen_bot.cli.printing import AnswerPrinter

    code = asyncio.run(ask_once(endpoint, question, AnswerPrinter(), timeout_s=None, chat=chat))
    raise typer.Exit(code)


def _check(files: list[Path], *, caption: str | None, name: str | None, voice: bool, no_ask: bool) -> None:
    """Refuse what cannot be meant, before anything travels."""
    if name is not None and len(files) > 1:
        raise typer.BadParameter("it names one file, and there are more", param_hint="--name")
    if files.count(_STDIN) > 1:
        raise typer.BadParameter("standard input comes once", param_hint="FILE")
    if voice and len(files) > 1:
        raise typer.BadParameter("it takes one recording", param_hint="--voice")
    if voice and (caption is not None or no_ask):
        other = "--no-ask" if no_ask else "--caption"
        raise typer.BadParameter(f"what is said is the message: it does not go with {other}", param_hint="--voice")
    for file in files:
        if file == _STDIN:
            continue
        if file.is_dir():
            raise typer.BadParameter(f"{file} is a folder; pack it first", param_hint="FILE")
        if not os.access(file, os.R_OK):
            what = "cannot be read" if file.exists() else "is not there"
            raise typer.BadParameter(f"{file} {what}", param_hint="FILE")


class _Sending:
    """Files on their way. `paths`: where the gateway has those that have arrived."""

    def __init__(self, files: list[Path], caption: str | None, name: str | None, *, allow_plain: bool) -> None:
        self._files = files
        self._caption = caption
        self._name = name
        self._allow_plain = allow_plain
        self.paths: list[str] = []

    def question(self, endpoint: Endpoint, chat: tuple[int | None, int | None], *, is_voice: bool) -> str:
        """Send them. Returns what to ask the agent; exits if there is nothing to ask."""
        from sygen_bot.cli.transfer import transfer

        work = self._hear if is_voice else self._send_all
        return transfer(endpoint, work, when_stopped=lambda: "Nothing more was sent.", chat=chat)

    async def _send_all(self, gateway: Gateway) -> str:
        last = len(self._files) - 1
        prompts = [
            await self._send(gateway, file, self._caption if number == last else None)
            for number, file in enumerate(self._files)
        ]
        return "\n\n".join(prompts)

    async def _hear(self, gateway: Gateway) -> str:
        from sygen_bot.client import MessageRefused

        await self._send(gateway, self._files[0], None)
        heard = await gateway.transcribe(self.paths[0])
        if not heard.text.strip():
            raise MessageRefused("empty", "Nothing is said in the recording.")
        typer.echo(f"> {clean(heard.text)}", err=True)
        return heard.text

    async def _send(self, gateway: Gateway, file: Path, caption: str | None) -> str:
        from sygen_bot.cli.transfer import progress_of, told_size

        name = self._name or ("stdin" if file == _STDIN else file.name)
        source: Path | BinaryIO = file
        if file == _STDIN:  # a descriptor of our own, so that nobody waits for its end when we leave
            source = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
        with progress_of(name) as progress:
            uploaded = await gateway.upload(
                source, name=name, caption=caption, on_progress=progress, allow_plain=self._allow_plain
            )
        self.paths.append(uploaded.path)
        typer.echo(f"sent {clean(uploaded.name)} ({told_size(uploaded.size)})", err=True)
        return uploaded.prompt
