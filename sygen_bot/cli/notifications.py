"""`sygen notifications`: what happened while nobody looked, and what happens now."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sygen_bot.cli.calling import asked, endpoint_of, print_json, segment
from sygen_bot.cli.connection import Endpoint, ServerKeyOption, TokenOption, UrlOption
from sygen_bot.cli.terminal import clean, dim, program

if TYPE_CHECKING:
    from sygen_bot.client import Gateway

EPILOG: Final = f"""\b
Exit codes:
  0    told
  1    refused: there is no such notification
  2    wrong usage or configuration
  4    no connection, not let in, or the connection was lost
  130  Ctrl-C

\b
Examples:
  {program()} notifications --unread
  {program()} notifications --read all
  {program()} notifications --follow --json | jq -r .title
"""

_ALL: Final = "/api/notifications"
_PAGE: Final = 200
_LOOK_S: Final = 10.0
"""How often a follower looks for itself: a push that was sent while the connection was away is not sent again."""
_BODY_CHARS: Final = 200


def notifications(
    unread: Annotated[bool, typer.Option("--unread", help="Only those that nobody has read.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=_PAGE, help="How many of the newest.")] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with those that come, until Ctrl-C; oldest first.")
    ] = False,
    read: Annotated[
        str | None, typer.Option("--read", metavar="ID|all", help="Mark one as read, or all of them.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON list; with --follow one JSON object a line.")
    ] = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Show the newest notifications, newest first, or mark them as read."""
    if read is not None and (follow or unread):
        raise typer.BadParameter("it goes with neither --follow nor --unread", param_hint="--read")
    endpoint = endpoint_of(url, token, server_key)
    if read is not None:
        _mark(endpoint, read, as_json=as_json)
    elif follow:
        _follow(endpoint, unread=unread, limit=limit, as_json=as_json)
    else:
        found = asked(endpoint, "GET", f"{_ALL}{_query(unread=unread, limit=limit)}")
        if as_json:
            print_json(found)
            return
        for one in found:
            _show(one)
        if not found:
            typer.echo("There are none that nobody has read." if unread else "There are none.", err=True)


def _mark(endpoint: Endpoint, which: str, *, as_json: bool) -> None:
    if which == "all":
        answer = asked(endpoint, "POST", f"{_ALL}/read-all")
        count = answer["updated"]
        sentence = f"{count} notifications were unread." if count != 1 else "1 notification was unread."
    else:
        answer = asked(endpoint, "PUT", f"{_ALL}{segment(which)}/read")
        sentence = f"Read: {answer['title']}"
    if as_json:
        print_json(answer)
    else:
        typer.echo(clean(sentence))


def _follow(endpoint: Endpoint, *, unread: bool, limit: int, as_json: bool) -> None:
    from sygen_bot.cli.transfer import transfer

    def tell(one: dict[str, Any]) -> None:
        if as_json:
            typer.echo(json.dumps(one, ensure_ascii=False))
        else:
            _show(one)

    async def work(gateway: Gateway) -> None:
        pushes = gateway.notifications()
        pushed = asyncio.ensure_future(anext(pushes))
        known: set[str] | None = None
        try:
            while True:
                # what is pushed says that there is something, what is listed says what: nothing is missed or told twice
                page = await gateway.request("GET", f"{_ALL}{_query(unread=False, limit=_PAGE)}")
                found = [one for one in page if not (unread and one["read"])]
                for one in reversed(found[:limit] if known is None else found):
                    if known is None or one["id"] not in known:
                        tell(one)
                known = {one["id"] for one in page}
                await asyncio.wait({pushed}, timeout=_LOOK_S)
                if pushed.done():
                    pushed.result()
                    pushed = asyncio.ensure_future(anext(pushes))
        finally:
            pushed.cancel()
            await asyncio.gather(pushed, return_exceptions=True)

    transfer(endpoint, work, when_stopped=lambda: "")


def _query(*, unread: bool, limit: int) -> str:
    return f"?limit={limit}&unread_only={'true' if unread else 'false'}"


def _show(one: dict[str, Any]) -> None:
    when = datetime.fromtimestamp(one["created_at"]).astimezone().strftime("%Y-%m-%d %H:%M")
    mark = {"warning": "! ", "critical": "!! "}.get(one["severity"], "")
    new = " " if one["read"] else "*"
    typer.echo(f"{new} {when}  {mark}{clean(one['title'])}  {dim(clean(one['id']), sys.stdout)}")
    body = " ".join(one["body"].split())
    if body:
        typer.echo(f"    {clean(body if len(body) <= _BODY_CHARS else body[: _BODY_CHARS - 1] + '…')}")
