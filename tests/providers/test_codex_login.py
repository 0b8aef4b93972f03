"""Whether Codex can run: the program, the login, the model provider, and the environment it gets."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from sygen_bot.providers.codex import CodexProvider
from sygen_bot.providers.codex_login import (
    codex_environment,
    find_cli,
    find_model_provider,
    find_models,
    find_trouble,
)


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / ".codex").mkdir(parents=True)
    return home


def test_the_installed_program_comes_before_one_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = program(tmp_path / "bin" / "codex")
    found = find_cli(None, str(tmp_path / "bin"))
    assert found is not None
    assert found.parent.parent.name == "codex_cli_bin"

    def find_nothing(_name: str, _package: str | None = None) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_nothing)
    assert find_cli(None, str(tmp_path / "bin")) == mine
    assert find_cli(None, str(tmp_path)) is None


def test_a_configured_command_is_a_path_or_a_name(tmp_path: Path) -> None:
    mine = program(tmp_path / "bin" / "my-codex")
    assert find_cli(str(mine), None) == mine
    assert find_cli("my-codex", str(tmp_path / "bin")) == mine
    assert find_cli("my-codex", str(tmp_path)) is None


async def test_what_is_missing_is_told_the_first_thing_first(home: Path, tmp_path: Path) -> None:
    nothing = {"HOME": str(home), "CODEX_HOME": str(home / ".codex"), "OPENAI_API_KEY": "", "CODEX_API_KEY": ""}
    without = await CodexProvider(run_dir=tmp_path, command="/nowhere/codex", env=nothing).check()
    assert "not found" in without.reason
    nowhere = await CodexProvider(run_dir=tmp_path, env=nothing | {"CODEX_HOME": str(home / "nowhere")}).check()
    assert "CODEX_HOME" in nowhere.reason
    stranger = await CodexProvider(run_dir=tmp_path, env=nothing).check()
    assert (stranger.available, stranger.models) == (False, ())
    assert "not logged in" in stranger.reason
    assert "OPENAI_API_KEY" in stranger.remedy
    own = CodexProvider(run_dir=tmp_path, env=nothing, base_url="http://127.0.0.1:9/v1", models=("mine",))
    assert (await own.check()).models == ("mine",)


@pytest.mark.parametrize(
    ("variables", "files", "expected"),
    [
        ({}, {}, False),
        ({"OPENAI_API_KEY": ""}, {}, False),
        ({"OPENAI_API_KEY": "x"}, {}, True),
        ({"CODEX_API_KEY": "x"}, {}, True),
        ({}, {"auth.json": '{"OPENAI_API_KEY": "x"}'}, True),
        ({}, {"auth.json": '{"OPENAI_API_KEY": null, "tokens": {"id_token": "x"}}'}, True),
        ({}, {"auth.json": "{}"}, False),
        ({}, {"auth.json": "[]", "config.toml": "= ="}, False),
        ({}, {"config.toml": 'cli_auth_credentials_store = "keyring"'}, True),
        ({}, {"config.toml": 'model_provider = "ollama"'}, True),
        ({}, {"config.toml": 'model_provider = "x"\nmodel_providers.x.env_key = "X_KEY"'}, False),
        ({"X_KEY": "x"}, {"config.toml": 'model_provider = "x"\nmodel_providers.x.env_key = "X_KEY"'}, True),
        ({}, {"config.toml": 'model_provider = "x"\nmodel_providers.x.requires_openai_auth = true'}, False),
        ({}, {"config.toml": 'model_provider = "openai"'}, False),
    ],
)
def test_a_key_a_login_or_another_model_provider_will_do(
    home: Path, variables: dict[str, str], files: dict[str, str], expected: bool
) -> None:
    for name, content in files.items():
        (home / ".codex" / name).write_text(content)
    assert (find_trouble(None, {"HOME": str(home)} | variables, None) is None) == expected


def test_a_login_is_looked_for_where_codex_lives(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / ".codex" / "auth.json").write_text('{"OPENAI_API_KEY": "x"}')
    environment = {"HOME": str(home), "CODEX_HOME": str(elsewhere)}
    assert find_trouble(None, environment, None) is not None
    (elsewhere / "auth.json").write_text('{"OPENAI_API_KEY": "x"}')
    assert find_trouble(None, environment, None) is None


def test_the_models_are_those_that_codex_has_noted_down(home: Path) -> None:
    environment = {"HOME": str(home)}
    assert find_models(environment) == ()
    models = [
        {"slug": "a"},
        {"slug": "hidden", "visibility": "hide"},
        {"slug": "b", "visibility": "list"},
        7,
        {"slug": 7},
    ]
    (home / ".codex" / "models_cache.json").write_text(json.dumps({"models": models}))
    assert find_models(environment) == ("a", "b")
    (home / ".codex" / "config.toml").write_text('model = "b"')
    assert find_models(environment) == ("b", "a")
    (home / ".codex" / "models_cache.json").write_text('{"models": {"a": 1}}')
    assert find_models(environment) == ("b",)


def test_whom_it_asks(home: Path) -> None:
    """A key in the environment counts for OpenAI only if the endpoint is spelled out."""
    environment = {"HOME": str(home)}
    assert find_model_provider(environment, None).definition is None
    assert find_model_provider(environment, None).id == "openai"
    with_key = environment | {"OPENAI_API_KEY": "x"}
    spelled = find_model_provider(with_key, None).definition
    assert spelled is not None
    assert (spelled["base_url"], spelled["env_key"]) == ("https://api.openai.com/v1", "OPENAI_API_KEY")
    proxied = find_model_provider(with_key | {"OPENAI_BASE_URL": "http://proxy/v1"}, None).definition
    assert proxied is not None
    assert proxied["base_url"] == "http://proxy/v1"
    (home / ".codex" / "auth.json").write_text('{"OPENAI_API_KEY": "x"}')
    assert find_model_provider(with_key, None).id == "openai"
    own = find_model_provider(environment, "http://127.0.0.1:9/v1").definition
    assert own is not None
    assert own["requires_openai_auth"] is True
    (home / ".codex" / "config.toml").write_text('model_provider = "ollama"')
    assert find_model_provider(with_key, None).id == "ollama"


def test_only_codex_s_own_credentials_pass(home: Path) -> None:
    (home / ".codex" / "config.toml").write_text('model_provider = "x"\nmodel_providers.x.env_key = "X_KEY"')
    source = {
        "HOME": str(home),
        "OPENAI_API_KEY": "mine",
        "X_KEY": "mine too",
        "ANTHROPIC_API_KEY": "other",
        "SYGEN_API__TOKEN": "secret",
    }
    environment = codex_environment({"EXTRA": "1"}, source=source)
    assert environment["OPENAI_API_KEY"] == "mine"
    assert environment["X_KEY"] == "mine too"
    assert environment["EXTRA"] == "1"
    assert not {"ANTHROPIC_API_KEY", "SYGEN_API__TOKEN"} & set(environment)
    assert codex_environment({"OPENAI_API_KEY": "configured"}, source=source)["OPENAI_API_KEY"] == "configured"


def test_a_check_starts_nothing_and_loads_little(tmp_path: Path) -> None:
    program_text = (
        "import asyncio, sys; from pathlib import Path; from sygen_bot.providers.codex import CodexProvider\n"
        "check = asyncio.run(CodexProvider(run_dir=Path(), env={'OPENAI_API_KEY': 'x'}).check())\n"
        "assert check.available, check\n"
        "assert 'codex_cli_bin' not in sys.modules"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program_text], env=environment, check=True, timeout=30)
    assert list(tmp_path.iterdir()) == []
