"""The load client: many encrypted connections by picows, in C. It keeps what comes and looks into it only afterwards."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Sequence
from typing import Any, Final

from nacl.public import Box, PrivateKey, PublicKey
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

LIMIT_S: Final = 240.0
_AT_ONCE: Final = 32
_LOOK_EVERY_S: Final = 0.0003
_ENDS: Final = ("result", "error")


class WrongAnswer(RuntimeError):
    """What came is not what was said: nothing about it is worth measuring."""


class Client(WSListener):  # type: ignore[misc]
    """One connection. After `expect`, `done` is set when a frame of at least the given size comes, which only the whole answer has."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.times: list[float] | None = None
        self.done = asyncio.Event()
        self.is_gone = False
        self._end_bytes = 0
        self._transport: WSTransport
        self._box: Box
        self._waiter: asyncio.Future[None] | None = None

    # --- picows -------------------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' name
        self.is_gone = True
        self.done.set()
        if self._waiter is not None:
            self._waiter.set_exception(WrongAnswer("the server closed a connection"))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002 - picows' name
        if frame.msg_type == WSMsgType.TEXT:
            if self.times is not None:
                self.times.append(time.monotonic())
            self.frames.append(frame.get_payload_as_bytes())
            if frame.payload_size >= self._end_bytes:
                self.done.set()
            if self._waiter is not None:
                self._waiter.set_result(None)
                self._waiter = None

    # --- what a benchmark calls ---------------------------------------------------------------------------------------

    async def handshake(self, token: str, chat_id: int, **fields: object) -> None:
        """Authenticate. Raises WrongAnswer if it is refused."""
        private = PrivateKey.generate()
        public = base64.b64encode(bytes(private.public_key)).decode()
        self.expect(0)
        self._send({"type": "auth", "e2e_pk": public, "token": token, "chat_id": chat_id} | fields)
        await asyncio.wait_for(self.done.wait(), LIMIT_S)
        if self.is_gone or "e2e_pk" not in (answer := json.loads(self.frames[0])):
            raise WrongAnswer("the handshake was refused")
        self._box = Box(private, PublicKey(base64.b64decode(answer["e2e_pk"])))
        self.expect(1 << 40)

    def expect(self, end_bytes: int, *, with_times: bool = False) -> None:
        """Forget what came. `done` will be set by a frame of at least that size."""
        self.frames.clear()
        self.times = [] if with_times else None
        self.done.clear()
        self._end_bytes = end_bytes

    def say(self, text: str, **fields: object) -> None:
        """Send a message."""
        frame = self._box.encrypt(json.dumps({"type": "message", "text": text} | fields).encode())
        self._transport.send(WSMsgType.TEXT, base64.b64encode(frame))

    def _send(self, fields: dict[str, Any]) -> None:
        self._transport.send(WSMsgType.TEXT, json.dumps(fields).encode())

    def events(self, *, start: int = 0) -> list[dict[str, Any]]:
        """What came since frame `start`, decrypted."""
        return [json.loads(self._box.decrypt(base64.b64decode(frame))) for frame in self.frames[start:]]

    async def another(self) -> None:
        """Wait for one more frame."""
        self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.wait_for(self._waiter, LIMIT_S)

    def disconnect(self) -> None:
        self._transport.disconnect(graceful=False)


async def connect(port: int, token: str, chats: Sequence[int], **fields: object) -> list[Client]:
    """A client for each of the chats."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(chat_id: int) -> Client:
        async with gate:
            _, client = await ws_connect(Client, f"ws://127.0.0.1:{port}/ws", enable_auto_ping=False)
            await client.handshake(token, chat_id, **fields)
            return client  # type: ignore[no-any-return]

    return list(await asyncio.gather(*(one(chat_id) for chat_id in chats)))


async def done(clients: Sequence[Client], *, is_prompt: bool = False) -> None:
    """Return when all have what they expect. Raises WrongAnswer, TimeoutError.

    Unless it is to be prompt, the client looks for frames now and then and does not wait for them: to wake a process of the same machine, or to
    contend with one that always looks, would be paid for by the server's `send(2)`, as no client elsewhere makes it.
    """
    async with asyncio.timeout(LIMIT_S):
        for client in clients:
            if is_prompt:
                await client.done.wait()
            while not client.done.is_set():
                time.sleep(_LOOK_EVERY_S)
                await asyncio.sleep(0)
    if any(client.is_gone for client in clients):
        raise WrongAnswer("the server closed a connection")


def deltas(client: Client, *, expected: str | None, count: int) -> int:
    """The number of frames that carried text. Raises WrongAnswer unless all of it came whole and in order, and the result says the same.

    `expected`: the whole text, if it is known beforehand.
    """
    pieces, result = [], None
    for event in client.events():
        if event["type"] == "text_delta":
            if result is not None:
                raise WrongAnswer("text after the end")
            pieces.append(event["data"])
        elif event["type"] in _ENDS:
            result = event.get("text")
    text = "".join(pieces)
    if text != result or len(text) != 40 * count or (expected is not None and text != expected):
        raise WrongAnswer(f"{len(text)} of {40 * count} characters came, or not the right ones")
    return len(pieces)
