"""Commands by message text, through the orchestrator of a running gateway with the scripted agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from sygen_bot import __version__
from sygen_bot.config import load_settings
from sygen_bot.events import Failed, Finished, ProviderEvent, Result, TextDelta
from sygen_bot.orchestrator.commands import COMMANDS, find_command
from sygen_bot.orchestrator.core import Orchestrator
from sygen_bot.orchestrator.lifecycle import running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Availability, Provider, ProviderInfo, Turn
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent
from sygen_bot.testing.scripted import ScriptedProvider

HERE, ELSEWHERE = SessionKey("api", 1, None), SessionKey("api", 2, None)


class Parrot:
    """A second agent, with two models or none that can run."""

    def __init__(self, provider_id: str, *, is_available: bool = True) -> None:
        self.info = ProviderInfo(id=provider_id, name=provider_id.title(), color="#000000")
        self._is_available = is_available

    @property
    def processes(self) -> int:
        return 0

    async def check(self) -> Availability:
        if self._is_available:
            return Availability(available=True, models=("small", "large"))
        return Availability(available=False, reason="It is not logged in.", remedy="Run `parrot login`.")

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        yield TextDelta(f"{self.info.id} {turn.model}: {turn.text}")
        yield Finished()

    async def forget(self, session: SessionKey) -> None: ...
    async def close(self) -> None: ...


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home")


def providers(paths: Paths) -> list[Provider]:
    return [ScriptedProvider(run_dir=paths.run_dir), Parrot("parrot"), Parrot("absent", is_available=False)]


@pytest.fixture
async def orchestrator(paths: Paths) -> AsyncIterator[Orchestrator]:
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0}
    settings = load_settings(paths, overrides=overrides)
    async with running_gateway(settings, paths, token="t", providers=providers(paths)) as gateway:
        yield gateway.orchestrator


async def answer(orchestrator: Orchestrator, text: str, key: SessionKey = HERE) -> str:
    async with asyncio.timeout(20):
        end = await orchestrator.handle_message_streaming(key, text)
    assert isinstance(end, Result), end
    return end.text


# --- what is a command ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "argument"),
    [
        ("/help", "/help", ""),
        ("  /NEW  ", "/new", ""),
        ("/model opus", "/model", "opus"),
        ("/model\n opus ", "/model", "opus"),
    ],
)
def test_a_command_is_known_by_its_first_word(text: str, name: str, argument: str) -> None:
    assert find_command(text) == (COMMANDS[name], argument)


@pytest.mark.parametrize("text", ["", "help", "/unknown", "/helpme", "say /help", "/ help", "//help"])
def test_everything_else_goes_to_the_agent(text: str) -> None:
    assert find_command(text) is None


async def test_a_command_that_is_not_ours_reaches_the_agent(orchestrator: Orchestrator) -> None:
    assert await answer(orchestrator, "/compact now") == "You said: /compact now"


# --- each of them -----------------------------------------------------------------------------------------------------


async def test_help_names_every_command(orchestrator: Orchestrator) -> None:
    said = await answer(orchestrator, "/help")
    assert all(f"`{command.usage}`" in said for command in COMMANDS.values())
    assert "`@NAME text`" in said


async def test_a_command_streams_like_any_turn(orchestrator: Orchestrator) -> None:
    heard: list[LoggedEvent] = []
    end = await orchestrator.handle_message_streaming(HERE, "/help", heard.append)
    deltas = [logged.event.data for logged in heard if isinstance(logged.event, TextDelta)]
    assert isinstance(end, Result)
    assert "".join(deltas) == end.text
    assert not end.stream_fallback


async def test_status_tells_the_session_who_answers_and_what_runs(orchestrator: Orchestrator) -> None:
    said = await answer(orchestrator, "/status")
    for fact in (
        str(HERE),
        "scripted",
        "1 turn running",
        "0 of at most 32 at work",
        "0 agent processes",
        "ask",
        __version__,
    ):
        assert fact in said


async def test_new_makes_the_agent_forget_this_session_only(orchestrator: Orchestrator) -> None:
    for key in (HERE, ELSEWHERE):
        await answer(orchestrator, "SAY one", key)
        assert await answer(orchestrator, "ECHO_HISTORY", key) == "I remember 1 turns."
    await answer(orchestrator, "/new")
    assert await answer(orchestrator, "ECHO_HISTORY") == "I remember 0 turns."
    assert await answer(orchestrator, "ECHO_HISTORY", ELSEWHERE) == "I remember 2 turns."


async def test_model_lists_who_can_answer_and_why_the_others_cannot(orchestrator: Orchestrator) -> None:
    said = await answer(orchestrator, "/model")
    assert "Answering: **scripted**" in said
    assert "`parrot` (Parrot): `small`, `large`" in said
    assert "`absent` (Absent) cannot run now. It is not logged in. Run `parrot login`." in said


@pytest.mark.parametrize(
    ("name", "answers"),
    [("parrot", "parrot None: hello"), ("large", "parrot large: hello"), ("parrot/small", "parrot small: hello")],
)
async def test_model_chooses_who_answers_in_this_session(orchestrator: Orchestrator, name: str, answers: str) -> None:
    await answer(orchestrator, f"/model {name}")
    assert await answer(orchestrator, "hello") == answers
    assert await answer(orchestrator, "hello", ELSEWHERE) == "You said: hello"
    await answer(orchestrator, "/model default")
    assert await answer(orchestrator, "hello") == "You said: hello"


@pytest.mark.parametrize(("name", "why"), [("absent", "not logged in"), ("nobody", "no provider or model")])
async def test_who_cannot_answer_is_not_chosen(orchestrator: Orchestrator, name: str, why: str) -> None:
    assert why in await answer(orchestrator, f"/model {name}")
    assert await answer(orchestrator, "hello") == "You said: hello"


async def test_the_choice_outlives_the_gateway(paths: Paths) -> None:
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0}
    settings = load_settings(paths, overrides=overrides)
    async with running_gateway(settings, paths, token="t", providers=providers(paths)) as gateway:
        await answer(gateway.orchestrator, "/model large")
    async with running_gateway(settings, paths, token="t", providers=providers(paths)) as gateway:
        assert await answer(gateway.orchestrator, "hello") == "parrot large: hello"


@pytest.mark.parametrize("name", ["parrot", "large", "parrot/large"])
async def test_an_address_asks_somebody_else_once(orchestrator: Orchestrator, name: str) -> None:
    assert (await answer(orchestrator, f"@{name} hello")).endswith(": hello")
    assert await answer(orchestrator, "hello") == "You said: hello"


@pytest.mark.parametrize("text", ["@nobody hello", "@parrot", "hello @parrot", "me@parrot hello"])
async def test_what_only_looks_like_an_address_is_part_of_the_message(orchestrator: Orchestrator, text: str) -> None:
    assert await answer(orchestrator, text) == f"You said: {text}"


async def test_asking_who_cannot_run_ends_the_turn_with_the_reason(orchestrator: Orchestrator) -> None:
    end = await orchestrator.handle_message_streaming(HERE, "@absent hello")
    assert isinstance(end, Failed)
    assert end.code == "provider_unavailable"
    assert "not logged in" in end.message


async def test_a_command_keeps_its_place_in_the_queue(orchestrator: Orchestrator) -> None:
    order: list[str] = []

    def hear(logged: LoggedEvent) -> None:
        if isinstance(logged.event, Result):
            order.append(logged.event.text.split()[0])

    unfollow = (await orchestrator.open(HERE)).log.subscribe(hear)
    ends = [
        orchestrator.handle_message_streaming(HERE, text) for text in ("SAY first", "/new", "ECHO_HISTORY", "SAY last")
    ]
    async with asyncio.timeout(20):
        await asyncio.gather(*ends)
    unfollow()
    assert order == ["first", "New", "I", "last"]


async def test_stop_that_reaches_the_queue_has_nothing_left_to_stop(orchestrator: Orchestrator) -> None:
    assert "nothing to stop" in await answer(orchestrator, "/stop")


async def test_nobody_to_answer_is_told_with_the_way_out(paths: Paths) -> None:
    settings = load_settings(paths, overrides={"api.host": "127.0.0.1", "api.port": 0, "api.drain_s": 0})
    async with running_gateway(settings, paths, token="t", providers=[]) as gateway:
        end = await gateway.orchestrator.handle_message_streaming(HERE, "hello")
        assert isinstance(end, Failed)
        assert end.code == "provider_unavailable"
        assert "/model" in end.message
        assert "nobody" in await answer(gateway.orchestrator, "/status")
