"""`sygen link`: the link that opens the web page with everything it needs, on this machine and elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote, urlsplit

import typer

from sygen_bot.cli.network import address_for_others, is_loopback
from sygen_bot.cli.terminal import command_line
from sygen_bot.errors import SetupError
from sygen_bot.paths import Paths

if TYPE_CHECKING:
    from sygen_bot.config import Settings

EPILOG: Final = (
    "Prints one link a line: for this machine, then for others, if they reach the gateway. Whoever has a link has the gateway: "
    "it holds the token and the identity key, after the #, where no server on the way sees them."
)


@dataclass(frozen=True, slots=True)
class Links:
    """Where the page is opened: on this machine, and elsewhere, or else how to get that far."""

    here: str
    elsewhere: str | None
    advice: str


def link(
    qr: Annotated[bool, typer.Option("--qr", help="Show the link for others as a QR code, too: for a phone.")] = False,
) -> None:
    """Print the link that opens the web page."""
    from sygen_bot.cli.qr_code import qr_code
    from sygen_bot.config import load_settings

    paths = Paths.from_environment()
    settings = load_settings(paths, create=False)
    links = _own_links(paths, settings)
    code = None
    if qr:
        if links.elsewhere is None:
            raise SetupError("Only this machine reaches the gateway", links.advice)
        code = qr_code(links.elsewhere, sys.stdout)
        if code is None:
            raise SetupError("A QR code cannot be shown here", "It takes a terminal with colours, and room for it.")
    for each in dict.fromkeys((links.here, links.elsewhere)):
        if each is not None:
            typer.echo(each)
    if code is not None:
        typer.echo(code)
    if missing := missing_page(settings):
        typer.echo(missing, err=True)


def link_to(url: str, *, token: str, server_key: str | None) -> str:
    """`url` with what opens it in its fragment, which browsers send to nobody."""
    key = f"&server={quote(server_key, safe='')}" if server_key else ""
    return f"{url.rstrip('/')}/#token={quote(token, safe='')}{key}"


def links_of(settings: Settings, *, url: str, host: str, token: str, server_key: str | None) -> Links:
    """Of a gateway that this machine reaches at `url`, and that listens on `host`."""
    parts, other, advice = urlsplit(url), settings.api.public_url, ""
    if other is None and (address := address_for_others(host)) is not None:
        other = f"{parts.scheme}://{f'[{address}]' if ':' in address else address}:{parts.port}"
    if other is None and is_loopback(host):
        open_to_all = command_line("serve", "--host", "0.0.0.0")  # noqa: S104 - it is what the person would choose
        advice = f"For other devices: `tailscale serve {parts.port}`, or `{open_to_all}`, best with --tls-cert and --tls-key."
    elif other is None:
        advice = (
            f"For other devices: `{command_line('config', 'set', 'api.public_url', 'URL')}` says where they find it."
        )
    return Links(
        here=link_to(url, token=token, server_key=server_key),
        elsewhere=None if other is None else link_to(other, token=token, server_key=server_key),
        advice=advice,
    )


def missing_page(settings: Settings) -> str | None:
    """What to do if there is no page, in a line."""
    if not settings.web.enabled:
        return "The page is switched off (web.enabled)."
    if settings.web.has_page:
        return None
    if settings.web.directory is not None:
        return f"The page is not in {settings.web.directory} (web.directory)."
    return (
        "The page is not here: install Node 20.19 or newer and run `make page`, or install a release, which carries it."
    )


def _own_links(paths: Paths, settings: Settings) -> Links:
    """Of the gateway that runs in this home, or that would by its configuration."""
    from sygen_bot.cli.connection import started_instance
    from sygen_bot.identity import load_public_identity
    from sygen_bot.instance import url_here

    api, instance = settings.api, started_instance(paths)
    token = api.token.get_secret_value()
    if not token:
        raise SetupError("There is no token yet", f"`{command_line('serve')}` makes one.")
    if instance is None and api.port == 0:
        raise SetupError(
            "The gateway does not run, and it takes another port each time", f"`{command_line('serve')}` starts it."
        )
    return links_of(
        settings,
        url=url_here(api.host, api.port, has_tls=api.tls_cert is not None) if instance is None else instance.url,
        host=api.host if instance is None else instance.host,
        token=token,
        server_key=load_public_identity(paths),
    )
