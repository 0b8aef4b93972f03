"""How the senders of webhooks prove who they are: a bearer token, or GitHub's or Stripe's signature of the body. Pure.

GitHub: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
Stripe: https://docs.stripe.com/webhooks#verify-manually
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from sygen_bot.session.text import speakable
from sygen_bot.storage.hooks import HookAuth

TOLERANCE_S: Final = 300.0
"""How far the clock of a sender who tells the time may be from ours."""
MAX_ID_CHARS: Final = 200
_MAX_SIGNATURES: Final = 8
_MAX_HEADER_CHARS: Final = 4096
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{1,12}", re.ASCII)

_BEARER: Final = "authorization"
_GITHUB: Final = "x-hub-signature-256"
_STRIPE: Final = "stripe-signature"
_ID_HEADERS: Final[dict[HookAuth, tuple[str, ...]]] = {
    "bearer": ("x-delivery-id", "idempotency-key"),
    "github": ("x-github-delivery",),
    "stripe": (),
}


def kept_secret(auth: HookAuth, secret: str) -> str:
    """What is kept of a secret: of a bearer token its digest, of others the secret, which signing takes."""
    return _digest(_utf8(secret)) if auth == "bearer" else secret


def verify(auth: HookAuth, kept: str, headers: Mapping[str, str], body: bytes, *, now: float) -> bool:
    """Whether a delivery comes from somebody who has the secret of which `kept` is kept. Never raises.

    `headers` by lower-case name, as HTTP hands them over: their bytes as Latin-1. `now`: epoch seconds.
    """
    match auth:
        case "bearer":
            return _verify_bearer(kept, headers.get(_BEARER, ""))
        case "github":
            scheme, _, given = headers.get(_GITHUB, "").partition("=")
            return _equal(given if scheme == "sha256" else "", _signed(kept, body))
        case "stripe":
            return _verify_stripe(kept, headers.get(_STRIPE, ""), body, now=now)


def verify_nothing(headers: Mapping[str, str], body: bytes, *, now: float) -> None:
    """The work of `verify` for a hook that is not there, so that nobody learns from the clock which are."""
    auth: HookAuth = "github" if _GITHUB in headers else "stripe" if _STRIPE in headers else "bearer"
    verify(auth, "0" * 64, headers, body, now=now)


def sign(auth: HookAuth, secret: str, body: bytes, *, now: float, delivery_id: str | None = None) -> dict[str, str]:
    """The headers, by lower-case name, with which a sender of that kind delivers `body`."""
    id_header = next(iter(_ID_HEADERS[auth]), None)
    identified = {} if delivery_id is None or id_header is None else {id_header: delivery_id}
    match auth:
        case "bearer":
            return {_BEARER: f"Bearer {_utf8(secret).decode('latin-1')}", **identified}
        case "github":
            return {_GITHUB: f"sha256={_signed(secret, body)}", **identified}
        case "stripe":
            moment = str(int(now))
            return {_STRIPE: f"t={moment},v1={_signed(secret, _timed(moment, body))}", **identified}


def delivery_id(auth: HookAuth, headers: Mapping[str, str], payload: Mapping[str, object] | None) -> str | None:
    """What the sender calls this delivery, the same each time it is sent; None if it has no name.

    Stripe's is in the payload, the id of the event; without a payload, or an id in it, its signature stands for it.
    """
    if auth == "stripe":
        given = None if payload is None else payload.get("id")
        if isinstance(given, str) and given:
            return _short(given)
        return "signature-" + _digest(_latin1(headers.get(_STRIPE, "")))[:32]
    given = next((headers[name] for name in _ID_HEADERS[auth] if headers.get(name, "").strip()), None)
    return None if given is None else _short(given.strip())


def _short(given: str) -> str:
    """An id that can be kept; a long one by its digest."""
    given = speakable(given)
    return given if len(given) <= MAX_ID_CHARS else "sha256-" + _digest(given.encode())


def _verify_bearer(kept: str, header: str) -> bool:
    scheme, _, token = header.partition(" ")
    return _equal(_digest(_latin1(token.strip(" \t"))), kept) and scheme.lower() == "bearer"


def _verify_stripe(kept: str, header: str, body: bytes, *, now: float) -> bool:
    pairs = [item.strip().partition("=")[::2] for item in header[:_MAX_HEADER_CHARS].split(",")]
    times = [value for name, value in pairs if name == "t"]
    signatures = [value for name, value in pairs if name == "v1"][:_MAX_SIGNATURES]
    moment = times[0] if len(times) == 1 and _TIME.fullmatch(times[0]) else ""
    wanted = _signed(kept, _timed(moment, body))
    is_signed = sum(_equal(given, wanted) for given in signatures) > 0  # all are looked at, whichever is right
    return is_signed and moment != "" and abs(now - int(moment)) <= TOLERANCE_S


def _timed(moment: str, body: bytes) -> bytes:
    return moment.encode() + b"." + body


def _signed(secret: str, message: bytes) -> str:
    return hmac.new(_utf8(secret), message, hashlib.sha256).hexdigest()


def _equal(given: str, wanted: str) -> bool:
    """In constant time: what is no digest at all is compared too."""
    is_digest = _HEX.fullmatch(given) is not None
    return hmac.compare_digest((given.lower() if is_digest else "-" * 64).encode(), wanted.encode()) and is_digest


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _latin1(header: str) -> bytes:
    """The bytes of a header; one that HTTP cannot have carried is taken as text."""
    try:
        return header.encode("latin-1")
    except UnicodeEncodeError:
        return _utf8(header)
