"""A file as an answer: conditions, ranges and safe headers (RFC 9110), read from the descriptor that was checked.

The framework's own response opens a path a second time, sends what a growing file has gained meanwhile, and refuses in a
shape of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from sygen_bot.files.allowed_roots import OpenedFile
from sygen_bot.files.mime import kind_of, media_type

_CHUNK_BYTES: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE | re.ASCII)


def file_response(request: Request, file: OpenedFile) -> Response:
    """Answers with the file or the one range of it that is asked for, and closes it. Several ranges: the whole, as is allowed.

    Raises HTTPException 416.
    """
    mime = media_type(file.head, file.path.name)
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition(file.path.name, is_inline=kind_of(mime) != "document"),
        "ETag": file.etag,
        "Last-Modified": formatdate(file.modified_at, usegmt=True),
        "X-Content-Type-Options": "nosniff",
    }
    if kind_of(mime) == "document":
        headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    if matches(request.headers.get("If-None-Match"), file.etag):
        file.close()
        return Response(status_code=304, headers=headers)
    status, first, length = 200, 0, file.size
    if (asked := _range(request, file, headers)) is not None:
        first, length = asked
        status = 206
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{file.size}"
    headers["Content-Length"] = str(length)
    if request.method == "HEAD":
        file.close()
        return Response(status_code=status, headers=headers, media_type=mime)
    return streamed(file, first=first, length=length, status=status, headers=headers, mime=mime)


def streamed(
    file: OpenedFile,
    *,
    first: int = 0,
    length: int | None = None,
    status: int = 200,
    headers: dict[str, str],
    mime: str,
) -> Response:
    """Sends `length` bytes of the file, from `first` on, or all of it, and closes it."""
    length = file.size if length is None else length
    headers = {**headers, "Content-Length": str(length)}
    return _Sent(_parts(file, first, length), file, status_code=status, headers=headers, media_type=mime)


def content_disposition(name: str, *, is_inline: bool) -> str:
    """With plain letters for old programs and the real name for the others (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._ ()+-]", "_", name)
    kind = "inline" if is_inline else "attachment"
    real = quote(os.fsencode(name), safe="")
    return f'{kind}; filename="{plain}"' + ("" if plain == name else f"; filename*=UTF-8''{real}")


def matches(condition: str | None, etag: str) -> bool:
    """Whether an If-None-Match names this ETag, weak or strong."""
    if condition is None:
        return False
    named = [one.strip().removeprefix("W/") for one in condition.split(",")]
    return "*" in named or etag in named


class _Sent(StreamingResponse):
    """Closes the file, however the sending ends."""

    def __init__(self, parts: AsyncIterator[bytes], file: OpenedFile, **response: object) -> None:
        super().__init__(parts, **response)  # type: ignore[arg-type]  # passed on as it is
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


async def _parts(file: OpenedFile, position: int, left: int) -> AsyncIterator[bytes]:
    """Exactly `left` bytes, whatever becomes of the file; fewer break the connection, so that nobody takes them for all."""
    while left:
        part = await asyncio.to_thread(os.pread, file.fd, min(left, _CHUNK_BYTES), position)
        if not part:
            raise EOFError(f"{Path(file.path.name)} has become shorter while it was sent")
        position += len(part)
        left -= len(part)
        yield part


def _range(request: Request, file: OpenedFile, headers: dict[str, str]) -> tuple[int, int] | None:
    """First byte and length of what is asked for; None for the whole. Raises HTTPException 416."""
    condition = request.headers.get("If-Range")
    if condition is not None and condition not in (headers["ETag"], headers["Last-Modified"]):
        return None
    asked = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if asked is None or asked[0].endswith("=-"):
        return None
    if not asked[1]:
        length = min(int(asked[2]), file.size)
        return (file.size - length, length) if length else _not_satisfiable(file)
    first, last = int(asked[1]), min(int(asked[2] or file.size), file.size - 1)
    if asked[2] and int(asked[2]) < first:
        return None
    return (first, last - first + 1) if first < file.size else _not_satisfiable(file)


def _not_satisfiable(file: OpenedFile) -> NoReturn:
    raise HTTPException(416, "The file has no such range.", {"Content-Range": f"bytes */{file.size}"})
