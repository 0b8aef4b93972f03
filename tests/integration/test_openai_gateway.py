"""The whole way: a client's encrypted socket, a running gateway, the official client, and a scripted endpoint behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sygen_bot.config import load_settings
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.openai import OpenAIProvider
from tests.api.wire import TOKEN, client, said
from tests.fakes.openai_chat import FakeOpenAI

pytestmark = pytest.mark.integration


@pytest.fixture
async def api() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as api:
        yield api


@asynccontextmanager
async def gateway_in(home: Path, api: FakeOpenAI) -> AsyncIterator[Gateway]:
    """A gateway that has only this endpoint."""
    paths = Paths(home)
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "api.drain_s": 0, "provider": "ollama"}
    endpoint = OpenAIProvider(id="ollama", name="Ollama", base_url=api.url, api_key=None)
    settings = load_settings(paths, overrides=overrides)
    async with running_gateway(settings, paths, token=TOKEN, providers=[endpoint]) as gateway:
        yield gateway


async def test_an_answer_streams_with_its_reasoning_and_is_remembered_after_a_restart(
    tmp_path: Path, api: FakeOpenAI
) -> None:
    async with gateway_in(tmp_path, api) as gateway, client(gateway) as peer:
        assert (peer.hello["active_provider"], peer.hello["active_model"]) == ("ollama", "fake-large")
        assert [card["models"] for card in peer.hello["providers"]] == [["fake-large", "fake-small"]]
        events = await peer.ask("THINK hm\nSAY the sea is wide")
        assert said(events) == events[-1]["text"] == "the sea is wide"
        assert [event["data"] for event in events if event["type"] == "system_status"][:2] == ["thinking", None]
    async with gateway_in(tmp_path, api) as gateway, client(gateway) as peer:
        assert (await peer.ask("ECHO_HISTORY"))[-1]["text"] == "2 turns"


async def test_an_abort_ends_the_request_at_once_and_what_was_said_is_remembered(
    tmp_path: Path, api: FakeOpenAI
) -> None:
    async with gateway_in(tmp_path, api) as gateway, client(gateway) as peer:
        await peer.say("SLOW 1000 0.01")
        heard = await peer.until("text_delta")
        await peer.send(type="abort")
        heard += await peer.until("abort_ok")
        await api.until_disconnected()
        assert (await peer.ask("SAY again"))[-1]["text"] == "again"
        aborted = api.chats[-1].messages[1]
        assert aborted[0] == "assistant"
        assert aborted[1].startswith(said(heard))


async def test_errors_of_the_endpoint_reach_people_as_sentences(tmp_path: Path, api: FakeOpenAI) -> None:
    async with gateway_in(tmp_path, api) as gateway, client(gateway) as peer:
        for script, code, words in (
            ("FAIL 401", "provider_unavailable", "Set providers.ollama.api_key_env"),
            ("FAIL 429", "provider_unavailable", "Ollama gets too many requests."),
            ("FAIL 500", "provider_unavailable", "Try again later."),
        ):
            error = (await peer.ask(script))[-1]
            assert (error["type"], error["code"]) == ("error", code)
            assert words in error["message"]
        api.faults.append("cut")
        events = await peer.ask("SAY half an")
        assert said(events) == "half an"
        assert (events[-1]["type"], "broke off" in events[-1]["message"]) == ("error", True)
        assert (await peer.ask("SAY still here"))[-1]["text"] == "still here"


async def test_an_endpoint_that_is_not_there_is_said_to_be_not_there(tmp_path: Path, api: FakeOpenAI) -> None:
    await api.stop()
    async with gateway_in(tmp_path, api) as gateway, client(gateway) as peer:
        assert peer.hello["providers"] == []
        error = (await peer.ask("hello"))[-1]
        assert error["code"] == "provider_unavailable"
        assert f"Ollama does not answer at {api.url}. Start it" in error["message"]
