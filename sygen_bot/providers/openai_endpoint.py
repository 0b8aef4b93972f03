"""An endpoint that speaks the chat API of OpenAI: where it is, and how people are told about it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

OPENAI_URL: Final = "https://api.openai.com/v1"

_TAILS: Final = ("/chat/completions", "/models", "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`url` is the base of all requests, without a slash at its end. `key`: None where none is asked for."""

    id: str
    name: str
    url: str
    key: str | None
    headers: Mapping[str, str]

    @property
    def origin(self) -> str:
        """Scheme, host and port: what people are shown. A password in the URL is not part of it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def is_loopback(self) -> bool:
        host = urlsplit(self.url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def is_openai(self) -> bool:
        return urlsplit(self.url).hostname == urlsplit(OPENAI_URL).hostname

    @property
    def own_headers(self) -> dict[str, str]:
        """The key and the configured headers; a configured `Authorization` replaces the key."""
        named = {name.lower() for name in self.headers}
        key = {"Authorization": f"Bearer {self.key}"} if self.key and "authorization" not in named else {}
        return key | dict(self.headers)

    @property
    def key_trouble(self) -> str:
        """The end of a sentence about a key that is missing or wrong; `key_remedy` says what to do."""
        return "wants an API key." if self.key is None else "does not accept the API key."

    @property
    def key_remedy(self) -> str:
        return f"Set {self.setting('api_key_env')} to the name of the variable that holds a valid one."

    def setting(self, name: str) -> str:
        """The key of one of its settings."""
        return f"providers.{self.id}.{name}"

    def without_secrets(self, text: str) -> str:
        """`text`, which came from the endpoint, fit to be shown or logged."""
        for secret in (self.key, urlsplit(self.url).password, *self.headers.values()):
            if secret and len(secret) >= 4:
                text = text.replace(secret, "***")
        return text


def usable_url(configured: str) -> str | None:
    """The base of all requests of a URL as people write it; None if it is none.

    A bare address gets `/v1`, and the path of a request at the end is taken off.
    """
    url = configured.strip()
    for tail in _TAILS:
        url = url.removesuffix(tail)
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return None
    if not is_usable or parts.query or parts.fragment or any(letter.isspace() for letter in url):
        return None
    return url if parts.path else f"{url}/v1"
