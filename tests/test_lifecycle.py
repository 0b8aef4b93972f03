"""A gateway's life: what it takes to start, and what it leaves when it stops."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from sygen_bot.api.crypto import encode_key, new_key_pair
from sygen_bot.config import Settings, load_settings
from sygen_bot.errors import SetupError, StorageError
from sygen_bot.events import Result, SessionEvent, TextDelta
from sygen_bot.instance import bind
from sygen_bot.orchestrator.core import ShuttingDown
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent
from sygen_bot.session.receipt import Acceptance, Receipt
from sygen_bot.testing.contract import survivors
from sygen_bot.testing.scripted import MARKER_VARIABLE, ScriptedProvider

KEY = SessionKey("api", 1, None)
TOKEN = "token"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home")


def settings_of(paths: Paths, **overrides: object) -> Settings:
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    base = {"api.host": "127.0.0.1", "api.port": 0, "api.drain_s": 0, "provider": "scripted"}
    return load_settings(paths, overrides=base | named)


@asynccontextmanager
async def gateway_of(paths: Paths, **overrides: object) -> AsyncIterator[Gateway]:
    async with running_gateway(settings_of(paths, **overrides), paths, token=TOKEN) as gateway:
        yield gateway


async def ask(gateway: Gateway, text: str) -> Result:
    async with asyncio.timeout(20):
        end = await gateway.orchestrator.handle_message_streaming(KEY, text)
    assert isinstance(end, Result), end
    return end


async def submit(gateway: Gateway, text: str) -> None:
    """Send a message. Returns when it is accepted; raises what refuses it."""
    session = await gateway.orchestrator.open(KEY)
    receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
    session.submit(text, client_id=None, on_receipt=receipt.set_result)
    assert isinstance(await asyncio.wait_for(receipt, 20), Acceptance)


async def first_event(gateway: Gateway, text: str, kind: type[SessionEvent]) -> SessionEvent:
    """Start a turn and return its first event of that kind."""
    found: asyncio.Future[SessionEvent] = asyncio.get_running_loop().create_future()

    def hear(logged: LoggedEvent) -> None:
        if isinstance(logged.event, kind) and not found.done():
            found.set_result(logged.event)

    session = await gateway.orchestrator.open(KEY)
    unfollow = session.log.subscribe(hear)
    await submit(gateway, text)
    try:
        return await asyncio.wait_for(found, 20)
    finally:
        unfollow()


@asynccontextmanager
async def client(gateway: Gateway, token: str = TOKEN) -> AsyncIterator[tuple[ClientConnection, str]]:
    """A socket with the type of what the server said to its first frame."""
    async with connect(gateway.url.replace("http", "ws") + "/ws") as peer:
        hello = {"type": "auth", "token": token, "e2e_pk": encode_key(new_key_pair()[0])}
        await peer.send(json.dumps(hello))
        yield peer, json.loads(await peer.recv())["type"]


# --- starting ---------------------------------------------------------------------------------------------------------


async def test_it_serves_while_the_block_runs_and_not_after(paths: Paths) -> None:
    async with gateway_of(paths) as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
        assert (await http.get("/health")).json() == {"status": "ok", "connections": 0}
        assert (await ask(gateway, "SAY hello")).text == "hello"
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/health")


async def test_a_free_port_is_taken_and_named(paths: Paths) -> None:
    async with gateway_of(paths) as gateway:
        assert gateway.port > 0
        assert gateway.url == f"http://127.0.0.1:{gateway.port}"


async def test_an_address_for_all_is_named_so_that_this_machine_reaches_it(paths: Paths) -> None:
    async with gateway_of(paths, api__host="0.0.0.0") as gateway:
        assert gateway.url == f"http://127.0.0.1:{gateway.port}"


async def test_two_gateways_with_homes_of_their_own_do_not_meet(paths: Paths, tmp_path: Path) -> None:
    async with gateway_of(paths) as one, gateway_of(Paths(tmp_path / "other")) as other:
        await ask(one, "SAY hello")
        assert (await ask(other, "ECHO_HISTORY")).text == "I remember 0 turns."
        assert one.server_key != other.server_key


async def test_a_busy_port_is_refused_with_the_process_that_holds_it(paths: Paths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(SetupError) as refused:
            async with gateway_of(paths, api__port=port):
                pass
    assert f"Cannot listen on 127.0.0.1:{port}" in str(refused.value)
    assert f"(pid {os.getpid()}) listens there" in str(refused.value)
    assert "--port" in refused.value.remedy


def test_an_address_that_is_not_ours_is_one_clear_line() -> None:
    with pytest.raises(SetupError, match=r"Cannot listen on 192\.0\.2\.1:0") as refused:
        bind("192.0.2.1", 0)
    assert "\n" not in str(refused.value)


async def test_a_start_that_fails_lets_go_of_the_port(paths: Paths) -> None:
    await asyncio.to_thread(paths.prepare)
    paths.database.write_bytes(b"no database " * 100)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(StorageError):
        async with gateway_of(paths, api__port=port):
            pass
    bind("127.0.0.1", port).close()


async def test_a_workspace_that_cannot_be_made_is_one_clear_line(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="workspace"):
        async with gateway_of(paths, agents__main={"workspace": str(tmp_path / "file" / "workspace")}):
            pass


async def test_what_a_crashed_gateway_left_in_the_run_directory_is_swept(paths: Paths) -> None:
    await asyncio.to_thread(paths.prepare)
    (paths.run_dir / "guard-left").mkdir()
    async with gateway_of(paths):
        assert not (paths.run_dir / "guard-left").exists()


# --- going on where it stopped ----------------------------------------------------------------------------------------


async def test_a_restart_keeps_identity_and_memory(paths: Paths) -> None:
    async with gateway_of(paths) as gateway:
        await ask(gateway, "SAY hello")
        server_key = gateway.server_key
    async with gateway_of(paths) as gateway:
        assert gateway.server_key == server_key
        assert (await ask(gateway, "ECHO_HISTORY")).text == "I remember 1 turns."


# --- stopping ---------------------------------------------------------------------------------------------------------


async def results(gateway: Gateway) -> list[Result]:
    """Grows with every turn that ends."""
    ends: list[Result] = []
    session = await gateway.orchestrator.open(KEY)
    session.log.subscribe(lambda logged: ends.append(logged.event) if isinstance(logged.event, Result) else None)
    return ends


async def test_turns_get_their_time_to_end(paths: Paths) -> None:
    async with gateway_of(paths, api__drain_s=20) as gateway:
        ends = await results(gateway)
        await first_event(gateway, "SLOW 5 0.02", TextDelta)
        await submit(gateway, "SAY the queued one too")
    assert [(end.text, end.aborted) for end in ends] == [("w0 w1 w2 w3 w4 ", False), ("the queued one too", False)]


async def test_turns_that_take_longer_are_stopped_with_what_they_said(paths: Paths) -> None:
    async with gateway_of(paths) as gateway:
        ends = await results(gateway)
        await first_event(gateway, "SLOW 10000 30", TextDelta)
        await submit(gateway, "SAY never")
    assert [(end.text, end.reason) for end in ends] == [("w0 ", "shutdown"), ("", "shutdown")]


async def test_while_it_stops_it_takes_no_messages_and_lets_nobody_in(paths: Paths) -> None:
    async with gateway_of(paths, api__drain_s=20) as gateway, client(gateway) as (peer, _):
        await first_event(gateway, "SLOW 100 0.01", TextDelta)
        stopping = asyncio.create_task(gateway.stop())
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDown):
            await submit(gateway, "SAY too late")
        await gateway.orchestrator.abort(KEY)
        await stopping
        await asyncio.wait_for(peer.wait_closed(), 10)
        assert peer.close_code == 1012


async def test_the_processes_of_a_turn_end_with_the_gateway(paths: Paths) -> None:
    mark = os.urandom(8).hex()
    provider = ScriptedProvider(run_dir=paths.run_dir, marker=mark)
    async with running_gateway(settings_of(paths), paths, token="t", providers=[provider]) as gateway:
        await first_event(gateway, "SPAWN_DETACHED 60\nSLOW 1000 0.05", TextDelta)
        assert len(survivors(MARKER_VARIABLE, mark)) >= 2
    assert survivors(MARKER_VARIABLE, mark) == set()


@pytest.mark.parametrize("code", [1001, 1012])
async def test_every_socket_is_closed_with_the_code_it_stops_with(paths: Paths, code: int) -> None:
    async with gateway_of(paths) as gateway, client(gateway) as (one, _), client(gateway) as (other, _):
        await gateway.stop(code)
        for peer in (one, other):
            await asyncio.wait_for(peer.wait_closed(), 10)
            assert peer.close_code == code


async def test_stopping_twice_is_fine(paths: Paths) -> None:
    async with gateway_of(paths) as gateway:
        await gateway.stop()
        await gateway.stop()


# --- the token --------------------------------------------------------------------------------------------------------


async def test_a_new_token_closes_every_socket_and_only_it_opens_from_then_on(paths: Paths) -> None:
    async with gateway_of(paths) as gateway:
        async with client(gateway) as (peer, said):
            assert said == "auth_ok"
            gateway.replace_token("another")
            await asyncio.wait_for(peer.wait_closed(), 10)
            assert peer.close_code == 1008
        async with client(gateway, TOKEN) as (_, said):
            assert said == "error"
        async with client(gateway, "another") as (_, said):
            assert said == "auth_ok"
        async with httpx.AsyncClient(base_url=gateway.url) as http:
            for token, status in ((TOKEN, 401), ("another", 200)):
                answer = await http.get("/api/status", headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == status


async def test_the_same_token_again_disturbs_nobody(paths: Paths) -> None:
    async with gateway_of(paths) as gateway, client(gateway) as (_, said):
        assert said == "auth_ok"
        gateway.replace_token(TOKEN)
        async with httpx.AsyncClient(base_url=gateway.url) as http:
            assert (await http.get("/health")).json()["connections"] == 1
