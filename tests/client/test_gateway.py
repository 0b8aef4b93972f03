"""The client SDK against a real gateway, on a free port."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from sygen_bot.api.crypto import encode_key, new_key_pair
from sygen_bot.client import (
    AnswerEvent,
    CannotConnect,
    ConnectionLost,
    ConnectionState,
    HandshakeRefused,
    MessageRefused,
    Result,
    TextDelta,
    ToolActivity,
    TurnFailed,
    connect,
)
from sygen_bot.client import Gateway as Client
from sygen_bot.config import load_settings
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths

TOKEN = "a token"

Starter = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture
def start(tmp_path: Path) -> Starter:
    """Starts a gateway in this test's home; with the same port again it is a restart."""

    @asynccontextmanager
    async def starting(port: int = 0, **overrides: object) -> AsyncIterator[Gateway]:
        paths = Paths(tmp_path / "home")
        defaults = {"api.host": "127.0.0.1", "api.port": port, "provider": "scripted", "api.drain_s": 0}
        settings = load_settings(paths, overrides={**defaults, **overrides})
        async with running_gateway(settings, paths, token=TOKEN) as gateway:
            yield gateway

    return starting


@pytest.fixture
async def gateway(start: Starter) -> AsyncIterator[Gateway]:
    async with start() as running:
        yield running


async def answer(client: Client, text: str) -> list[AnswerEvent]:
    async with asyncio.timeout(20):
        return [event async for event in client.ask(text)]


def text_of(events: list[AnswerEvent]) -> str:
    return "".join(event.data for event in events if isinstance(event, TextDelta))


async def test_asking_yields_typed_events_and_the_result_last(gateway: Gateway) -> None:
    async with connect(gateway.url, TOKEN, 5, 7) as client:
        assert (client.hello.chat_id, client.hello.channel_id) == (5, 7)
        assert client.hello.active_provider == "scripted"
        events = await answer(client, "SAY one two three\nTOOL Read {}")
        assert isinstance(events[-1], Result)
        assert text_of(events) == events[-1].text == "one two three"
        tools = [event for event in events if isinstance(event, ToolActivity)]
        assert [(tool.name, tool.phase) for tool in tools] == [("Read", "start"), ("Read", "end")]


async def test_questions_asked_at_once_get_their_own_answers(gateway: Gateway) -> None:
    async with connect(gateway.url, TOKEN) as client:
        answers = await asyncio.gather(*(answer(client, f"SAY number {number}") for number in range(8)))
        assert [text_of(events) for events in answers] == [f"number {number}" for number in range(8)]


async def test_an_abort_ends_the_answer_that_runs(gateway: Gateway) -> None:
    async with connect(gateway.url, TOKEN) as client:
        events: list[AnswerEvent] = []
        async for event in client.ask("SLOW 1000 0.02"):
            events.append(event)
            if isinstance(event, TextDelta) and "w2" in event.data:
                assert await client.abort() == 1
        result = events[-1]
        assert isinstance(result, Result)
        assert result.aborted
        assert result.text == text_of(events)
        assert await client.abort() == 0


async def test_a_loop_left_early_does_not_disturb_the_next_question(gateway: Gateway) -> None:
    async with connect(gateway.url, TOKEN) as client:
        async for event in client.ask("SLOW 20 0.01"):
            if isinstance(event, TextDelta):
                break
        assert text_of(await answer(client, "SAY next")) == "next"


async def test_a_reader_that_lags_gets_the_whole_text(gateway: Gateway) -> None:
    async with connect(gateway.url, TOKEN) as client:
        asking = client.ask("BURST 5000")
        first = await anext(asking)
        await client.ping()  # the burst goes on arriving meanwhile
        rest = [event async for event in asking]
        result = rest[-1]
        assert isinstance(result, Result)
        assert text_of([first, *rest]) == result.text
        assert len(result.text) == 200_000


async def test_what_is_refused_is_told_from_what_failed(start: Starter) -> None:
    async with start(**{"api.queue_limit": 1}) as gateway, connect(gateway.url, TOKEN) as client:
        with pytest.raises(MessageRefused, match="no text") as empty:
            await answer(client, "   ")
        assert empty.value.code == "empty"
        assert not isinstance(empty.value, TurnFailed)
        with pytest.raises(TurnFailed) as failed:
            await answer(client, "FAIL out of luck")
        assert failed.value.code == "internal_error"
        asking = client.ask("SLOW 1000 0.02")
        await anext(asking)
        with pytest.raises(MessageRefused) as busy:
            await answer(client, "SAY too much")
        assert busy.value.code == "busy"
        await client.abort()
        assert [event async for event in asking][-1].reason == "abort"  # type: ignore[union-attr]


async def test_with_the_servers_key_the_token_is_sealed(start: Starter) -> None:
    async with start(**{"api.require_sealed": True}) as gateway:
        with pytest.raises(HandshakeRefused) as refused:
            async with connect(gateway.url, TOKEN):
                pass
        assert refused.value.reason == "auth_failed"
        link = f"{gateway.url}/#token={TOKEN.replace(' ', '%20')}&server={gateway.server_key}"
        async with connect(link) as client:
            assert text_of(await answer(client, "SAY hi")) == "hi"


