"""The whole way: a client's encrypted socket, the gateway, the real Claude Code, and a scripted model behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from sygen_bot.api.crypto import E2ESession, agree, decode_key, encode_key, new_key_pair
from sygen_bot.config import load_settings
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.claude import ClaudeProvider
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.survivors import MARK, marked, new_mark

pytestmark = pytest.mark.integration

TOKEN = "a token"


@pytest.fixture
async def api() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic() as api:
        yield api


@asynccontextmanager
async def gateway_in(home: Path, api: FakeAnthropic) -> AsyncIterator[Gateway]:
    """A gateway in `home` that has only Claude Code; no process is left of it."""
    paths, mark = Paths(home / "gateway"), new_mark()
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "api.drain_s": 0, "provider": "claude"}
    overrides |= {"agents.main.approval_policy": "allow_read_only"}
    claude = ClaudeProvider(run_dir=paths.run_dir, env=api.environment(home / "user") | {MARK: mark})
    settings = load_settings(paths, overrides=overrides)
    async with running_gateway(settings, paths, token=TOKEN, providers=[claude]) as gateway:
        yield gateway
    assert marked(mark) == set()


class Client:
    """One encrypted connection, by hand."""

    def __init__(self, socket: ClientConnection, encryption: E2ESession, hello: dict[str, Any]) -> None:
        self._socket, self._encryption, self.hello = socket, encryption, hello

    async def send(self, **message: object) -> None:
        await self._socket.send(self._encryption.seal(json.dumps(message).encode()).decode())

    async def until(self, *types: str) -> list[dict[str, Any]]:
        """What comes, up to the first event of one of `types`."""
        events: list[dict[str, Any]] = []
        async with asyncio.timeout(30):
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
        await socket.send(json.dumps({"type": "auth", "token": TOKEN, "e2e_pk": encode_key(public)}))
        hello = json.loads(await socket.recv())
        shared = agree(decode_key(hello["e2e_pk"]), private)
        yield Client(socket, E2ESession(role="client", shared_key=shared), hello)


def texts(events: list[dict[str, Any]], kind: str) -> list[Any]:
    return [event["data"] for event in events if event["type"] == kind]


async def test_an_answer_streams_reading_is_allowed_and_a_shell_is_not(tmp_path: Path, api: FakeAnthropic) -> None:
    note, forbidden = tmp_path / "note.txt", tmp_path / "forbidden"
    note.write_text("a note")
    async with gateway_in(tmp_path, api) as gateway, client(gateway) as peer:
        assert peer.hello["active_provider"] == "claude"
        events = await peer.ask(
            f"THINK hard\nSAY one two three\nTOOL Read {json.dumps({'file_path': str(note)})}\n"
            f"TOOL Bash {json.dumps({'command': f'touch {forbidden}'})}\nSAY that is all"
        )
    deltas = texts(events, "text_delta")
    assert len(deltas) > 1
    assert "".join(deltas) == events[-1]["text"] == "one two three\n\nthat is all"
    assert events[-1]["stream_fallback"] is False
    assert [name for name in ("Read", "Bash") if name in texts(events, "tool_activity")] == ["Read", "Bash"]
    assert "thinking" in texts(events, "system_status")
    read, refused = api.conversations[-1].tool_results
    assert "a note" in read["text"]
    assert "policy does not allow" in refused["text"]
    assert refused["is_error"]
    assert not forbidden.exists()


async def test_an_abort_ends_the_model_request_and_a_restart_forgets_nothing(
    tmp_path: Path, api: FakeAnthropic
) -> None:
    async with gateway_in(tmp_path, api) as gateway, client(gateway) as peer:
        await peer.send(type="message", text="SLOW 1000 0.02")
        await peer.until("text_delta")
        await peer.send(type="abort")
        events = await peer.until("abort_ok")
        assert [event["reason"] for event in events if event["type"] == "result"] == ["abort"]
        await api.until_disconnected()
    async with gateway_in(tmp_path, api) as gateway, client(gateway) as peer:
        assert (await peer.ask("ECHO_HISTORY"))[-1]["text"] == "2 turns"


async def test_a_login_that_is_not_accepted_is_an_error_that_says_what_to_do(
    tmp_path: Path, api: FakeAnthropic
) -> None:
    async with gateway_in(tmp_path, api) as gateway, client(gateway) as peer:
        error = (await peer.ask("FAIL 401"))[-1]
        assert (error["type"], error["code"]) == ("error", "provider_unavailable")
        assert "log in" in error["message"]
        assert (await peer.ask("SAY still here"))[-1]["text"] == "still here"
