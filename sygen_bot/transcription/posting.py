"""Sending a recording to a server, as the form that speech APIs take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing

import httpx
import msgspec

from sygen_bot.transcription.command import MOST_OUTPUT
from sygen_bot.transcription.engines import Heard, read_answer
from sygen_bot.transcription.errors import EngineFailed
from sygen_bot.transcription.recording import Recording


async def post(url: str, recording: Recording, *, fields: Mapping[str, str], headers: Mapping[str, str]) -> Heard:
    """POST the recording as `file`, streamed from the disk, beside `fields`. Raises EngineFailed.

    Redirects are not followed: the key is for one server.
    """
    file = await asyncio.to_thread(recording.path.open, "rb")
    try:
        async with httpx.AsyncClient(timeout=httpx.Timeout(None, connect=10)) as client:
            request = client.build_request(
                "POST",
                url,
                data=dict(fields),
                files={"file": (recording.path.name, file, recording.mime)},
                headers={"Accept-Encoding": "identity", **headers},
            )
            if isinstance(request.stream, httpx.SyncByteStream):
                request.stream = _ReadInThread(request.stream)
            async with aclosing(await client.send(request, stream=True)) as response:
                body = await _body(response)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EngineFailed(f"its server cannot be asked: {type(error).__name__} {error}") from error
    finally:
        file.close()
    if not response.is_success:
        raise EngineFailed(f"its server answered {response.status_code}: {_reason(body)}")
    return read_answer(body, must_be_json="json" in response.headers.get("content-type", ""))


class _ReadInThread(httpx.AsyncByteStream):
    """The same form, with its file read in a thread."""

    def __init__(self, form: Iterable[bytes]) -> None:
        self._form = form

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self._form)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for some in response.aiter_raw():
        body += some
        if len(body) > MOST_OUTPUT:
            raise EngineFailed(f"its server answered with more than {MOST_OUTPUT // 1024 // 1024} MiB")
    return bytes(body)


def _reason(body: bytes) -> str:
    """What speech APIs say in `{"error": {"message": ...}}`, or the beginning of what is there instead."""
    try:
        match msgspec.json.decode(body):
            case {"error": {"message": str(message)}} | {"error": str(message)} | {"message": str(message)}:
                return message
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return body[:500].decode(errors="replace")
