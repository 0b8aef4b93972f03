"""Links to one file that need no token, for a while: what a `<video>` or an `<img>` can be given."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from fastapi import Request

from sygen_bot.api.context import TokenGate

LIFETIME_S: Final = 600


class FileLinks:
    """Makes links and knows them again. A new token of the gateway ends all of them. `clock` gives epoch seconds."""

    def __init__(self, gate: TokenGate, *, clock: Callable[[], float] = time.time) -> None:
        self._gate = gate
        self._clock = clock

    def make(self, path: str) -> tuple[str, float]:
        """The link to `path`, relative to the gateway's address, and when it ends, in epoch seconds."""
        expires = int(self._clock()) + LIFETIME_S
        query = {"path": path, "expires": expires, "signature": self._signature(path, str(expires))}
        return f"/files?{urlencode(query)}", float(expires)

    def opens(self, request: Request) -> bool:
        """Whether the request comes by a link that still holds."""
        asked = request.query_params
        given = [asked.getlist(name) for name in ("path", "expires", "signature")]
        if any(len(values) != 1 for values in given):
            return False
        (path,), (expires,), (signature,) = given
        if not hmac.compare_digest(self._signature(path, expires).encode(), signature.encode("utf-8", "replace")):
            return False
        return self._clock() < int(expires)  # it is ours, so it is a number

    def _signature(self, path: str, expires: str) -> str:
        key = hashlib.blake2b(self._gate.token.encode("utf-8", "surrogatepass"), person=b"sygen file links").digest()
        message = f"{expires} {path}".encode("utf-8", "surrogatepass")
        digest = hmac.new(key, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
