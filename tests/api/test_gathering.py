"""Frames that follow one another closely leave in one write, and nothing overtakes them or is lost by it."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from sygen_bot.api.gathering import MOST_HELD_BYTES
from sygen_bot.api.protocol import CLOSE_RESTART
from sygen_bot.api.socket import Socket, websocket_factory
from tests.api.wire import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="function")


class Wire(asyncio.Transport):
    """A transport that keeps each write, and the client at its other end."""

    def __init__(self) -> None:
        super().__init__({"socket": SimpleNamespace(setsockopt=lambda *_: None), "peername": ("127.0.0.1", 1)})
        self.writes: list[bytes] = []
        self.client = ClientProtocol(parse_uri("ws://127.0.0.1/ws"), max_size=None)
        self.frames: list[Frame] = []
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview[int]) -> None:
        self.writes.append(bytes(data))
        self.client.receive_data(bytes(data))
        self.frames.extend(event for event in self.client.events_received() if isinstance(event, Frame))

    def said(self) -> list[bytes]:
        return [bytes(frame.data) for frame in self.frames if frame.opcode is Opcode.TEXT]

    async def until_written(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.writes) < number:  # noqa: ASYNC110 - a transport tells nobody
                await asyncio.sleep(0)

    def close(self) -> None:
        self._closing = True

    abort = close

    def is_closing(self) -> bool:
        return self._closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Owner:
    """Takes the connection."""

    socket: Socket

    def admit(self, peer_address: str) -> bool:
        return bool(peer_address)

    def accept(self, socket: Socket) -> Owner:
        self.socket = socket
        socket.authenticated()
        return self

    def on_frame(self, data: bytes, is_text: bool) -> None: ...
    def on_frame_too_large(self) -> None: ...
    def on_writable(self) -> None: ...
    def on_closed(self) -> None: ...


Opened = tuple[Socket, Wire, asyncio.Protocol]


def opened(number: int = 1) -> list[Opened]:
    """Sockets of one server whose handshake is over, with nothing written since."""
    owner, sockets = Owner(), list[Opened]()
    make = websocket_factory(owner, max_frame_bytes=65536, first_frame_bytes=65536)
    for _ in range(number):
        wire = Wire()
        protocol = make(config=None, server_state=SimpleNamespace(connections=set()), app_state={})
        protocol.connection_made(wire)
        request = wire.client.connect()
        wire.client.send_request(request)
        protocol.open(request)
        wire.writes.clear()
        sockets.append((owner.socket, wire, protocol))
    return sockets


def send(socket: Socket, payloads: Iterable[bytes]) -> None:
    for payload in payloads:
        socket.send_soon(payload)


async def test_the_first_leaves_at_once_and_those_right_behind_it_together() -> None:
    [(socket, wire, _)] = opened()
    send(socket, [b"one", b"two" * 100, b"three"])
    assert wire.said() == [b"one"]
    await wire.until_written(2)
    assert wire.said() == [b"one", b"two" * 100, b"three"]
    assert len(wire.writes) == 2


async def test_what_comes_after_a_pause_leaves_at_once() -> None:
    [(socket, wire, _)] = opened()
    send(socket, [b"one", b"two"])
    await wire.until_written(2)
    async with asyncio.timeout(PATIENCE_S):
        for number in range(3, 1000):
            await asyncio.sleep(0.005)
            socket.send_soon(b"%d" % number)
            if len(wire.writes) == number:
                break
    assert wire.said()[-1] == b"%d" % number


@pytest.mark.parametrize(
    ("act", "last"),
    [
        (lambda socket, _: socket.send(b"a result"), Opcode.TEXT),
        (lambda socket, _: socket.close(CLOSE_RESTART, "enough"), Opcode.CLOSE),
        (lambda _, protocol: protocol.data_received(masked(b"hi", opcode=9)), Opcode.PONG),
        (lambda _, protocol: protocol.data_received(masked(b"\x03\xe8", opcode=8)), Opcode.CLOSE),
    ],
    ids=["another frame", "a close", "a pong", "the peer's close"],
)
async def test_nothing_overtakes_what_is_held_back(
    act: Callable[[Socket, asyncio.Protocol], None], last: Opcode
) -> None:
    [(socket, wire, protocol)] = opened()
    send(socket, [b"one", b"two", b"three"])
    act(socket, protocol)
    assert wire.said()[:3] == [b"one", b"two", b"three"]
    assert wire.frames[-1].opcode is last
    assert wire.frames[-1].data != b"three"


async def test_as_much_as_fills_a_write_is_not_held_back() -> None:
    [(socket, wire, _)] = opened()
    number = MOST_HELD_BYTES // 100 + 2
    small, large = os.urandom(100), base64.b64encode(os.urandom(MOST_HELD_BYTES))
    send(socket, [small, large])
    assert wire.said() == [small, large]
    send(socket, [small] * number)
    assert len(wire.writes) < 6
    assert len(wire.said()) >= number


async def test_a_connection_that_is_gone_gets_nothing_more() -> None:
    (socket, wire, protocol), (other, other_wire, _) = opened(2)
    for each in (socket, other):
        send(each, [b"one", b"two"])
    protocol.connection_lost(None)
    await other_wire.until_written(2)
    assert wire.said() == [b"one"]


async def test_many_sockets_all_get_theirs() -> None:
    sockets = opened(600)
    for socket, _, _ in sockets:
        send(socket, [b"one", b"two", b"three"])
    for _, wire, _ in sockets:
        await wire.until_written(2)
        assert wire.said() == [b"one", b"two", b"three"]


def masked(payload: bytes, *, opcode: int) -> bytes:
    return Frame(Opcode(opcode), payload).serialize(mask=True)
