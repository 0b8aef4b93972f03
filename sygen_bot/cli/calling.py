"""How a command asks the gateway's JSON API."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from sygen_bot.cli.connection import Endpoint, not_accepted, with_advice

_GIVE_UP_S: Final = 5.0


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
