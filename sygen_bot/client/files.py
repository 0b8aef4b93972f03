"""Files to and from a gateway, over HTTP: streamed, never whole in memory, and taken up again after a broken connection."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import urljoin

from sygen_bot.client.errors import ConnectionLost, NotPrivate, TransferFailed
from sygen_bot.client.line import Line, LineBroken, broken_lines, on_a_line
from sygen_bot.client.outgoing import Form, Given, body_of, opened
from sygen_bot.client.part import Outflow, Part, Sink
from sygen_bot.client.pauses import pauses
from sygen_bot.client.shapes import UploadedFile, refusal, shaped
from sygen_bot.client.wire import Address

if TYPE_CHECKING:
    import httpx

Progress = Callable[[int, int | None], None]
"""Told the bytes that have travelled, and all there are, if that is known."""

_CONNECT_S: Final = 10.0
_STALL_S: Final = 30.0
_VERDICT_S: Final = 120.0
"""How long the gateway may take with a file that it has: pictures are scaled down."""
_PERHAPS_TOO_LARGE: Final = "Perhaps it is larger than the gateway takes (`api.max_upload_bytes` there)."
_FRUITLESS: Final = 6
"""So many attempts in a row may bring nothing of a download, before it is given up."""
_LONGEST_REFUSAL_BYTES: Final = 64 * 1024
_PASSING: Final = (502, 503, 504)


class Files:
    """Uploads and downloads of one gateway. `address` tells where it is and what opens it now."""

    def __init__(
        self, *, address: Callable[[], Address], ssl_context: ssl.SSLContext | None, give_up_after_s: float | None
    ) -> None:
        self._address = address
        self._ssl_context = ssl_context
        self._give_up_after_s = give_up_after_s

    async def upload(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        name: str | None,
        caption: str | None,
        on_progress: Progress | None,
        allow_plain: bool,
        until_there: Callable[[], Awaitable[object]],
    ) -> UploadedFile:
        """One more attempt is made after a broken connection, when `until_there` says that the gateway is there again."""
        self._check_private(allow_plain=allow_plain)
        given = await on_a_line(lambda _line: opened(source, name))  # a named pipe waits for who writes
        try:
            return await self._attempts(given, caption, on_progress, until_there)
        finally:
            given.close()

    async def download(
        self,
        path: str,
        to: str | os.PathLike[str],
        *,
        on_progress: Progress | None,
        overwrite: bool,
        allow_plain: bool,
        link: Callable[[], Awaitable[str]],
    ) -> Path:
        self._check_private(allow_plain=allow_plain)
        part = await asyncio.to_thread(Part, Path(to), path, overwrite=overwrite)
        try:
            await self._fetch_all(part, on_progress, link)
            return await asyncio.to_thread(part.finish)
        finally:
            await asyncio.to_thread(part.close)

    async def copy(
        self,
        stream: BinaryIO,
        *,
        on_progress: Progress | None,
        allow_plain: bool,
        link: Callable[[], Awaitable[str]],
    ) -> None:
        self._check_private(allow_plain=allow_plain)
        await self._fetch_all(Outflow(stream), on_progress, link)

    def absolute(self, url: str) -> str:
        """A URL as the gateway tells it, from where we see the gateway."""
        base = self._address().http_url
        return f"{base}{url}" if url.startswith("/") else urljoin(f"{base}/", url)

    def _check_private(self, *, allow_plain: bool) -> None:
        """Who knows the gateway's key has a socket that hides everything; files must not tell more by accident.

        Without the key the socket itself has shown the token to everybody on the way.
        """
        address = self._address()
        is_plain = address.url.startswith("ws:") and not address.is_loopback
        if is_plain and address.server_key is not None and not allow_plain:
            raise NotPrivate(address.http_url)

    # --- attempts -----------------------------------------------------------------------------------------------------

    async def _attempts(
        self,
        given: Given,
        caption: str | None,
        on_progress: Progress | None,
        until_there: Callable[[], Awaitable[object]],
    ) -> UploadedFile:
        told = _on_this_loop(on_progress)
        for last in (False, True):
            address = self._address()
            try:
                return await on_a_line(lambda line: self._send(line, address, given, caption, told))  # noqa: B023
            except LineBroken as error:
                if last or not given.rewind():
                    perhaps = "" if given.is_small else f" {_PERHAPS_TOO_LARGE}"
                    raise TransferFailed(f"The file was not uploaded: {error.reason}.{perhaps}") from error
            await until_there()
        raise AssertionError("the last attempt returns or raises")

    async def _fetch_all(self, sink: Sink, on_progress: Progress | None, link: Callable[[], Awaitable[str]]) -> None:
        """Attempts, as long as each brings something: the file comes by a link of its own, and the token stays here."""
        fruitless, since, waits = 0, time.monotonic(), pauses()
        while True:
            before = sink.resume_point()
            told = _on_this_loop(on_progress)
            try:
                url = await link()
                address = self._address()
                return await on_a_line(lambda line: self._fetch(line, address, url, sink, told))  # noqa: B023
            except (LineBroken, ConnectionLost) as error:
                if sink.resume_point() != before:
                    fruitless, since, waits = 0, time.monotonic(), pauses()
                else:
                    fruitless += 1
                away_s = time.monotonic() - since
                if fruitless >= _FRUITLESS or (self._give_up_after_s is not None and away_s > self._give_up_after_s):
                    reason = error.reason if isinstance(error, LineBroken) else "the connection was lost"
                    raise TransferFailed(f"The file did not arrive whole: {reason}.") from error
                await asyncio.sleep(next(waits))

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _send(
        self, line: Line, address: Address, given: Given, caption: str | None, told: Callable[[int, int | None], None]
    ) -> UploadedFile:
        import httpx

        form = Form(given.name, caption)
        headers = {
            b"Authorization": f"Bearer {address.token}".encode(),
            b"Content-Type": form.content_type,
        }
        if given.size is not None:
            headers[b"Content-Length"] = str(len(form.head) + given.size + len(form.tail)).encode()
        with broken_lines(), self._client(address, read_s=_VERDICT_S) as http:
            response = http.send(
                http.build_request(
                    "POST",
                    f"{address.http_url}/upload",
                    headers=headers,
                    content=body_of(form, given, line, told),
                    extensions={"trace": line.trace},
                ),
                stream=True,
            )
            with closing(response):
                body = _json(response)
                if not httpx.codes.is_success(response.status_code):
                    raise refusal(response.status_code, body)
                return shaped(body, UploadedFile, status=response.status_code)

    def _fetch(
        self, line: Line, address: Address, url: str, sink: Sink, told: Callable[[int, int | None], None]
    ) -> None:
        have, etag = sink.resume_point()
        headers = {"Accept-Encoding": "identity"} | (
            {"Range": f"bytes={have}-", "If-Range": etag} if have and etag else {}
        )
        with (
            broken_lines(),
            self._client(address, read_s=_STALL_S) as http,
            http.stream("GET", url, headers=headers, extensions={"trace": line.trace}) as response,
        ):
            have = _begin(response, sink, have)
            length = response.headers.get("Content-Length", "")
            total = have + int(length) if length.isdecimal() and response.status_code != 416 else None
            told(have, total)
            for data in response.iter_raw() if response.status_code != 416 else ():
                line.check()
                sink.write(data)
                have += len(data)
                told(have, total)

    def _client(self, address: Address, *, read_s: float) -> httpx.Client:
        import httpx

        is_open = address.is_loopback and address.url.startswith("ws:")  # reading all authorities takes a while
        return httpx.Client(
            verify=False if is_open else self._tls(),
            timeout=httpx.Timeout(_STALL_S, connect=_CONNECT_S, read=read_s),
            trust_env=not address.is_loopback,
        )

    def _tls(self) -> ssl.SSLContext:
        """Trusts the authorities that the socket trusts."""
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
        return self._ssl_context


def _begin(response: httpx.Response, sink: Sink, have: int) -> int:
    """Make ready for what the answer brings. Returns how much is before it; raises what it is instead."""
    name = _said_name(response.headers.get("Content-Disposition", ""))
    whole_range = response.headers.get("Content-Range", "")
    match response.status_code:
        case 200:
            sink.start(response.headers.get("ETag", ""), name)
            return 0
        case 206 if whole_range.startswith(f"bytes {have}-"):
            sink.go_on(name)
            return have
        case 416 if whole_range == f"bytes */{have}":  # it is all here
            sink.go_on(name)
            return have
        case 206 | 416:
            sink.start("", name)
            raise LineBroken("another part came than the one that was asked for")
        case status if status in _PASSING:
            raise LineBroken(str(refusal(status, _json(response))).rstrip("."))
        case status:
            raise refusal(status, _json(response))


def _on_this_loop(on_progress: Progress | None) -> Callable[[int, int | None], None]:
    """`on_progress`, to be called from a thread."""
    if on_progress is None:
        return lambda _done, _total: None
    loop = asyncio.get_running_loop()

    def told(done: int, total: int | None) -> None:
        loop.call_soon_threadsafe(on_progress, done, total)

    return told


def _json(response: httpx.Response) -> object:
    """The body, if it is JSON and not endless."""
    import json

    body = b""
    for data in response.iter_bytes():
        body += data
        if len(body) > _LONGEST_REFUSAL_BYTES:
            return None
    try:
        decoded: object = json.loads(body)
    except ValueError:
        return None
    return decoded


def _said_name(disposition: str) -> str | None:
    """The name in a Content-Disposition, whichever way it is written."""
    header = Message()
    header["Content-Disposition"] = disposition.replace("\r", " ").replace("\n", " ")
    return header.get_filename()
