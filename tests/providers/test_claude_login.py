"""Whether Claude Code can run: the program, the login, and the environment it gets."""

from __future__ import annotations

import importlib.util
import json
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from sygen_bot.providers.claude import ClaudeProvider
from sygen_bot.providers.claude_login import claude_environment, find_cli, find_trouble


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    return home


def test_the_program_of_the_sdk_comes_before_one_on_the_path(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "claude")
    found = find_cli(None, str(tmp_path / "bin"))
    assert found is not None
    assert found.parent.name == "_bundled"


def test_a_configured_command_is_a_path_or_a_name(tmp_path: Path) -> None:
    mine = program(tmp_path / "bin" / "my-claude")
    assert find_cli(str(mine), None) == mine
    assert find_cli("my-claude", str(tmp_path / "bin")) == mine
    assert find_cli("my-claude", str(tmp_path)) is None


def test_the_sdk_is_missing_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(_name: str, _package: str | None = None) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_nothing)
    trouble = find_trouble("/nowhere", {})
    assert trouble is not None
    assert "not installed" in trouble.reason
    assert trouble.remedy == "Run `make install` in the checkout, or install the extra `claude`."


async def test_then_the_program_then_the_login(home: Path, tmp_path: Path) -> None:
    nothing = {"HOME": str(home), "ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": "", "CLAUDE_CODE_OAUTH_TOKEN": ""}
    without = await ClaudeProvider(run_dir=tmp_path, command="/nowhere/claude", env=nothing).check()
    assert "not found" in without.reason
    stranger = await ClaudeProvider(run_dir=tmp_path, env=nothing).check()
    assert (stranger.available, stranger.models) == (False, ())
    assert "not logged in" in stranger.reason
    assert "ANTHROPIC_API_KEY" in stranger.remedy
    known = await ClaudeProvider(run_dir=tmp_path, env=nothing | {"ANTHROPIC_API_KEY": "key"}).check()
    assert known.available
    assert known.models == ("sonnet", "opus", "haiku")
    named = ClaudeProvider(run_dir=tmp_path, env=nothing | {"ANTHROPIC_API_KEY": "key"}, models=("opus",))
    assert (await named.check()).models == ("opus",)


@pytest.mark.parametrize(
    "variables",
    [
        {"ANTHROPIC_API_KEY": "x"},
        {"ANTHROPIC_AUTH_TOKEN": "x"},
        {"CLAUDE_CODE_OAUTH_TOKEN": "x"},
        {"CLAUDE_CODE_USE_BEDROCK": "1"},
        {"CLAUDE_CODE_USE_VERTEX": "true"},
    ],
)
def test_a_key_a_token_or_a_cloud_is_a_login(home: Path, variables: dict[str, str]) -> None:
    assert find_trouble(None, {"HOME": str(home)} | variables) is None


@pytest.mark.parametrize("variables", [{}, {"ANTHROPIC_API_KEY": ""}, {"CLAUDE_CODE_USE_BEDROCK": "0"}])
def test_nothing_is_no_login(home: Path, variables: dict[str, str]) -> None:
    assert find_trouble(None, {"HOME": str(home)} | variables) is not None


@pytest.mark.parametrize(
    ("name", "document"),
    [
        (".claude/.credentials.json", {"claudeAiOauth": {}}),
        (".claude.json", {"oauthAccount": {"emailAddress": "me@example.org"}}),
        (".claude/settings.json", {"apiKeyHelper": "/bin/key"}),
        (".claude/settings.json", {"env": {"ANTHROPIC_AUTH_TOKEN": "x"}}),
    ],
)
def test_files_of_the_user_are_a_login(home: Path, name: str, document: object) -> None:
    (home / name).write_text(json.dumps(document))
    assert find_trouble(None, {"HOME": str(home)}) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b'{"env": []}'])
def test_files_that_hold_nothing_useful_are_no_login(home: Path, content: bytes) -> None:
    (home / ".claude.json").write_bytes(content)
    (home / ".claude" / "settings.json").write_bytes(content)
    assert find_trouble(None, {"HOME": str(home)}) is not None


def test_a_configuration_directory_elsewhere_is_respected(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / ".claude" / ".credentials.json").write_text("{}")
    environment = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(elsewhere)}
    assert find_trouble(None, environment) is not None
    (elsewhere / ".credentials.json").write_text("{}")
    assert find_trouble(None, environment) is None


def test_only_claudes_own_credentials_pass() -> None:
    source = {
        "HOME": "/home/me",
        "ANTHROPIC_API_KEY": "mine",
        "CLAUDE_CONFIG_DIR": "/c",
        "OPENAI_API_KEY": "other",
        "SYGEN_API__TOKEN": "secret",
        "AWS_SECRET_ACCESS_KEY": "cloud",
    }
    environment = claude_environment({}, source=source)
    assert environment["ANTHROPIC_API_KEY"] == "mine"
    assert environment["CLAUDE_CONFIG_DIR"] == "/c"
    assert not {"OPENAI_API_KEY", "SYGEN_API__TOKEN", "AWS_SECRET_ACCESS_KEY"} & set(environment)
    with_cloud = claude_environment({"CLAUDE_CODE_USE_BEDROCK": "1"}, source=source)
    assert with_cloud["AWS_SECRET_ACCESS_KEY"] == "cloud"
    assert "OPENAI_API_KEY" not in with_cloud


def test_what_the_user_has_switched_off_stays_off() -> None:
    off = dict.fromkeys(
        ("DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"), "1"
    )
    assert off.items() <= claude_environment({}, source={"HOME": "/home/me", **off}).items()


def test_configured_variables_win() -> None:
    environment = claude_environment({"ANTHROPIC_API_KEY": "configured"}, source={"ANTHROPIC_API_KEY": "inherited"})
    assert environment["ANTHROPIC_API_KEY"] == "configured"