async def test_another_identity_key_is_noticed(gateway: Gateway) -> None:
    other = encode_key(new_key_pair()[0])
    with pytest.raises(HandshakeRefused) as refused:
        async with connect(gateway.url, TOKEN, server_key=other):
            pass
    # Sealed for somebody else, the token means nothing to this gateway.
    assert refused.value.reason == "auth_failed"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://127.0.0.1", "nonsense"])
async def test_nobody_there_is_one_clear_line(url: str) -> None:
    with pytest.raises(CannotConnect) as refused:
        async with connect(url, TOKEN):
            pass
    assert str(refused.value).startswith("There is no connection to ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("token", ["wrong", "", "wröng"])
async def test_a_wrong_token_is_refused(gateway: Gateway, token: str) -> None:
    with pytest.raises(HandshakeRefused) as refused:
        async with connect(gateway.url, token):
            pass
    assert refused.value.reason == "auth_failed"


async def test_it_comes_back_after_a_restart(start: Starter) -> None:
    states: asyncio.Queue[ConnectionState] = asyncio.Queue()
    async with asyncio.timeout(30), AsyncExitStack() as clients:
        async with start() as gateway:
            client = await clients.enter_async_context(connect(gateway.url, TOKEN, on_state=states.put_nowait))
            asking = client.ask("SLOW 1000 0.02")
            await anext(asking)
        last = [event async for event in asking][-1]
        assert isinstance(last, Result)
        assert last.reason == "shutdown"
        assert [await states.get(), await states.get()] == ["connected", "reconnecting"]
        async with start(port=gateway.port):
            assert text_of(await answer(client, "SAY back again")) == "back again"
            assert await states.get() == "connected"


async def test_without_reconnect_a_lost_connection_is_the_end(start: Starter) -> None:
    async with start() as gateway, connect(gateway.url, TOKEN, reconnect=False) as client:
        await gateway.stop()
        with pytest.raises(ConnectionLost):
            await answer(client, "SAY hi")


async def test_a_replaced_token_ends_the_connection_for_good(gateway: Gateway) -> None:
    async with asyncio.timeout(20), connect(gateway.url, TOKEN) as client:
        notifications = client.notifications()
        waiting = asyncio.ensure_future(anext(notifications))
        await client.ping()
        gateway.replace_token("another")
        with pytest.raises(HandshakeRefused):
            await waiting
        with pytest.raises(HandshakeRefused):
            await client.ping()


async def test_a_token_that_is_told_anew_survives_its_replacement(gateway: Gateway) -> None:
    async with asyncio.timeout(20), connect(gateway.url, lambda: gateway.token) as client:
        assert text_of(await answer(client, "SAY before")) == "before"
        gateway.replace_token("another")
        assert text_of(await answer(client, "SAY after")) == "after"


@pytest.mark.parametrize("reconnect", [True, False])
async def test_a_message_that_is_too_long_is_refused_and_not_sent_again(start: Starter, reconnect: bool) -> None:
    states: list[ConnectionState] = []
    async with (
        start(**{"api.max_frame_bytes": 65_536}) as gateway,
        connect(gateway.url, TOKEN, reconnect=reconnect, on_state=states.append) as client,
    ):
        with pytest.raises(MessageRefused, match="too long") as refused:
            await answer(client, "SAY " + "x" * 3_000_000)
        assert refused.value.code == "too_large"
        if reconnect:
            assert text_of(await answer(client, "SAY short")) == "short"
            assert states == ["connected", "reconnecting", "connected"]


async def test_what_is_asked_beside_a_message_that_is_too_long_is_answered(start: Starter) -> None:
    async with start(**{"api.max_frame_bytes": 65_536}) as gateway, connect(gateway.url, TOKEN) as client:
        *answers, refused = await asyncio.gather(
            answer(client, "SLOW 20 0.01"),
            answer(client, "SAY " + "y" * 30_000),
            answer(client, "SAY " + "x" * 100_000),
            return_exceptions=True,
        )
        assert isinstance(refused, MessageRefused)
        assert [len(text_of(events)) for events in answers if not isinstance(events, BaseException)] == [70, 30_000]


async def test_a_request_that_is_too_long_is_refused(start: Starter) -> None:
    async with start(**{"api.max_frame_bytes": 65_536}) as gateway, connect(gateway.url, TOKEN) as client:
        async with asyncio.timeout(20):
            with pytest.raises(MessageRefused, match="too long"):
                await client.request("POST", "/api/chat/sessions", {"title": "x" * 3_000_000})
        assert (await client.history())["total"] == 0


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("404 Not Found", "there is no gateway at this path"),
        ("503 Service Unavailable", "it is stopping or full; try again in a moment"),
        ("418 I'm a teapot", "it answers with HTTP 418"),
    ],
)
async def test_who_answers_but_does_not_let_in_is_told_in_plain_words(status: str, told: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(CannotConnect) as refused:
            async with connect(url, TOKEN):
                pass
    assert refused.value.reason == told


async def test_tls_where_there_is_none_is_told_in_plain_words(gateway: Gateway) -> None:
    with pytest.raises(CannotConnect) as refused:
        async with connect(gateway.url.replace("http:", "https:"), TOKEN):
            pass
    assert refused.value.reason == "it does not speak TLS; try http://"


def test_importing_it_loads_no_server() -> None:
    program = "import sys, sygen_bot.client; print([m for m in sys.modules if m.split('.')[0] in " + (
        "('fastapi', 'uvicorn', 'sqlalchemy', 'pydantic') or m.startswith(('sygen_bot.orchestrator', 'sygen_bot.storage'))])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"
