"""`sygen get`: a file from the gateway, taken up again where a broken connection left it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final, cast

import typer

from sygen_bot.cli.connection import (
    FAILED,
    NO_CONNECTION,
    NoGateway,
    ServerKeyOption,
    TokenOption,
    UrlOption,
    find_gateway,
)
from sygen_bot.cli.terminal import program

if TYPE_CHECKING:
    from sygen_bot.client import Gateway

EPILOG: Final = f"""\b
Exit codes:
  0    it is there
  1    it was refused, or something here is in its way
  2    wrong usage or configuration
  4    no connection, not let in, or the connection was lost
  130  Ctrl-C; the same command goes on from there

\b
Examples:
  {program()} get /home/me/.sygen/workspace/chart.png
  {program()} get /home/me/.sygen/workspace/chart.png Pictures/
  {program()} get /home/me/backup.tar - | tar x
"""

_STDOUT: Final = Path("-")


def get(
    path: Annotated[str, typer.Argument(metavar="PATH", help="Where the gateway has the file.")],
    to: Annotated[
        Path,
        typer.Argument(metavar="TO", allow_dash=True, help="Here: a file or a folder. `-` stands for standard output."),
    ] = Path(),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="TO", help="The same as TO, for those who are used to it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
    allow_plain: Annotated[
        bool,
        typer.Option("--allow-plain", help="Fetch over http:// although others on the way could read it."),
    ] = False,
) -> None:
    """Fetch a file from the gateway, and print where it is now.

    It grows as TO.part and gets its name when it is whole. After a broken connection it goes on where it was, and so does the
    same command later.
    """
    target = output or to
    if target != _STDOUT and not target.is_dir() and not target.absolute().parent.is_dir():
        raise typer.BadParameter(f"the folder {target.parent} is not there", param_hint="TO")
    try:
        endpoint = find_gateway(url, token, server_key)
    except NoGateway as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_CONNECTION) from error

    from sygen_bot.cli.transfer import progress_of, told_size, transfer

    is_plain_allowed = allow_plain or endpoint.is_private
    here = 0

    async def fetch(gateway: Gateway) -> Path | None:
        nonlocal here
        with progress_of(path.rpartition("/")[2] or path) as progress:

            def on_progress(done: int, total: int | None) -> None:
                nonlocal here
                here = done
                progress(done, total)

            if target == _STDOUT:
                with os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0) as out:
                    await gateway.download_into(
                        path, cast("BinaryIO", out), on_progress=on_progress, allow_plain=is_plain_allowed
                    )
                return None
            return await gateway.download(
                path, target, on_progress=on_progress, overwrite=force, allow_plain=is_plain_allowed
            )

    def when_stopped() -> str:
        if target == _STDOUT:
            return ""
        return f"Stopped at {told_size(here)}. The same command goes on from there."

    try:
        fetched = transfer(endpoint, fetch, when_stopped=when_stopped)
    except FileExistsError as error:
        typer.echo(f"{error.filename} is there already. --force replaces it.", err=True)
        raise typer.Exit(FAILED) from error
    if fetched is not None:
        typer.echo(str(fetched))
