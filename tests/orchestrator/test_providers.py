"""The providers that a configuration makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sygen_bot.config import Settings, load_settings
from sygen_bot.errors import ConfigError
from sygen_bot.orchestrator.providers import build_providers
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Provider
from sygen_bot.providers.registry import ProviderRegistry
from tests.fakes.openai_chat import FakeOpenAI


def settings(paths: Paths, **providers: object) -> Settings:
    return load_settings(paths, overrides={f"providers.{name}": value for name, value in providers.items()})


def built(tmp_path: Path, **providers: object) -> dict[str, Provider]:
    paths = Paths(tmp_path / "home")
    return {provider.info.id: provider for provider in build_providers(settings(paths, **providers), paths)}


def test_without_a_configuration_there_are_those_that_are_known(tmp_path: Path) -> None:
    assert list(built(tmp_path)) == ["claude", "codex", "gemini", "opencode", "goose", "qwen", "openai", "local"]


def test_agents_and_endpoints_of_ones_own_have_the_names_one_gives_them(tmp_path: Path) -> None:
    found = built(
        tmp_path,
        mine={"kind": "acp", "command": "my-agent --acp 'a b'", "title": "Mine"},
        ollama={"kind": "openai", "base_url": "http://127.0.0.1:1/v1"},
        acp={"command": "another"},
        scripted={},
    )
    assert [found[name].info.name for name in ("mine", "ollama", "acp")] == ["Mine", "ollama", "acp"]
    assert list(found)[-1] == "scripted"


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("nobody", {}, "providers.nobody"),
        ("claude", {"kind": "acp"}, "providers.claude.kind"),
        ("mine", {"kind": "acp"}, "providers.mine.command"),
        ("mine", {"kind": "acp", "command": "'half a quote"}, "providers.mine.command"),
        ("gemini", {"command": " "}, "providers.gemini.command"),
        ("acp", {}, "providers.acp.command"),
        ("mine", {"kind": "openai"}, "providers.mine.base_url"),
        ("My agent", {"kind": "acp", "command": "x"}, "providers.My agent"),
    ],
)
def test_what_cannot_be_is_told_with_its_key(tmp_path: Path, name: str, value: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        built(tmp_path, **{name: value})
    assert [problem.key for problem in refused.value.problems] == [key]


@pytest.fixture
async def endpoint() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as api:
        yield api


async def test_the_key_of_openai_is_not_given_to_another_endpoint(
    tmp_path: Path, endpoint: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-openai")
    monkeypatch.setenv("OTHER_KEY", "sk-for-other")
    for own, given in ({}, ""), ({"api_key_env": "OTHER_KEY"}, "Bearer sk-for-other"):
        found = built(tmp_path, openai={"base_url": endpoint.url, **own})
        check = await found["openai"].check()
        assert check.available, check.reason
        assert endpoint.requests[-1].headers.get("authorization", "") == given
    assert not any("sk-for-openai" in str(request.headers) for request in endpoint.requests)


async def test_one_that_comes_while_the_gateway_runs_is_found_without_a_restart(
    tmp_path: Path, endpoint: FakeOpenAI
) -> None:
    program = tmp_path / "agent"
    registry = ProviderRegistry(
        built(tmp_path, mine={"kind": "acp", "command": str(program)}, openai={"base_url": endpoint.url}).values()
    )
    await registry.refresh()
    assert not registry.check_of("mine").available
    assert "not found" in registry.check_of("mine").reason
    assert "openai" in [card.id for card in registry.cards()]
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    await asyncio.gather(registry.refresh(), registry.refresh())
    assert "mine" in [card.id for card in registry.cards()]
    assert {info.id: check.available for info, check in registry.listed()}["mine"]
    await registry.close()
