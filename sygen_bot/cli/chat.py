"""`sygen chat`: a conversation in the terminal."""

from __future__ import annotations

from typing import Final

import typer

from sygen_bot.cli.connection import (
    NO_CONNECTION,
    ChannelOption,
    ChatOption,
    NoGateway,
    ServerKeyOption,
    TokenOption,
    UrlOption,
    find_gateway,
)

EPILOG: Final = """\b
In the conversation:
  Enter sends, Alt-Enter makes a new line, Tab completes, Up brings back what you said
  Ctrl-C stops the turn that runs; with nothing running it clears the line, or leaves like Ctrl-D
  What the agent may do is asked: y allows it once, a always, n denies it, v shows all of it
  /approve asks what waits in other conversations
  /help lists the gateway's commands, @NAME asks one provider or model once, /quit leaves

Lines that are piped in are asked one after another. Exit codes: 0 left; 2 wrong usage or configuration; 4 no connection.
"""


def chat(
    chat_id: ChatOption = None,
    channel_id: ChannelOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Talk to the agent."""
    try:
        endpoint = find_gateway(url, token, server_key)
    except NoGateway as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_CONNECTION) from error
    import asyncio

    from sygen_bot.cli.conversation import converse

    try:
        code = asyncio.run(converse(endpoint, chat_id, channel_id))
    except KeyboardInterrupt:  # with nothing running
        code = 0
    raise typer.Exit(code)
