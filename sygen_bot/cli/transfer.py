"""What `send` and `get` share: a connection for as long as files travel, their progress, and how it ends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import typer

from sygen_bot.cli.asking import GIVE_UP_S
from sygen_bot.cli.connection import FAILED, NO_CONNECTION, USAGE, Endpoint, with_advice
from sygen_bot.cli.interrupts import on_interrupt
from sygen_bot.cli.terminal import clean, is_smart
from sygen_bot.client import ClientError, Gateway, MessageRefused, NotPrivate, Progress, RequestFailed, connect

_Done = TypeVar("_Done")


def transfer(
    endpoint: Endpoint,
    work: Callable[[Gateway], Awaitable[_Done]],
    *,
    when_stopped: Callable[[], str],
    chat: tuple[int | None, int | None] = (None, None),
) -> _Done:
    """What `work` returns. Where there is nothing to return, it says why on stderr and exits. `when_stopped`: what to say then."""
    try:
        return asyncio.run(_connected(endpoint, work, chat))
    except _Stopped as stopped:
        if said := when_stopped():
            typer.echo(said, err=True)
        raise typer.Exit(128 + stopped.number) from stopped
    except ClientError as error:
        typer.echo(clean(with_advice(error, endpoint)), err=True)
        raise typer.Exit(_exit_code(error)) from error


class _Stopped(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


async def _connected(
    endpoint: Endpoint, work: Callable[[Gateway], Awaitable[_Done]], chat: tuple[int | None, int | None]
) -> _Done:
    async def run() -> _Done:
        async with connect(
            endpoint.url,
            endpoint.opening,
            *chat,
            server_key=endpoint.server_key,
            ssl_context=endpoint.ssl_context,
            give_up_after_s=GIVE_UP_S,
        ) as gateway:
            return await work(gateway)

    running = asyncio.create_task(run())
    stopped_by: list[int] = []

    def stop(number: int) -> None:
        stopped_by.append(number)
        running.cancel()

    with on_interrupt(stop):
        try:
            return await running
        except asyncio.CancelledError:
            if not stopped_by:
                raise
            raise _Stopped(stopped_by[0]) from None


def _exit_code(error: ClientError) -> int:
    if isinstance(error, NotPrivate):
        return USAGE
    return FAILED if isinstance(error, RequestFailed | MessageRefused) else NO_CONNECTION


@contextmanager
def progress_of(name: str) -> Iterator[Progress]:
    """A bar on stderr, if that is a terminal, which goes when the file is through."""
    if not is_smart(sys.stderr):
        yield lambda _done, _total: None
        return
    from rich import progress
    from rich.console import Console

    with progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        bar = bars.add_task(clean(name), total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def told_size(size: int) -> str:
    """A number of bytes as people say it."""
    number, units = float(size), ["bytes", "kB", "MB", "GB", "TB"]
    while number >= 1000 and len(units) > 1:
        number /= 1000
        units.pop(0)
    return f"{number:.0f} {units[0]}" if units[0] == "bytes" else f"{number:.1f} {units[0]}"
