"""Whatever people and agents say: the same from a gateway on either database, live, in the history and after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sygen_bot.client import (
    AnswerEvent,
    MessageRefused,
    RequestFailed,
    Result,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
    connect,
)
from sygen_bot.client import Gateway as Client
from sygen_bot.config import load_settings
from sygen_bot.events import Finished, ProviderEvent
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.session.key import SessionKey
from sygen_bot.session.text import one_line, speakable

MEBI = 1024 * 1024
STRANGE = {
    "nothing": "a\0b\0",
    "half a pair": "\ud83d \udc00 \ud800",
    "right to left": "\u202e\u2067abc\u2069 שלום مرحبا\u200f",
    "far planes": "🚀👩‍👩‍👧 𝔘\U0010ffff\ufffe\ufeff",
    "controls": "\x01\x1b[31m\x7f\x85\u2028\u2029\r\n\t",
    "quotes": "';--\\\" %s %(x)s :name {} $1 \\u0000",
    "combining": "e\u0301" * 50 + "\u0300",
}


class Speaker:
    """An agent that says what it was given for a message, in the pieces it was given."""

    def __init__(self, answers: Mapping[str, list[ProviderEvent]]) -> None:
        self.info = ProviderInfo(id="scripted", name="Speaker", color="#000000")
        self.heard: list[str] = []
        self._answers = answers

    @property
    def processes(self) -> int:
        return 0

    async def check(self) -> Availability:
        return Availability(available=True, models=("one",))

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        self.heard.append(turn.text)
        for event in self._answers.get(turn.text, [TextDelta("well")]):
            yield event
        yield Finished(model="one")

    async def forget(self, session: SessionKey) -> None: ...
    async def close(self) -> None: ...


@asynccontextmanager
async def gateway_on(database: str, home: Path, agent: Speaker, **overrides: Any) -> AsyncIterator[Gateway]:
    paths = Paths(home)
    base = {"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0, "storage.url": database}
    settings = load_settings(paths, overrides=base | overrides)
    async with running_gateway(settings, paths, token="t", providers=[agent]) as gateway:
        yield gateway


async def asked(client: Client, text: str, *, message_id: str | None = None) -> list[AnswerEvent]:
    async with asyncio.timeout(30):
        return [event async for event in client.ask(text, message_id=message_id)]


def said(events: list[AnswerEvent]) -> str:
    return "".join(event.data for event in events if isinstance(event, TextDelta))


async def test_an_agent_may_say_anything(database: str, tmp_path: Path) -> None:
    value = {"a\0": ["\ud800", 2**80, 1.5, None, {"\udfff": "b\0"}]}
    answers: dict[str, list[ProviderEvent]] = {
        name: [
            ThinkingDelta(text),
            ToolActivity(text, text, "start", value),
            ToolActivity(text, text, "end", output=text),
            SystemStatus(text),
            TextDelta(text[:1]),
            TextDelta(text[1:]),
        ]
        for name, text in STRANGE.items()
    }
    agent = Speaker(answers)
    async with gateway_on(database, tmp_path / "home", agent) as gateway, connect(gateway.url, "t") as client:
        for name, text in STRANGE.items():
            events = await asked(client, name)
            clean = speakable(text)
            assert said(events) == clean, name
            assert isinstance(events[-1], Result)
            assert events[-1].text == clean
            assert [event.data for event in events if isinstance(event, ThinkingDelta)] == [clean]
            assert [event.label for event in events if isinstance(event, SystemStatus)] == [clean]
            tools = [event for event in events if isinstance(event, ToolActivity)]
            assert [(tool.name, tool.tool_id, tool.phase) for tool in tools] == [
                (clean, clean, "start"),
                (clean, clean, "end"),
            ]
            assert tools[1].output == clean
    async with gateway_on(database, tmp_path / "home", agent) as gateway, connect(gateway.url, "t") as client:
        page = await client.history()
        answers_kept = [message for message in page["messages"] if message["sender"] == "agent"]
        assert [message["content"] for message in answers_kept] == [speakable(text) for text in STRANGE.values()]
        assert [message["tools"][0]["output"] for message in answers_kept] == [speakable(t) for t in STRANGE.values()]


async def test_a_person_may_say_anything(database: str, tmp_path: Path) -> None:
    agent = Speaker({})
    speakable_ones = {name: text for name, text in STRANGE.items() if "\ud800" not in text}
    async with gateway_on(database, tmp_path / "home", agent) as gateway, connect(gateway.url, "t") as client:
        for name, text in speakable_ones.items():
            assert said(await asked(client, text, message_id=f"{name} 🚀")) == "well"
            assert said(await asked(client, text, message_id=f"{name} 🚀")) == "well", "the same message again"
        page = await client.history()
        kept = [message["content"] for message in page["messages"] if message["sender"] == "user"]
        assert kept == agent.heard == [speakable(text) for text in speakable_ones.values()]
        with pytest.raises(MessageRefused) as refused:
            await asked(client, "another text", message_id="quotes 🚀")
        assert refused.value.code == "conflict"


@pytest.mark.parametrize("message_id", ["🚀" * 64, "' OR 1=1 --", "\u202e", " "])
async def test_a_message_may_have_any_name(database: str, tmp_path: Path, message_id: str) -> None:
    agent = Speaker({})
    async with gateway_on(database, tmp_path / "home", agent) as gateway, connect(gateway.url, "t") as client:
        for _ in range(2):
            assert said(await asked(client, "hello", message_id=message_id)) == "well"
        assert agent.heard == ["hello"]


@pytest.mark.parametrize("name", ["%00", "a%00b", "%ff", "%27%3B", "x" * 2000])
async def test_a_session_or_message_that_is_not_there_is_not_found_whatever_its_name(
    database: str, tmp_path: Path, name: str
) -> None:
    async with gateway_on(database, tmp_path / "home", Speaker({})) as gateway, connect(gateway.url, "t") as client:
        for path in (
            f"/api/chat/sessions/{name}",
            f"/api/chat/sessions/{client.hello.session_id}/messages?before={name}",
        ):
            with pytest.raises(RequestFailed) as failed:
                await client.request("GET", path)
            assert failed.value.status == 404, path
        assert await client.ping() > 0


async def test_a_name_of_any_characters_comes_back(database: str, tmp_path: Path) -> None:
    async with gateway_on(database, tmp_path / "home", Speaker({})) as gateway, connect(gateway.url, "t") as client:
        for text in STRANGE.values():
            if "\ud800" in text:
                continue
            path = f"/api/chat/sessions/{client.hello.session_id}"
            renamed = await client.request("PUT", path, {"title": text[:100]})
            assert renamed["title"] == one_line(text[:100])
            assert (await client.request("GET", path))["title"] == renamed["title"]


async def test_eight_mebibytes_in_one_line_both_ways(database: str, tmp_path: Path) -> None:
    answer, question = "x" * (8 * MEBI - 16), "q" * (8 * MEBI)
    agent = Speaker({question: [TextDelta(answer)], "pieces": [TextDelta("y" * MEBI) for _ in range(7)]})
    async with (
        gateway_on(database, tmp_path / "home", agent, **{"api.max_frame_bytes": 16 * MEBI}) as gateway,
        connect(gateway.url, "t") as client,
    ):
        events = await asked(client, question, message_id="long")
        assert said(events) == answer
        assert isinstance(events[-1], Result)
        assert not events[-1].aborted
        assert said(await asked(client, "pieces")) == "y" * 7 * MEBI
        assert agent.heard == [question, "pieces"]
        session_id = client.hello.session_id
        shown = await client.request("GET", f"/api/chat/sessions/{session_id}")
        assert shown["title"] == "q" * 79 + "…"
        page = await client.history(limit=1)
        assert [len(message["content"]) for message in page["messages"]] == [7 * MEBI]
    async with gateway_on(database, tmp_path / "home", agent) as gateway:
        session = await gateway.orchestrator.open(SessionKey("api", 1, None))
        assert session.id == session_id
        assert session.log.cursor.seq == len(answer) + 7 * MEBI + 4
