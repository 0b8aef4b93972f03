"""From a client's encrypted socket through a running gateway to the real local model and back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect

from sygen_bot.api.crypto import E2ESession, agree, decode_key, encode_key, new_key_pair
from sygen_bot.config import load_settings
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.local import MODEL, LocalProvider
from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import open_storage
from sygen_bot.storage.sessions import SessionStore
from sygen_bot.testing.contract import survivors
from tests.fakes.survivors import is_at_rest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]  # the first of them may have to download the model

TOKEN = "a token for the tests"
STORY = "Write a very long story about the sea. Do not stop before you have written a thousand words."
PATIENCE_S = 60.0


@asynccontextmanager
async def gateway_in(home: Path, weights: Path) -> AsyncIterator[Gateway]:
    """A gateway with the local model only. Its processes carry the home in AGENT_MARKER."""
    paths = Paths(home)
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "api.drain_s": 0, "provider": "local"}
    local = LocalProvider(run_dir=paths.run_dir, weights=weights, env={"AGENT_MARKER": str(home)})
    settings = load_settings(paths, overrides=overrides)
    async with running_gateway(settings, paths, token=TOKEN, providers=[local]) as gateway:
        yield gateway
    assert survivors("AGENT_MARKER", str(home)) == set()


def worker_of(home: Path) -> psutil.Process:
    """The process that holds the model."""
    processes = [psutil.Process(pid) for pid in survivors("AGENT_MARKER", str(home))]
    [worker] = [process for process in processes if any("local_worker" in word for word in process.cmdline()[:3])]
    return worker


class Client:
    """One encrypted connection, by hand."""

    def __init__(self, socket: ClientConnection, encryption: E2ESession, hello: dict[str, Any]) -> None:
        self._socket, self._encryption, self.hello = socket, encryption, hello

    async def send(self, **message: object) -> None:
        await self._socket.send(self._encryption.seal(json.dumps(message).encode()).decode())

    async def until(self, *types: str) -> list[dict[str, Any]]:
        """Every event up to the first of one of these types."""
        events: list[dict[str, Any]] = []
        async with asyncio.timeout(PATIENCE_S):
            while not events or events[-1]["type"] not in types:
                events.append(json.loads(self._encryption.open(await self._socket.recv())))
        return events

    async def ask(self, text: str) -> list[dict[str, Any]]:
        await self.send(type="message", text=text)
        return await self.until("result", "error")


@asynccontextmanager
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    public, private = new_key_pair()
    async with connect(gateway.url.replace("http", "ws") + "/ws", max_size=2**24) as socket:
        await socket.send(json.dumps({"type": "auth", "token": TOKEN, "e2e_pk": encode_key(public), "chat_id": 5}))
        hello = json.loads(await socket.recv())
        shared = agree(decode_key(hello["e2e_pk"]), private)
        yield Client(socket, E2ESession(role="client", shared_key=shared), hello)


async def test_the_model_answers_in_a_stream_and_remembers_after_a_restart(tmp_path: Path, weights: Path) -> None:
    async with gateway_in(tmp_path, weights) as gateway, client(gateway) as peer:
        assert (peer.hello["active_provider"], peer.hello["active_model"]) == ("local", MODEL)
        events = await peer.ask("hello")
        deltas = [event["data"] for event in events if event["type"] == "text_delta"]
        assert len(deltas) > 1
        assert events[-1] == {"type": "result", "text": "".join(deltas), "stream_fallback": False}
        assert {"type": "system_status", "data": "loading the model"} in events
    async with gateway_in(tmp_path, weights) as gateway, client(gateway) as peer:
        assert (await peer.ask("What is the capital of France?"))[-1]["type"] == "result"
    storage = await open_storage(Paths(tmp_path).database)
    try:
        stored = await SessionStore(storage).open(SessionKey("api", 5, None), agent="main")
    finally:
        await storage.close()
    messages = json.loads(stored.contexts["local"])
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2
    assert [message["content"] for message in messages[:3]] == [
        "hello",
        "".join(deltas),
        "What is the capital of France?",
    ]


async def test_an_abort_is_answered_at_once_and_ends_the_generation(tmp_path: Path, weights: Path) -> None:
    async with gateway_in(tmp_path, weights) as gateway, client(gateway) as peer:
        await peer.send(type="message", text=STORY)
        await peer.until("text_delta")
        worker = worker_of(tmp_path)
        await peer.send(type="abort")
        events = await peer.until("abort_ok")
        assert (events[-1]["killed"], events[-2]["reason"]) == (1, "abort")
        deadline = time.monotonic() + 3
        while not is_at_rest(worker):
            assert time.monotonic() < deadline
            await asyncio.sleep(0)
        await peer.send(type="message", text="hello")
        await peer.until("text_delta")
        assert worker_of(tmp_path) == worker


async def test_a_model_process_that_is_killed_interrupts_one_turn_and_not_the_gateway(
    tmp_path: Path, weights: Path
) -> None:
    async with gateway_in(tmp_path, weights) as gateway, client(gateway) as peer:
        await peer.send(type="message", text=STORY)
        await peer.until("text_delta")
        worker_of(tmp_path).kill()
        end = (await peer.until("result", "error"))[-1]
        assert (end["type"], end["reason"]) == ("result", "interrupted")
        assert end["text"]
        await peer.send(type="message", text="hello")
        await peer.until("text_delta")


async def test_without_weights_the_client_is_told_what_to_do(tmp_path: Path) -> None:
    async with gateway_in(tmp_path, tmp_path / "missing.gguf") as gateway, client(gateway) as peer:
        assert peer.hello["providers"] == []
        failed = (await peer.ask("hello"))[-1]
        assert failed["code"] == "provider_unavailable"
        assert "sygen model install" in failed["message"]
