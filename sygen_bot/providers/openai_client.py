"""The official client, used for one thing: to send a conversation and to hand over the bytes of the answer as they come.

Import this in a thread, and not before the first turn: the client takes most of a second to load.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import openai
import openai.resources.chat.completions  # else it would load in the first turn, on the loop

from sygen_bot.providers.openai_endpoint import Endpoint
from sygen_bot.providers.openai_errors import Broken, NotAChat, Refused, Silent, Unreachable, retry_after_s

_CONNECT_TIMEOUT_S: Final = 10.0
_SEND_TIMEOUT_S: Final = 60.0
_REST_TIMEOUT_S: Final = 0.1
_MAX_ERROR_BYTES: Final = 64 * 1024
_ERROR_TIMEOUT_S: Final = 5.0
_MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024

_SENT: Final = frozenset(
    {
        *("host", "connection", "accept", "accept-encoding", "content-type", "content-length", "transfer-encoding"),
        *("user-agent", "authorization"),
    }
)
_SENT_TO_OPENAI: Final = frozenset({"openai-organization", "openai-project"})


class Answer:
    """An answer that has begun. `is_stream`: whether its pieces are server-sent events, or one JSON document."""

    def __init__(self, response: httpx2.Response, *, is_stream: bool) -> None:
        self._response = response
        self.is_stream = is_stream

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they come. Raises Silent and Broken."""
        size = 0
        try:
            async for piece in self._response.aiter_bytes():
                size += len(piece)
                if not self.is_stream and size > _MAX_DOCUMENT_BYTES:
                    raise NotAChat
                yield piece
        except httpx2.TimeoutException as error:
            raise Silent from error
        except (httpx2.RequestError, httpx2.StreamError) as error:
            raise Broken from error


async def read_rest(pieces: AsyncGenerator[bytes, None]) -> None:
    """Read to the end, if that is near: then the connection can serve again."""
    with contextlib.suppress(TimeoutError, Silent, Broken):
        async with asyncio.timeout(_REST_TIMEOUT_S):
            async for _ in pieces:
                pass


class ChatClient:
    """Requests to one endpoint, over connections that are kept. `silence_timeout_s`: how long it may say nothing.

    Made in a thread, too: it reads certificates. What the environment says of proxies may make it raise.
    """

    def __init__(self, endpoint: Endpoint, *, silence_timeout_s: float) -> None:
        self.asks_for_usage = True
        """Some endpoints refuse the question."""
        headers = endpoint.own_headers
        named = {name.lower() for name in headers}
        self._has_authorization = "authorization" in named
        self._sent = _SENT | named | (_SENT_TO_OPENAI if endpoint.is_openai else frozenset())
        timeout = httpx2.Timeout(
            silence_timeout_s, connect=_CONNECT_TIMEOUT_S, write=_SEND_TIMEOUT_S, pool=_CONNECT_TIMEOUT_S
        )
        self._client = openai.AsyncOpenAI(
            api_key=endpoint.key or "none",  # without any, it would take one from the environment
            base_url=endpoint.url,
            max_retries=0,
            timeout=timeout,
            default_headers={"Accept-Encoding": "identity", **headers},
            http_client=httpx2.AsyncClient(
                timeout=timeout,
                trust_env=not endpoint.is_loopback,
                follow_redirects=False,  # the key is for one server
                event_hooks={"request": [self._send_only_own_headers], "response": [_bound_error]},
            ),
        )

    @asynccontextmanager
    async def ask(self, model: str, messages: list[dict[str, Any]]) -> AsyncIterator[Answer]:
        """Send a conversation. Leaving the block closes the connection, if the answer is not at its end.

        Raises Unreachable, Silent, Broken, Refused and NotAChat.
        """
        try:
            stream = await self._client.chat.completions.create(
                model=model,
                messages=[],
                extra_body={
                    "messages": messages
                },  # as they are: the client would look at every field of each for half a millisecond
                stream=True,
                stream_options={"include_usage": True} if self.asks_for_usage else openai.omit,
            )
        except openai.APIStatusError as error:
            status, wait_s = error.status_code, retry_after_s(error.response.headers)
            raise Refused(status, error.body, retry_after_s=wait_s) from error
        except openai.APITimeoutError as error:
            is_connecting = isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
            raise (Unreachable if is_connecting else Silent) from error
        except openai.APIConnectionError as error:
            is_connecting = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ProxyError)
            raise (Unreachable if is_connecting else Broken) from error
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NotAChat from error
        response = stream.response  # and not the chunks: the client gives up at the first one that it cannot read
        try:
            kind = response.headers.get("content-type", "").lower()
            if "html" in kind:
                raise NotAChat
            yield Answer(response, is_stream="json" not in kind or "stream" in kind)
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def _send_only_own_headers(self, request: httpx2.Request) -> None:
        """Nothing that the client adds by itself: details of this machine, and what OPENAI_* variables hold for OpenAI."""
        for name in list(request.headers):
            if name.lower() not in self._sent:
                del request.headers[name]
        if not self._has_authorization and request.headers.get("authorization", "").startswith("Bearer "):
            del request.headers["authorization"]


async def _bound_error(response: httpx2.Response) -> None:
    if not response.is_success and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Beginning(response.stream)


class _Beginning(httpx2.AsyncByteStream):
    """The text of an error. The client reads it to its end, which that of a broken server may never come to."""

    def __init__(self, whole: httpx2.AsyncByteStream) -> None:
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ERROR_TIMEOUT_S):
                async for piece in self._whole:
                    yield piece
                    size += len(piece)
                    if size > _MAX_ERROR_BYTES:
                        return

    async def aclose(self) -> None:
        await self._whole.aclose()
