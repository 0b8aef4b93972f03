"""The `sygen` command."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Annotated

import typer

from sygen_bot import __version__
from sygen_bot.errors import ConfigError, SygenError

app = typer.Typer(
    no_args_is_help=True, help="A self-hosted, end-to-end encrypted gateway between you and your AI agents."
)


@app.command()
def version() -> None:
    """Show the version."""
    typer.echo(__version__)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Bind address.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    provider: Annotated[str | None, typer.Option(help="Who answers.")] = None,
    model: Annotated[str | None, typer.Option(help="Which of its models.")] = None,
) -> None:
    """Run the gateway until it is told to stop (SIGTERM or Ctrl-C)."""
    given = {"api.host": host, "api.port": port, "provider": provider, "model": model}
    asyncio.run(_serve({key: value for key, value in given.items() if value is not None}))


async def _serve(overrides: dict[str, object]) -> None:
    from sygen_bot.config import ensure_token, load_settings
    from sygen_bot.instance import InstanceLock
    from sygen_bot.orchestrator.lifecycle import running_gateway
    from sygen_bot.paths import Paths

    paths = Paths.from_environment()
    paths.prepare()
    token = ensure_token(paths)
    settings = load_settings(paths, overrides=overrides)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with InstanceLock(paths) as lock:
        async with running_gateway(settings, paths, token=settings.api.token.get_secret_value() or token) as gateway:
            loop.add_signal_handler(
                signal.SIGHUP, lambda: gateway.replace_token(load_settings(paths).api.token.get_secret_value())
            )
            lock.publish(url=gateway.url)
            typer.echo(f"listening on {gateway.url}")
            await stop.wait()


def main() -> None:
    """Run the command; what goes wrong is one clear line, never a traceback."""
    try:
        app()
    except SygenError as error:
        typer.echo(str(error), err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
