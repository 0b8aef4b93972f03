"""The client's side of the protocol, written a second time from its description: plain websockets and PyNaCl's `Box`.

Nothing here uses our own encryption or encoding, so that a fault in them cannot hide behind itself.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket as sockets
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, Self

import pytest
from nacl.public import Box, PrivateKey, PublicKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

TOKEN = "a token with ümläuts"
PATIENCE_S = 30.0
"""How long anything may take before a test gives up on it."""

Event = dict[str, Any]


class Server(Protocol):
    """What is spoken to: a gateway, or anything else that listens on 127.0.0.1."""

    @property
    def url(self) -> str: ...
    @property
    def port(self) -> int: ...


@dataclass(frozen=True)
class Address:
    """A server that is no whole server."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def address(server: Server) -> str:
    """Where the WebSocket of a gateway is."""
    return server.url.replace("http", "ws", 1) + "/ws"


def auth(secret: PrivateKey | None = None, **fields: object) -> str:
    """The first frame of a client that knows the token; `fields` replace or add to it, None takes one away."""
    key = PrivateKey.generate() if secret is None else secret
    hello = {"type": "auth", "token": TOKEN, "e2e_pk": b64(bytes(key.public_key))} | fields
    return json.dumps({name: value for name, value in hello.items() if value is not None})


class Client:
    """One encrypted connection. Checks at every frame that the server's nonces keep their prefix and count upwards."""

    def __init__(self, socket: ClientConnection, secret: PrivateKey, hello: Event) -> None:
        self.socket, self.hello = socket, hello
        self.box = Box(secret, PublicKey(base64.b64decode(hello["e2e_pk"], validate=True)))
        self.nonces: list[bytes] = []
        self.frames: list[str] = []
        self.passed: list[Event] = []  # what came before the answers to requests

    def seal(self, plaintext: bytes | Event, nonce: bytes | None = None) -> str:
        """A frame that carries a message or whatever bytes."""
        raw = plaintext if isinstance(plaintext, bytes) else json.dumps(plaintext).encode()
        return b64(bytes(self.box.encrypt(raw, os.urandom(24) if nonce is None else nonce)))

    async def send(self, **message: object) -> None:
        await self.socket.send(self.seal(message))

    async def say(self, text: str, **fields: object) -> None:
        await self.send(type="message", text=text, **fields)

    def open(self, frame: str | bytes) -> Event:
        assert isinstance(frame, str), "every frame is text"
        raw = base64.b64decode(frame, validate=True)
        if self.nonces:
            last = self.nonces[-1]
            assert raw[:16] == last[:16], "the prefix of the server's nonces has changed"
            assert int.from_bytes(raw[16:24], "big") > int.from_bytes(last[16:], "big"), "the counter did not grow"
        self.nonces.append(raw[:24])
        self.frames = [*self.frames[-7:], frame]
        plaintext = self.box.decrypt(raw)
        event = json.loads(plaintext)
        assert isinstance(event, dict)
        return event

    async def receive(self) -> Event:
        async with asyncio.timeout(PATIENCE_S):
            return self.open(await self.socket.recv())

    async def until(self, *types: str) -> list[Event]:
        """The events up to the first of one of `types`."""
        events = [await self.receive()]
        while events[-1]["type"] not in types:
            events.append(await self.receive())
        return events

    async def until_ends(self, turns: int) -> list[Event]:
        """The events up to the end of as many turns."""
        events: list[Event] = []
        for _ in range(turns):
            events += await self.until("result", "error")
        return events

    async def ask(self, text: str) -> list[Event]:
        """Run one turn to its end."""
        await self.say(text)
        return await self.until("result", "error")

    async def quiet(self) -> list[Event]:
        """What had come before the answer to a ping: the events that are still on their way."""
        await self.send(type="ping")
        return (await self.until("pong"))[:-1]

    async def accepted(self, text: str, message_id: str) -> Event:
        """Send a message with an id; what is said first of it: that it was accepted."""
        await self.say(text, id=message_id)
        return (await self.until("accepted", "error"))[-1]

    async def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """(status, body) of a request over the socket. Events that come before it go to `passed`."""
        name = os.urandom(8).hex()
        await self.send(type="request", id=name, method=method, path=path, **({} if body is None else {"body": body}))
        while True:
            event = await self.receive()
            if event["type"] in ("response", "error") and event.get("id") == name:
                assert event["type"] == "response", event
                assert set(event) <= {"type", "id", "status", "body"}
                return event["status"], event.get("body")
            self.passed.append(event)

    async def refusal(self, frame: str | bytes) -> Event:
        """What the server says to one frame, which has to be an error."""
        await self.socket.send(frame)
        event = await self.receive()
        assert event["type"] == "error", event
        assert isinstance(event["message"], str)
        return event

    async def close_code(self) -> int | None:
        return await close_code(self.socket)


