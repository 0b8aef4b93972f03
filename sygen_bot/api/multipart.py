"""Uploads as browsers send them (multipart/form-data, RFC 7578), streamed to disk without ever holding them in memory."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from starlette.requests import Request

from sygen_bot.errors import BadRequest, TooLarge, Unavailable

if TYPE_CHECKING:
    from python_multipart import MultipartParser

# Every body that is no form would be a warning in the gateway's log, written while everybody waits.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

_MAX_PARTS: Final = 32
_MAX_VALUE_BYTES: Final = 64 * 1024
_MAX_FRAMING_BYTES: Final = 256 * 1024
"""What a body may be larger than its file: boundaries, headers, other fields."""
_WRITE_BYTES: Final = 512 * 1024
_SILENCE_S: Final = 60.0


@dataclass(slots=True)
class ReceivedFile:
    """A file that came whole. `filename` is what the client calls it; `path` is gone when the context is left, unless it was moved."""

    path: Path
    filename: str
    fields: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def received_file(
    request: Request, *, name: str, max_bytes: int, temporary: Callable[[], Path], texts: Collection[str] = ()
) -> AsyncIterator[ReceivedFile]:
    """The file in the field `name` of the body, and the text fields `texts`; other fields are passed over.

    `temporary` gives the path of a file to make. Raises BadRequest, TooLarge, Unavailable; ClientDisconnect if the client has gone.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes + _MAX_FRAMING_BYTES:
        raise _too_large(max_bytes)
    body = _Body(name=name, max_bytes=max_bytes, texts=texts)
    parser = _parser(request, body)
    with storing():
        path = await asyncio.to_thread(temporary)
    try:
        with storing(), await asyncio.to_thread(_create, path) as file:
            await _receive(request, parser, body, file)
        if body.filename is None:
            raise BadRequest(f"The body has no file in its field `{name}`.")
        yield ReceivedFile(path, body.filename, body.fields)
    finally:
        with suppress(OSError):
            await asyncio.to_thread(path.unlink, missing_ok=True)


@contextmanager
def storing() -> Iterator[None]:
    """What the disk says, for clients. Raises Unavailable."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"The file cannot be stored: {error.strerror or 'the disk does not answer'}.") from error


async def _receive(request: Request, parser: MultipartParser, body: _Body, file: BinaryIO) -> None:
    from python_multipart.exceptions import FormParserError

    received = 0
    chunks = request.stream()
    try:
        while True:
            async with asyncio.timeout(_SILENCE_S):
                chunk = await anext(chunks, b"")
            if not chunk:
                break
            received += len(chunk)
            if received > body.max_bytes + _MAX_FRAMING_BYTES:
                raise _too_large(body.max_bytes)
            parser.write(chunk)
            if body.waiting >= _WRITE_BYTES:
                await asyncio.to_thread(file.write, body.take())
        parser.finalize()
    except FormParserError as error:
        raise BadRequest("The body is no valid multipart/form-data.") from error
    except TimeoutError as error:
        raise BadRequest(f"Nothing came for {_SILENCE_S:g} s.") from error
    if not body.is_whole:
        raise BadRequest("The body ends before its last boundary.")
    await asyncio.to_thread(_finish, file, body.take())


class _Body:
    """What the parser finds: the file's bytes until they are taken, and the text fields."""

    def __init__(self, *, name: str, max_bytes: int, texts: Collection[str]) -> None:
        self.max_bytes = max_bytes
        self.filename: str | None = None
        self.fields: dict[str, str] = {}
        self.is_whole = False
        self.waiting = 0
        self._name = name
        self._texts = texts
        self._parts = 0
        self._size = 0
        self._chunks: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""
        self._text: bytearray | None = None
        self._text_name = ""
        self._is_file = False

    def take(self) -> bytes:
        data = b"".join(self._chunks)
        self._chunks.clear()
        self.waiting = 0
        return data

    # --- what python-multipart calls ----------------------------------------------------------------------------------

    def on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise TooLarge(f"The body has more than {_MAX_PARTS} fields.")
        self._headers = {}

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def on_headers_finished(self) -> None:
        from python_multipart.multipart import parse_options_header

        disposition, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name")
        if disposition != b"form-data" or name is None:
            raise BadRequest("A part of the body has no name.")
        self._text_name, filename = _text(name), options.get(b"filename")
        self._is_file = self._text_name == self._name and filename is not None
        self._text = bytearray() if self._text_name in self._texts and not self._is_file else None
        if self._is_file:
            if self.filename is not None:
                raise BadRequest(f"The body has more than one file in its field `{self._name}`. Send one at a time.")
            self.filename = _text(filename or b"")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._size += end - start
            if self._size > self.max_bytes:
                raise _too_large(self.max_bytes)
            self._chunks.append(data[start:end])
            self.waiting += end - start
        elif self._text is not None:
            self._text += data[start:end]
            if len(self._text) > _MAX_VALUE_BYTES:
                raise TooLarge(f"The field `{self._text_name}` is longer than {_MAX_VALUE_BYTES // 1024} KiB.")

    def on_part_end(self) -> None:
        if self._text is not None:
            self.fields[self._text_name] = _text(bytes(self._text))

    def on_end(self) -> None:
        self.is_whole = True


def _parser(request: Request, body: _Body) -> MultipartParser:
    """Raises BadRequest."""
    from python_multipart import MultipartParser
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import parse_options_header

    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise BadRequest("The body is to be multipart/form-data with a boundary.")
    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": body.on_part_begin,
                "on_header_field": body.on_header_field,
                "on_header_value": body.on_header_value,
                "on_header_end": body.on_header_end,
                "on_headers_finished": body.on_headers_finished,
                "on_part_data": body.on_part_data,
                "on_part_end": body.on_part_end,
                "on_end": body.on_end,
            },
        )
    except FormParserError as error:
        raise BadRequest("The boundary is too long.") from error


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb", buffering=0)


def _finish(file: BinaryIO, rest: bytes) -> None:
    file.write(rest)
    os.fsync(file.fileno())


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The file is larger than {max_bytes} bytes, the most that is taken here.")
