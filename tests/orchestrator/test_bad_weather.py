"""The database cannot be used for a while: a clear refusal or the answer all the same, nothing lost, and all well afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from sygen_bot.client import AnswerEvent, CannotConnect, MessageRefused, Result, TextDelta, connect
from sygen_bot.client import Gateway as Client
from sygen_bot.config import load_settings
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths
from tests.fakes.postgres import PostgresServer


@asynccontextmanager
async def gateway_in(home: Path, **overrides: Any) -> AsyncIterator[Gateway]:
    paths = Paths(home)
    base = {"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0}
    settings = load_settings(paths, overrides=base | overrides)
    async with running_gateway(settings, paths, token="t") as gateway:
        yield gateway


async def answer(client: Client, text: str, *, message_id: str | None = None) -> str:
    async with asyncio.timeout(40):
        events = [event async for event in client.ask(text, message_id=message_id)]
    assert isinstance(events[-1], Result)
    assert not events[-1].aborted
    assert "".join(event.data for event in events if isinstance(event, TextDelta)) == events[-1].text
    return events[-1].text


async def contents(client: Client) -> list[tuple[str, str]]:
    page = await client.history()
    return [(message["content"], message["status"]) for message in page["messages"]]


class Running:
    """A turn under way: has said its first word."""

    def __init__(self, client: Client, text: str, message_id: str | None = None) -> None:
        self._events = client.ask(text, message_id=message_id)
        self.heard: list[AnswerEvent] = []

    async def begun(self) -> None:
        async with asyncio.timeout(20):
            while not self.heard or not isinstance(self.heard[-1], TextDelta):
                self.heard.append(await anext(self._events))

    async def result(self) -> Result:
        async with asyncio.timeout(60):
            self.heard += [event async for event in self._events]
        assert isinstance(self.heard[-1], Result)
        return self.heard[-1]


# --- PostgreSQL goes away ---------------------------------------------------------------------------------------------


@pytest.fixture
def crashing(postgres: PostgresServer) -> Any:
    """The server that all share, running again when the test is over."""
    yield postgres
    if not postgres.is_running:
        postgres.start()


async def test_a_database_server_that_was_restarted_is_not_noticed(crashing: PostgresServer, tmp_path: Path) -> None:
    url = crashing.new_database()
    async with gateway_in(tmp_path / "home", **{"storage.url": url}) as gateway, connect(gateway.url, "t") as client:
        assert await answer(client, "SAY one") == "one"
        for number in range(2):
            await asyncio.to_thread(crashing.stop, crash=True)
            await asyncio.to_thread(crashing.start)
            assert await answer(client, f"SAY after {number}") == f"after {number}"
        assert [text for text, _ in await contents(client)][1::2] == ["one", "after 0", "after 1"]


async def test_while_the_database_server_is_away_messages_are_refused_and_running_turns_go_on(
    crashing: PostgresServer, tmp_path: Path
) -> None:
    url = crashing.new_database()
    async with gateway_in(tmp_path / "home", **{"storage.url": url}) as gateway, connect(gateway.url, "t") as client:
        turn = Running(client, "SLOW 60 0.02", "running")
        await turn.begun()
        await asyncio.to_thread(crashing.stop, crash=True)
        async with connect(gateway.url, "t") as other:  # the session is in memory
            with pytest.raises(MessageRefused) as refused:
                await answer(other, "SAY no", message_id="m1")
            assert refused.value.code == "unavailable"
            with pytest.raises(CannotConnect):  # this one is not
                async with connect(gateway.url, "t", 99, reconnect=False):
                    pass
        await asyncio.sleep(0)
        await asyncio.to_thread(crashing.start)
        result = await turn.result()
        assert result.text == "".join(f"w{number} " for number in range(60))
        assert not result.aborted
        assert await answer(client, "SAY no", message_id="m1") == "no"
        assert await answer(client, "SLOW 60 0.02", message_id="running") == result.text, "the same message, its answer"
        assert [text for text, _ in await contents(client)] == ["SLOW 60 0.02", result.text, "SAY no", "no"]


# --- SQLite: somebody else holds it -----------------------------------------------------------------------------------


async def test_a_database_that_is_locked_for_long_refuses_messages_and_keeps_answers(tmp_path: Path) -> None:
    async with gateway_in(tmp_path / "home") as gateway, connect(gateway.url, "t") as client:
        turn = Running(client, "SLOW 20 0.02", "running")
        await turn.begun()
        with closing(sqlite3.connect(tmp_path / "home" / "sygen.db", isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            async with connect(gateway.url, "t", 1) as other:
                with pytest.raises(MessageRefused) as refused:
                    await answer(other, "SAY no", message_id="m1")
                assert refused.value.code == "unavailable"
            holder.execute("ROLLBACK")
        result = await turn.result()
        assert result.text == "".join(f"w{number} " for number in range(20))
        assert await answer(client, "SAY no", message_id="m1") == "no"
        assert [status for _, status in await contents(client)] == ["done"] * 4


# --- SQLite: a full disk ----------------------------------------------------------------------------------------------

PROGRAM = """
    import asyncio, json, resource, sys
    from pathlib import Path
    from sygen_bot.client import MessageRefused, Result, TextDelta, connect
    from sygen_bot.config import load_settings
    from sygen_bot.orchestrator.lifecycle import running_gateway
    from sygen_bot.paths import Paths

    class Weather:
        # Nothing can be added to the database any more, by this process and its threads.
        def worse(self):
            self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, self.before[1]))

        def better(self):
            resource.setrlimit(resource.RLIMIT_FSIZE, self.before)

    async def ask(client, text, message_id=None):
        async with asyncio.timeout(40):
            events = [event async for event in client.ask(text, message_id=message_id)]
        return events[-1]

    async def main():
        paths = Paths(Path(sys.argv[1]))
        overrides = {"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0}
        weather, told = Weather(), {}
        async with running_gateway(load_settings(paths, overrides=overrides), paths, token="t") as gateway:
            async with connect(gateway.url, "t") as client:
                assert (await ask(client, "SAY before")).text == "before"
                turn = client.ask("SLOW 30 0.02", message_id="running")
                words = ""
                while not words:
                    event = await anext(turn)
                    words += event.data if isinstance(event, TextDelta) else ""
                weather.worse()
                try:
                    await ask(client, "SAY no", "m1")
                except MessageRefused as refused:
                    told["refused"] = refused.code
                if sys.argv[2] == "a while":
                    weather.better()
                async for event in turn:
                    told["during"] = event.text if isinstance(event, Result) else ""
                weather.better()
                told["after"] = (await ask(client, "SAY no", "m1")).text
                told["again"] = (await ask(client, "SLOW 30 0.02", "running")).text
                page = await client.history()
                told["kept"] = [message["content"] for message in page["messages"]]
        print(json.dumps(told))

    asyncio.run(main())
"""


@pytest.mark.parametrize("how_long", ["a while", "until the end"])
def test_a_full_disk_refuses_messages_and_loses_no_answer(tmp_path: Path, how_long: str) -> None:
    program = [sys.executable, "-c", dedent(PROGRAM), str(tmp_path / "home"), how_long]
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=90, cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == 0, done.stderr
    words = "".join(f"w{number} " for number in range(30))
    assert done.stdout.splitlines()[-1] == (
        '{"refused": "unavailable", "during": "' + words + '", "after": "no", "again": "' + words + '", '
        '"kept": ["SAY before", "before", "SLOW 30 0.02", "' + words + '", "SAY no", "no"]}'
    )
