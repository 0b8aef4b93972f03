"""What an endpoint lists, and what people are told when it cannot be used."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest

from sygen_bot.providers.base import Availability
from sygen_bot.providers.openai import OpenAIProvider
from sygen_bot.providers.openai_endpoint import usable_url
from sygen_bot.providers.openai_models import Model, models_of
from tests.fakes.openai_chat import FakeOpenAI
from tests.providers.openai_rig import KEY, provider_for


@pytest.fixture
async def api() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as api:
        yield api


async def check(api: FakeOpenAI, **options: object) -> Availability:
    return await provider_for(api, **options).check()


async def test_the_models_of_the_endpoint_are_listed_in_its_order(api: FakeOpenAI) -> None:
    assert await check(api) == Availability(available=True, models=("fake-large", "fake-small"))
    assert await check(api, models=("mine",)) == Availability(available=True, models=("mine",))


async def test_a_check_asks_once_in_a_while(api: FakeOpenAI) -> None:
    provider = provider_for(api)
    checks = await asyncio.gather(*(provider.check() for _ in range(5)))
    assert {each.models for each in checks} == {("fake-large", "fake-small")}
    assert len(api.requests) == 1


async def test_models_that_do_not_talk_are_left_out(api: FakeOpenAI) -> None:
    talking = ["gpt-5", "llama3.2:3b", "imagine-7b", "qwen2.5-vl", "deepseek-r1", "listts", "openai/gpt-4o", "gemma-3n"]
    silent = [
        "text-embedding-3-small",
        "nomic-embed-text:latest",
        "whisper-1",
        "tts-1-hd",
        "gpt-4o-mini-tts",
        "dall-e-3",
    ]
    silent += ["omni-moderation-latest", "gpt-image-1", "gpt-4o-realtime-preview", "gpt-4o-transcribe", "babbage-002"]
    api.models = [{"id": name} for name in [*silent, *talking]] + [{"id": "nomic", "type": "embeddings"}]
    assert (await check(api)).models == tuple(talking)


async def test_an_endpoint_that_is_not_there_says_what_to_do() -> None:
    async with FakeOpenAI() as api:
        url = api.url
    provider = OpenAIProvider(id="ollama", name="Ollama", base_url=url, api_key=None)
    assert await provider.check() == Availability(
        available=False,
        reason=f"Ollama does not answer at {url}.",
        remedy="Start it, or set providers.ollama.base_url.",
    )


async def test_an_endpoint_that_is_silent_is_not_waited_for(api: FakeOpenAI) -> None:
    api.models_hang = True
    start = time.monotonic()
    availability = await check(api)
    assert time.monotonic() - start < 20
    assert (availability.available, availability.reason) == (False, f"Endpoint does not answer at {api.url}.")


@pytest.mark.parametrize(
    ("answer", "reason", "remedy"),
    [
        ((404, "application/json", b"{}"), "does not list models", "often ends in /v1, or name models"),
        ((200, "text/html", b"<html>"), "does not list models", "often ends in /v1"),
        ((200, "application/json", b"[" * 50_000), "does not list models", "often ends in /v1"),
        ((200, "application/json", b'{"data": 7}'), "does not list models", "often ends in /v1"),
        ((301, "text/plain", b""), "does not list models", "often ends in /v1"),
        ((200, "application/json", b'{"data": [7, {}, {"id": 7}]}'), "has no model", "Load or download one"),
        ((200, "application/json", b'{"data": null}'), "has no model", "Load or download one"),
        ((403, "application/json", b"{}"), "wants an API key", "Set providers.openai.api_key_env"),
        ((503, "application/json", b"{}"), "the error 503", "Try again later"),
    ],
)
async def test_an_odd_answer_is_a_reason_and_a_remedy(
    api: FakeOpenAI, answer: tuple[int, str, bytes], reason: str, remedy: str
) -> None:
    api.models_answer = answer
    availability = await check(api)
    assert not availability.available
    assert reason in availability.reason
    assert remedy in availability.remedy


async def test_an_endpoint_without_a_list_works_with_models_that_are_named(api: FakeOpenAI) -> None:
    api.models_answer = (404, "text/plain", b"")
    assert await check(api, models=("mine",)) == Availability(available=True, models=("mine",))


async def test_a_key_is_asked_for_and_is_not_shown(api: FakeOpenAI) -> None:
    api.key = KEY
    assert (await check(api, api_key=KEY)).available
    wrong = await check(api, api_key="sk-wrong", models=("mine",))
    assert wrong.reason == f"Endpoint at {api.url} does not accept the API key."
    assert "wants an API key" in (await check(api)).reason
    url = api.url.replace("//", "//me:password@")
    assert "password" not in (await check(api, base_url=url)).reason


async def test_without_an_endpoint_and_without_a_key_there_is_nothing_to_ask() -> None:
    provider = OpenAIProvider(base_url=None, api_key=None)
    availability = await provider.check()
    assert not availability.available
    assert availability.remedy == "Set providers.openai.base_url, or the environment variable OPENAI_API_KEY."


@pytest.mark.parametrize(
    "url", ["", "localhost:11434", "ftp://host/v1", "http://", "http://h:99999", "http://h/v1?a=b"]
)
async def test_a_base_url_that_is_none_is_said_to_be_none(url: str) -> None:
    availability = await OpenAIProvider(base_url=url, api_key=None).check()
    assert availability.reason == "providers.openai.base_url is no URL of an endpoint."


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        (" http://127.0.0.1:11434/ ", "http://127.0.0.1:11434/v1"),
        ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1"),
        ("http://[::1]:8080/v1/chat/completions", "http://[::1]:8080/v1"),
    ],
)
def test_a_base_url_is_understood_as_people_write_it(written: str, used: str) -> None:
    assert usable_url(written) == used


async def test_a_missing_package_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    availability = await OpenAIProvider(base_url="http://127.0.0.1:1", api_key=None).check()
    assert (availability.reason, availability.available) == ("The package openai is not installed.", False)


def test_a_check_does_not_load_the_client() -> None:
    program = (
        "import asyncio, sys\n"
        "from sygen_bot.providers.openai import OpenAIProvider\n"
        "assert 'httpx' not in sys.modules\n"
        "asyncio.run(OpenAIProvider(base_url='http://127.0.0.1:1', api_key=None).check())\n"
        "assert 'openai' not in sys.modules and 'httpx2' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_lists_of_several_servers_are_understood() -> None:
    listed = {
        '{"object":"list","data":[{"id":"llama3.2:latest","object":"model","owned_by":"library"}]}': [
            Model("llama3.2:latest")
        ],
        '{"data":[{"id":"Qwen/Qwen3-8B","owned_by":"vllm","root":"/models/q","max_model_len":32768}]}': [
            Model("Qwen/Qwen3-8B", 32768)
        ],
        '{"models":[{"name":"g.gguf"}],"data":[{"id":"g.gguf","meta":{"n_vocab":9,"n_ctx_train":4096}}]}': [
            Model("g.gguf", 4096)
        ],
        '[{"id":"a","type":"chat","context_length":8},{"id":"b","type":"image"}]': [Model("a", 8)],
        '{"data":[{"id":"a","context_length":true},{"id":"a","max_model_len":-1},{"id":"a\\nb"},{"id":""}]}': [
            Model("a")
        ],
    }
    for body, models in listed.items():
        assert models_of(body.encode()) == tuple(models)
    many = models_of(json.dumps({"data": [{"id": f"m{number}"} for number in range(5000)]}).encode())
    assert many is not None
    assert len(many) == 1000
