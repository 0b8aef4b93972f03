"""`sygen api`: switching the API on, and its token."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sygen_bot.cli.terminal import command_line
from sygen_bot.errors import SetupError
from sygen_bot.paths import Paths

if TYPE_CHECKING:
    from sygen_bot.instance import Instance

app = typer.Typer(no_args_is_help=True, help="Switch the API on, and see or change its token.")

_TAKEN_S: Final = 5.0


@app.command()
def enable() -> None:
    """Start the API together with the gateway's other transports, and make its token if there is none."""
    from sygen_bot.config import ensure_token, load_settings, save_setting

    paths = Paths.from_environment()
    had_token = bool(load_settings(paths).api.token.get_secret_value())
    save_setting(paths, "api.enabled", True)
    ensure_token(paths)
    typer.echo(f"The API is enabled. {'Its token is kept' if had_token else 'It has a token now'}: {_show_command()}")
    typer.echo(f"Next: {command_line('serve')}")


@app.command()
def token(
    show: Annotated[
        bool, typer.Option("--show", help="Print it; on a terminal the identity key and a link, too.")
    ] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new one. The running gateway closes every connection.")
    ] = False,
) -> None:
    """Say whether there is a token, print it, or make a new one."""
    from sygen_bot.config import load_settings, rotate_token

    paths = Paths.from_environment()
    if rotate:
        new = rotate_token(paths)
        _say_on_stderr(_hand_over(paths, new))
        if show or sys.stdout.isatty():
            typer.echo(new)
        else:
            _say_on_stderr(_show_command())
        return
    settings = load_settings(paths)
    current = settings.api.token.get_secret_value()
    if not current:
        raise SetupError(
            "There is no token yet",
            f"`{command_line('api', 'enable')}` or the first `{command_line('serve')}` makes one.",
        )
    typer.echo(current if show else f"There is a token. {_show_command()}")
    if show and sys.stderr.isatty():
        _show_the_rest(paths, current, settings.api.public_url)


def _show_the_rest(paths: Paths, current: str, public_url: str | None) -> None:
    """For people who set up a client: what proves the gateway, and everything in one link."""
    from sygen_bot.cli.link import link_to
    from sygen_bot.identity import load_public_identity
    from sygen_bot.instance import running_instance

    key, instance = load_public_identity(paths), running_instance(paths)
    if key is None:  # it has never been started
        return
    _say_on_stderr(f"identity  {key}")
    if url := public_url or (instance and instance.url):
        _say_on_stderr(f"link      {link_to(url, token=current, server_key=key)}")


def _show_command() -> str:
    return f"`{command_line('api', 'token', '--show')}` prints it."


def _say_on_stderr(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _hand_over(paths: Paths, new: str) -> str:
    """Make the running gateway take the new token. Returns what came of it."""
    from sygen_bot.cli.connection import started_instance

    instance = started_instance(paths)
    if instance is None:
        return "There is a new token; the old one opens nothing any more."
    with suppress(ProcessLookupError):
        os.kill(instance.pid, signal.SIGUSR1)
    deadline = time.monotonic() + _TAKEN_S
    while time.monotonic() < deadline:
        if _opens(paths, instance, new):
            return "There is a new token. The running gateway has taken it and closed every connection."
        time.sleep(0.05)
    return f"There is a new token, but the running gateway (pid {instance.pid}) has not taken it: restart it."


def _opens(paths: Paths, instance: Instance, token: str) -> bool:
    import httpx

    from sygen_bot.cli.connection import own_endpoint

    try:
        with own_endpoint(paths, instance, token=token).http() as http:
            return http.get("/api/status").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
