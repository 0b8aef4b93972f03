"""How a command finds the gateway it talks to, and what opens it."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import parse_qs, urlsplit

import typer

from sygen_bot.cli.network import is_loopback, is_tailnet
from sygen_bot.cli.terminal import command_line
from sygen_bot.errors import SetupError, SygenError
from sygen_bot.paths import Paths

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    import httpx

    from sygen_bot.instance import Instance

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="SYGEN_URL",
        metavar="URL",
        help="Where the gateway is (http://HOST:PORT). Without it: the one that runs on this machine.",
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="SYGEN_TOKEN",
        metavar="TOKEN",
        help="What opens it. The variable keeps it out of the process list.",
    ),
]
ServerKeyOption = Annotated[
    str | None,
    typer.Option(
        "--server-key",
        envvar="SYGEN_SERVER",
        metavar="KEY",
        help="The gateway's identity key: seals the token and proves who answers.",
    ),
]


def _valid_id(value: int | None) -> int | None:
    from sygen_bot.session.key import MAX_ID

    if value is not None and not 1 <= value <= MAX_ID:
        raise typer.BadParameter(f"it is a number from 1 to {MAX_ID}")  # the gateway would take another chat
    return value


ChatOption = Annotated[
    int | None,
    typer.Option("--chat", metavar="N", callback=_valid_id, help="Which chat; without it the gateway's default."),
]
ChannelOption = Annotated[
    int | None, typer.Option("--channel", metavar="N", callback=_valid_id, help="Which conversation of the chat.")
]

ANSWERED, FAILED, USAGE, ABORTED, NO_CONNECTION = 0, 1, 2, 3, 4
"""Exit codes of the commands that talk."""

_STARTING_S: Final = 5.0
_LONGEST_NAME: Final = 64


class NoGateway(SetupError):
    """There is no gateway to talk to."""

    code = "no_gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A gateway and what opens it. `is_own`: it runs in this home. `has_given_key`: somebody says what its identity key is."""

    url: str
    token: str
    server_key: str | None
    ssl_context: ssl.SSLContext | None
    is_own: bool
    has_given_key: bool = False
    newest_token: Callable[[], str] | None = None
    """Reads the token anew, where it is this home's: it may have been replaced since."""

    @property
    def opening(self) -> str | Callable[[], str]:
        """What opens it at every connection."""
        return self.newest_token or self.token

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way reads what is sent by HTTP. The WebSocket encrypts for itself."""
        host = urlsplit(self.url).hostname or ""
        return self.url.startswith("https:") or is_loopback(host) or is_tailnet(host)

    def http(self) -> httpx.Client:
        """A client for the gateway's HTTP API. The token is sent only where nobody overhears it."""
        import httpx

        headers = {b"Authorization": f"Bearer {self.token}".encode()} if self.is_private else {}
        return httpx.Client(
            base_url=self.url,
            headers=headers,
            verify=self.ssl_context or True,
            timeout=5.0,
            trust_env=not is_loopback(urlsplit(self.url).hostname or ""),
        )


def find_gateway(url: str | None, token: str | None, server_key: str | None) -> Endpoint:
    """The gateway that is named, else the one that runs in this home. Raises NoGateway, ConfigError."""
    paths = Paths.from_environment()
    if url is not None:
        return _named_gateway(paths, url, token, server_key)
    instance = started_instance(paths)
    if instance is None:
        raise NoGateway(
            "No gateway runs here",
            f"Start one with `{command_line('serve')}`, or name another with --url and --token.",
        )
    return own_endpoint(paths, instance, token=token, server_key=server_key)


def own_endpoint(
    paths: Paths, instance: Instance, *, token: str | None = None, server_key: str | None = None
) -> Endpoint:
    """The gateway that runs in this home."""
    from sygen_bot.config import load_settings
    from sygen_bot.identity import load_public_identity

    current = load_settings(paths).api.token.get_secret_value()

    def newest_token() -> str:
        try:
            return load_settings(paths).api.token.get_secret_value()
        except SygenError:  # somebody is at work on the configuration
            return current

    return Endpoint(
        url=instance.url,
        token=token or current,
        server_key=server_key or load_public_identity(paths),
        ssl_context=_own_tls(instance.tls_cert),
        is_own=True,
        has_given_key=server_key is not None,
        newest_token=newest_token if token is None else None,
    )


def started_instance(paths: Paths) -> Instance | None:
    """The gateway that runs in this home, once it answers. None if there is none."""
    from sygen_bot.instance import running_instance

    deadline = time.monotonic() + _STARTING_S
    while (instance := running_instance(paths)) is not None and not instance.url:
        if time.monotonic() > deadline:
            raise NoGateway(
                f"The gateway here (pid {instance.pid}) has not finished starting", "Try again in a moment."
            )
        time.sleep(0.05)
    return instance


def device_name() -> str:
    """What others are told of who answers here."""
    return f"terminal on {os.uname().nodename}"[:_LONGEST_NAME]


def with_advice(error: Exception, endpoint: Endpoint) -> str:
    """What to do about a connection that does not come about."""
    from sygen_bot.client import HandshakeRefused

    if not isinstance(error, HandshakeRefused):
        is_untrusted = "certificate" in str(error).lower()
        return f"{error} SSL_CERT_FILE names a certificate to trust." if is_untrusted else str(error)
    return not_accepted(endpoint) if error.reason == "auth_failed" else str(error)


def not_accepted(endpoint: Endpoint) -> str:
    """What to say when the gateway does not let us in: sealed for another key, the right token is a wrong one, too."""
    or_key = ", or --server-key is not its identity key" if endpoint.has_given_key else ""
    showing = ("api", "token", "--show")
    where = f"`{command_line(*showing)}`" if endpoint.is_own else f"Over there `{' '.join(('sygen', *showing))}`"
    return f"The gateway does not accept the token{or_key}. {where} tells what is right."


def _named_gateway(paths: Paths, url: str, token: str | None, server_key: str | None) -> Endpoint:
    from sygen_bot.instance import running_instance

    instance = running_instance(paths)
    if instance is not None and instance.url == url.rstrip("/"):
        return own_endpoint(paths, instance, token=token, server_key=server_key)
    address, _, fragment = url.partition("#")
    link = parse_qs(fragment.replace("+", "%2B"))  # in a query `+` would be a space; in base64 it is a digit
    token = token or link.get("token", [None])[0]
    if token is None:  # our own token is nobody else's business
        raise NoGateway(
            f"{address} asks for its token",
            "Give it with SYGEN_TOKEN or --token; over there `sygen api token --show` tells it.",
        )
    known_key = server_key or link.get("server", [None])[0]
    return Endpoint(
        url=re.sub("^ws(s?):", r"http\1:", address.rstrip("/")),
        token=token,
        server_key=known_key,
        ssl_context=None,
        is_own=False,
        has_given_key=known_key is not None,
    )


def _own_tls(certificate: str | None) -> ssl.SSLContext | None:
    """Trusts the gateway's own certificate and nothing else: it need not name 127.0.0.1, nor be anybody's but ours."""
    if certificate is None:
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context
