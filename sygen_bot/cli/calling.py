"""How a command asks the gateway's JSON API, and how it says what comes of that."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import typer

from sygen_bot.cli.connection import FAILED, NO_CONNECTION, Endpoint, NoGateway, find_gateway, not_accepted, with_advice
from sygen_bot.cli.terminal import clean

_GIVE_UP_S: Final = 5.0


def endpoint_of(url: str | None, token: str | None, server_key: str | None) -> Endpoint:
    """The gateway that is meant. Where there is none, it says so and exits."""
    try:
        return find_gateway(url, token, server_key)
    except NoGateway as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_CONNECTION) from error


def asked(endpoint: Endpoint, method: str, path: str, body: object = None) -> Any:  # JSON
    """What `call` returns. What it raises is one line on stderr, and an exit code."""
    from sygen_bot.client.errors import ClientError, RequestFailed

    try:
        return call(endpoint, method, path, body)
    except ClientError as error:
        typer.echo(clean(with_advice(error, endpoint)), err=True)
        is_refusal = isinstance(error, RequestFailed) and error.code != "unauthorized"
        raise typer.Exit(FAILED if is_refusal else NO_CONNECTION) from error


def segment(name: str) -> str:
    """`name` as a part of a path, whatever is in it."""
    return f"/{quote(name, safe='', errors='replace')}"


def print_json(value: object) -> None:
    """For programs one line, for people several."""
    typer.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people, lines with tabs for programs."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(" ".join(clean(cell).split()) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(head):
        table.add_column(name, no_wrap=number == 0, overflow="fold" if number == 0 else "ellipsis")
    for row in rows:
        table.add_row(*(Text(" ".join(clean(cell).split())) for cell in row))
    Console().print(table)


def call(endpoint: Endpoint, method: str, path: str, body: object = None) -> Any:  # whatever JSON the gateway answers
    """The decoded answer; None if it has no body. `path` with its query. Where others could read HTTP, it goes encrypted.

    Raises RequestFailed with the gateway's sentence, or another ClientError; `str()` of each is one sentence for people.
    """
    speakable = json.loads(
        json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    )  # arguments may be any bytes
    ask = _by_http if endpoint.is_private else _encrypted
    return ask(endpoint, method, path, speakable)


def _by_http(endpoint: Endpoint, method: str, path: str, body: object) -> Any:
    import httpx

    from sygen_bot.client.errors import CannotConnect, RequestFailed
    from sygen_bot.client.shapes import refusal

    try:
        with endpoint.http() as http:
            answer = http.request(method, path, json=body)  # None is no body
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise CannotConnect(endpoint.url, reason) from error
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise RequestFailed(answer.status_code, "unauthorized", not_accepted(endpoint))
    try:
        said = answer.json() if answer.content else None
    except ValueError:
        said = None
        if answer.is_success:
            raise RequestFailed(
                answer.status_code,
                "invalid_answer",
                f"Whoever answers at {endpoint.url} is no gateway of this version.",
            ) from None
    if not answer.is_success:
        raise refusal(answer.status_code, said)
    return said


def _encrypted(endpoint: Endpoint, method: str, path: str, body: object) -> Any:
    import asyncio

    from sygen_bot.client import HandshakeRefused, connect

    async def ask() -> Any:
        async with connect(
            endpoint.url,
            endpoint.opening,
            server_key=endpoint.server_key,
            ssl_context=endpoint.ssl_context,
            give_up_after_s=_GIVE_UP_S,
        ) as gateway:
            return await gateway.request(method, path, body)

    try:
        return asyncio.run(ask())
    except HandshakeRefused as error:
        raise HandshakeRefused(error.reason, with_advice(error, endpoint)) from error
