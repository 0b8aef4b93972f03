"""`sygen status`: what the gateway is doing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sygen_bot.cli.connection import (
    Endpoint,
    NoGateway,
    ServerKeyOption,
    TokenOption,
    UrlOption,
    find_gateway,
    not_accepted,
)
from sygen_bot.cli.terminal import command_line
from sygen_bot.errors import SygenError

if TYPE_CHECKING:
    import httpx


class StatusUnknown(SygenError):
    """The gateway does not say what it is doing."""

    code = "status_unknown"


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Show what the gateway is doing. Exit code 1 if it does not run."""
    try:
        endpoint = find_gateway(url, token, server_key)
        facts = read_status(endpoint)
    except (NoGateway, StatusUnknown) as error:
        if as_json:
            typer.echo(json.dumps({"running": False, "reason": str(error)}, ensure_ascii=False))
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"running": True, "url": endpoint.url, **facts}, ensure_ascii=False))
        return
    if not endpoint.is_private:
        typer.echo(
            f"A gateway runs at {endpoint.url}. It tells more over https: on this way others would read the token."
        )
        return
    for name, value in _lines(endpoint, facts):
        typer.echo(f"{name:<12} {value}")


def read_status(endpoint: Endpoint) -> dict[str, Any]:  # whatever this version of the gateway tells
    """What the gateway says of itself. Raises StatusUnknown."""
    import httpx

    try:
        with endpoint.http() as http:
            answer = http.get("/api/status" if endpoint.is_private else "/health")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise StatusUnknown(f"{endpoint.url} does not answer: {_reason(error)}.") from error
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise StatusUnknown(not_accepted(endpoint))
    facts = _object(answer)
    if facts is None:
        raise StatusUnknown(f"Whoever answers at {endpoint.url} is no gateway of this version.")
    return facts


def _object(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        facts = answer.json() if answer.is_success else None
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _lines(endpoint: Endpoint, facts: dict[str, Any]) -> list[tuple[str, str]]:
    running, queued = facts.get("turns_running", 0), facts.get("turns_queued", 0)
    target = "/".join(str(facts[part]) for part in ("provider", "model") if facts.get(part))
    return [
        ("running", endpoint.url),
        ("version", str(facts.get("version", "unknown"))),
        ("uptime", span(float(facts.get("uptime_s", 0)))),
        ("answers", target or f"nobody: `{command_line('doctor')}` tells why"),
        ("connections", str(facts.get("connections", 0))),
        ("sessions", str(facts.get("sessions", 0))),
        ("turns", f"{running} running, {queued} waiting"),
    ]


def span(seconds: float) -> str:
    """A duration as people say it: its two largest units."""
    left, parts = int(seconds), list[str]()
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2])
