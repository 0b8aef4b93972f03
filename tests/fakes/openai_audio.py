"""A speech API on loopback: real HTTP, the form taken apart, and an answer that the test chooses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from python_multipart.multipart import MultipartParser, parse_options_header

_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Posted:
    """One request. `file` is what was sent as `file`, the other fields are text."""

    path: str
    headers: dict[str, str]
    fields: dict[str, str]
    file: bytes
    file_name: str
    file_type: str


@dataclass
class SpeechApi:
    """`status`, `body` and `headers` are answered, after `gate` has opened. `left` says that a client went before that."""

    url: str = ""
    status: int = 200
    body: bytes = b'{"text": "hello from the server"}'
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[Posted] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def answer(self, body: object, status: int = 200) -> None:
        """Answer with this as JSON."""
        self.body, self.status = json.dumps(body).encode(), status


@asynccontextmanager
async def speech_api() -> AsyncIterator[SpeechApi]:
    """It, on a free port. `url` is its address, without a path."""
    api = SpeechApi()
    api.gate.set()
    talks: set[asyncio.Task[None]] = set()

    def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_talk(api, reader, writer))
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield api
    finally:
        server.close()
        for task in talks:
            task.cancel()
        if talks:
            await asyncio.wait(talks)
        await server.wait_closed()


async def _talk(api: SpeechApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        api.requests.append(await _read(reader))
        api.at_once += 1
        api.most_at_once = max(api.most_at_once, api.at_once)
        api.asked.set()
        going = asyncio.create_task(reader.read(1))
        opening = asyncio.create_task(api.gate.wait())
        try:
            await asyncio.wait({going, opening}, return_when=asyncio.FIRST_COMPLETED)
            if going.done():
                api.left.set()
                return
        finally:
            api.at_once -= 1
            going.cancel()
            opening.cancel()
        told = {"Content-Length": str(len(api.body)), "Connection": "close", **api.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"HTTP/1.1 {api.status} Status\r\n{head}\r\n".encode() + api.body)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        api.left.set()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Posted:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
            assert len(body) <= _MOST_BYTES
        await reader.readline()
    else:
        body = await reader.readexactly(min(int(headers["content-length"]), _MOST_BYTES))
    parts = _parts(body, headers["content-type"])
    file, file_name, file_type = parts.pop("file")
    fields = {name: value.decode() for name, (value, _, _) in parts.items()}
    return Posted(head[0].split()[1], headers, fields, file, file_name, file_type)


def _parts(body: bytes, content_type: str) -> dict[str, tuple[bytes, str, str]]:
    """Name -> content, file name, type."""
    parts: dict[str, tuple[bytes, str, str]] = {}
    headers: dict[str, str] = {}
    current = {"name": "", "value": "", "data": b""}

    def on_header_field(data: bytes, start: int, end: int) -> None:
        current["name"] = data[start:end].decode().lower()

    def on_header_value(data: bytes, start: int, end: int) -> None:
        headers[str(current["name"])] = data[start:end].decode()

    def on_part_begin() -> None:
        headers.clear()
        current["data"] = b""

    def on_part_data(data: bytes, start: int, end: int) -> None:
        current["data"] = bytes(current["data"]) + data[start:end]  # type: ignore[arg-type]

    def on_part_end() -> None:
        options = parse_options_header(headers["content-disposition"])[1]
        name, file_name = options[b"name"].decode(), options.get(b"filename", b"").decode()
        parts[name] = bytes(current["data"]), file_name, headers.get("content-type", "")  # type: ignore[arg-type]

    boundary = parse_options_header(content_type)[1][b"boundary"]
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": on_part_begin,
            "on_part_data": on_part_data,
            "on_part_end": on_part_end,
            "on_header_field": on_header_field,
            "on_header_value": on_header_value,
        },
    )
    parser.write(body)
    parser.finalize()
    return parts
