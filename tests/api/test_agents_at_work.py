"""Agents at work: how many at once, what becomes of one that dies, and the files that come with a message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from sygen_bot.errors import AgentDied
from sygen_bot.events import ContextSaved, Finished, ProviderEvent, TextDelta
from sygen_bot.providers.base import Attachment, Turn
from sygen_bot.testing.contract import TINY_PNG
from tests.api.agents import Agent
from tests.api.conftest import Serve
from tests.api.test_approvals import http
from tests.api.wire import client, said


async def test_an_agent_that_dies_in_mid_answer_ends_its_turn_as_interrupted_with_what_it_had_said(
    serve: Serve,
) -> None:
    agent = Agent(ContextSaved("x"), TextDelta("half an "), AgentDied("It died."))
    async with serve(providers=[agent]) as gateway, client(gateway, sync=True) as peer:
        end = (await peer.ask("go"))[-1]
        assert (end["type"], end["aborted"], end["reason"], end["text"]) == ("result", True, "interrupted", "half an ")
        assert (await peer.ask("again"))[-1]["reason"] == "interrupted", "the session goes on"


async def test_more_agents_than_may_work_at_once_wait_say_so_and_can_be_stopped_while_they_wait(serve: Serve) -> None:
    held = asyncio.Event()
    agent = Agent(TextDelta("began "), held.wait, TextDelta("ended"), Finished())
    async with (
        serve({"session.max_parallel_turns": 1}, providers=[agent]) as gateway,
        client(gateway, chat_id=1, sync=True) as first,
        client(gateway, chat_id=2, sync=True) as second,
        client(gateway, chat_id=3, sync=True) as third,
    ):
        await first.say("one")
        await first.until("text_delta")
        for waiting in (second, third):
            await waiting.say("two")
            assert (await waiting.until("system_status"))[-1]["data"] == "waiting for another agent to finish"
        _, status = await http(gateway, "GET", "/api/status")
        assert (status["turns_running"], status["max_parallel_turns"]) == (3, 1)
        await third.send(type="abort")
        assert (await third.until("abort_ok"))[-1]["killed"] == 1
        assert agent.heard == ["one"]
        facts = (await third.ask("/status"))[-1]["text"]
        assert "1 of at most 1 at work" in facts, "a command needs no place"
        held.set()
        assert said(await first.until("result")) == "ended"
        assert said(await second.until("result")) == "began ended"
        assert agent.heard == ["one", "two"]


class Collector(Agent):
    """An agent that keeps what comes with the messages."""

    def __init__(self) -> None:
        super().__init__()
        self.attachments: list[tuple[Attachment, ...]] = []

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        self.attachments.append(turn.attachments)
        yield TextDelta("thanks")
        yield Finished()


def announced(path: object) -> str:
    return f"Look.\n\n[INCOMING FILE] A file was sent to you.\nName: a.png\nPath: {path}\nType: image/png (photo)"


async def test_an_uploaded_file_reaches_the_agent_as_such_and_nothing_else_does(serve: Serve, tmp_path: Path) -> None:
    agent = Collector()
    async with serve(providers=[agent]) as gateway, client(gateway) as peer:
        uploads = tmp_path / "home" / "workspace" / "api_files"
        uploads.mkdir(parents=True, exist_ok=True)
        picture, secret = uploads / "a.png", tmp_path / "home" / "config" / "config.json"
        picture.write_bytes(TINY_PNG)
        (uploads / "link.png").symlink_to(secret)
        await peer.ask(announced(picture))
        await peer.ask(announced("api_files/a.png") + "\n\n" + announced(picture))
        for other in (secret, "../config/config.json", uploads / "link.png", uploads / "none.png", uploads, "\0"):
            await peer.ask(announced(other))
        await peer.ask(f"Path: {picture}")
    one = (Attachment(path=picture.resolve(), mime="image/png", name="a.png"),)
    assert agent.attachments == [one, one, *[()] * 7]