def said(events: list[Event]) -> str:
    """The deltas, joined."""
    return "".join(event["data"] for event in events if event["type"] == "text_delta")


def units(events: list[Event]) -> list[tuple[Any, ...]]:
    """What logged events say, one for each step of the log: a character of a delta, or another event. The rest is left out."""
    steps: list[tuple[Any, ...]] = []
    for event in events:
        if "cursor" in event and event["type"].endswith("_delta"):
            steps += [(event["type"], event["turn_id"], character) for character in event["data"]]
        elif "cursor" in event:
            steps.append(
                (json.dumps({name: value for name, value in event.items() if name != "cursor"}, sort_keys=True),)
            )
    return steps


def place(cursor: str) -> int:
    """The number in a cursor. Only tests look into one."""
    return int(cursor.rpartition(":")[2])


def cursor_at(cursor: str, number: int) -> str:
    """A cursor of the same log at another place."""
    return f"{cursor.rpartition(':')[0]}:{number}"


def results(events: list[Event]) -> list[Event]:
    return [event for event in events if event["type"] == "result"]


@asynccontextmanager
async def client(
    server: Server, *, secret: PrivateKey | None = None, options: dict[str, Any] | None = None, **fields: object
) -> AsyncIterator[Client]:
    """A connection that is past the handshake. `options` go to websockets, `fields` into the auth frame."""
    key = PrivateKey.generate() if secret is None else secret
    async with connect(
        address(server), **{"max_size": 2**24, "max_queue": None, "proxy": None, **(options or {})}
    ) as socket:
        await socket.send(auth(key, **fields))
        async with asyncio.timeout(PATIENCE_S):
            hello = json.loads(await socket.recv())
        assert hello["type"] == "auth_ok", hello
        yield Client(socket, key, hello)


async def close_code(socket: ClientConnection) -> int | None:
    """The code with which the server closes; None if the connection just broke. What comes before it is read and dropped."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await socket.recv()
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


class RawSocket:
    """A WebSocket by hand, for what a library would never send. Masks with zeros, so that bytes are what they look like."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, response: bytes) -> None:
        self.reader, self.writer, self.response = reader, writer, response

    @classmethod
    async def connect(cls, server: Server, *headers: str, path: str = "/ws", buffer_bytes: int = 0) -> Self:
        """Upgrade; further header lines as given. `buffer_bytes` bounds what waits here unread, 0: as the system likes."""
        socket = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
        if buffer_bytes:
            socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, buffer_bytes)
        socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(socket, ("127.0.0.1", server.port))
        reader, writer = await asyncio.open_connection(sock=socket)
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *headers,
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        async with asyncio.timeout(PATIENCE_S):
            return cls(reader, writer, await reader.readuntil(b"\r\n\r\n"))

    @staticmethod
    def frame(payload: bytes, opcode: int = 1, *, fin: bool = True, masked: bool = True, rsv1: bool = False) -> bytes:
        first = (0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode
        mask_bit = 0x80 if masked else 0
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", first, mask_bit | size)
        elif size < 65536:
            head = struct.pack("!BBH", first, mask_bit | 126, size)
        else:
            head = struct.pack("!BBQ", first, mask_bit | 127, size)
        return head + (b"\0\0\0\0" if masked else b"") + payload

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def read_frame(self) -> tuple[int, bytes]:
        """(opcode, payload) of the next frame."""
        async with asyncio.timeout(PATIENCE_S):
            first, second = await self.reader.readexactly(2)
            assert not second & 0x80, "a server does not mask"
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def read_close(self) -> int:
        """The code of the close frame, which has to come next, but for pings."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == 8:
                (code,) = struct.unpack("!H", payload[:2])
                return int(code)
            assert opcode == 9, (opcode, payload)

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):  # the server was quicker
            await self.writer.wait_closed()


async def raw_http(server: Server, request: str | bytes) -> tuple[int, dict[str, str], bytes]:
    """(status, headers by lower-case name, body) of whatever bytes; an empty line and `Connection: close` are the caller's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(request.encode("latin-1") if isinstance(request, str) else request)
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.read()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status.split()[1]) if status else 0, headers, body


async def turned_away(server: Server, **options: Any) -> tuple[int, Event]:
    """(status, body) of an upgrade that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address(server), proxy=None, **options):
            pass
    assert refused.value.response.headers["Content-Type"].startswith("application/json")
    return refused.value.response.status_code, json.loads(refused.value.response.body or b"null")
