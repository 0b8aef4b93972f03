"""A real gateway on a free port, spoken to over a real WebSocket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sygen_bot.api.crypto import E2ESession, agree, decode_key, encode_key, new_key_pair
from sygen_bot.config import load_settings
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths

TOKEN = "a token with ümläuts"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    paths = Paths(tmp_path / "home")
    settings = load_settings(
        paths, overrides={"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0}
    )
    async with running_gateway(settings, paths, token=TOKEN) as running:
        yield running


class Client:
    """One encrypted connection, by hand."""

    def __init__(self, socket: ClientConnection, encryption: E2ESession, hello: dict[str, Any]) -> None:
        self._socket, self._encryption, self.hello = socket, encryption, hello

    async def send(self, **message: object) -> None:
        await self.send_raw(self._encryption.seal(json.dumps(message).encode()))

    async def send_raw(self, frame: bytes) -> None:
        await self._socket.send(frame.decode())

    def seal(self, plaintext: bytes) -> bytes:
        return self._encryption.seal(plaintext)

    async def receive(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self._encryption.open(await self._socket.recv()))
        return event

    async def until(self, *types: str) -> list[dict[str, Any]]:
        events = [await self.receive()]
        while events[-1]["type"] not in types:
            events.append(await self.receive())
        return events


@asynccontextmanager
async def client(gateway: Gateway, **fields: object) -> AsyncIterator[Client]:
    public, private = new_key_pair()
    async with connect(gateway.url.replace("http", "ws") + "/ws", max_size=2**24) as socket:
        await socket.send(json.dumps({"type": "auth", "token": TOKEN, "e2e_pk": encode_key(public)} | fields))
        hello = json.loads(await socket.recv())
        shared = agree(decode_key(hello["e2e_pk"]), private)
        yield Client(socket, E2ESession(role="client", shared_key=shared), hello)


async def test_a_turn_streams_and_ends_with_its_whole_text(gateway: Gateway) -> None:
    async with client(gateway, chat_id=5, channel_id=7) as peer:
        assert (peer.hello["chat_id"], peer.hello["channel_id"]) == (5, 7)
        assert peer.hello["active_provider"] == "scripted"
        await peer.send(type="message", text="SAY one two three\nTOOL Read {}")
        events = await peer.until("result")
        said = "".join(event["data"] for event in events if event["type"] == "text_delta")
        assert said == events[-1]["text"]
        assert "one two three" in said
        assert {"type": "tool_activity", "data": "Read"} in events
        assert events[-1]["stream_fallback"] is False


async def test_an_abort_on_the_same_socket_ends_running_and_queued_turns(gateway: Gateway) -> None:
    async with client(gateway) as peer:
        await peer.send(type="message", text="SLOW 1000 0.05")
        await peer.send(type="message", text="SAY later")
        await peer.until("text_delta")
        await peer.send(type="ping")
        await peer.until("pong")
        await peer.send(type="abort")
        events = await peer.until("abort_ok")
        assert [event["reason"] for event in events if event["type"] == "result"] == ["abort", "abort"]
        assert events[-1]["killed"] == 2


async def test_a_replayed_frame_is_refused_and_the_connection_goes_on(gateway: Gateway) -> None:
    async with client(gateway) as peer:
        frame = peer.seal(b'{"type":"ping"}')
        await peer.send_raw(frame)
        await peer.send_raw(frame)
        assert [(await peer.receive()).get("code") for _ in range(2)] == [None, "decrypt_failed"]
        await peer.send(type="message", text="   ")
        assert (await peer.receive())["code"] == "empty"
        await peer.send(type="nonsense")
        assert (await peer.receive())["code"] == "unknown_type"


@pytest.mark.parametrize("fields", [{"token": "wrong"}, {"token": ""}, {"token": 7}, {"e2e_pk": "AAAA"}])
async def test_a_stranger_stays_out(gateway: Gateway, fields: dict[str, object]) -> None:
    async with connect(gateway.url.replace("http", "ws") + "/ws") as socket:
        hello = {"type": "auth", "token": TOKEN, "e2e_pk": encode_key(new_key_pair()[0])} | fields
        await socket.send(json.dumps(hello))
        assert json.loads(await socket.recv())["code"] == "auth_failed"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


async def test_http_asks_for_the_token_and_has_one_error_shape(gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        assert (await http.get("/health")).json() == {"status": "ok", "connections": 0}
        refused = await http.get("/api/providers")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        header = {"Authorization": f"Bearer {TOKEN}".encode()}
        assert (await http.get("/api/providers", headers=header)).json()[0]["id"] == "scripted"
        missing = await http.get("/nowhere")
        assert (missing.status_code, set(missing.json())) == (404, {"error", "code"})
