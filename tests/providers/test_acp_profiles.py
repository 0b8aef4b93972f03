"""Which ACP agents can run here: found and recognised as logged in by variables and files alone."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from sygen_bot.providers.acp_context import MAX_CHARS, MAX_EXCHANGES, Context, decode_context
from sygen_bot.providers.acp_profiles import (
    GEMINI,
    GOOSE,
    OPENCODE,
    PROFILES,
    QWEN,
    AcpProfile,
    acp_environment,
    custom_profile,
    find_trouble,
)
from sygen_bot.providers.acp_session import Offer, uses_tools_unasked


@pytest.fixture
def program(tmp_path: Path) -> str:
    program = tmp_path / "agent"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o700)
    return str(program)


LOGINS = [
    (GEMINI, ".gemini/oauth_creds.json", "{}"),
    (GEMINI, ".gemini/settings.json", '{"security": {"auth": {"selectedType": "gemini-api-key"}}} // mine'),
    (GEMINI, ".gemini/.env", "GEMINI_API_KEY=x"),
    (OPENCODE, ".local/share/opencode/auth.json", "{}"),
    (GOOSE, ".config/goose/config.yaml", ""),
    (QWEN, ".qwen/oauth_creds.json", "{}"),
]


@pytest.mark.parametrize(("profile", "file", "content"), LOGINS)
def test_a_login_in_a_file_is_found(tmp_path: Path, program: str, profile: AcpProfile, file: str, content: str) -> None:
    profile = replace(profile, argv=(program, *profile.argv[1:]))
    environment = acp_environment(profile, {}, source={"HOME": str(tmp_path / "home")})
    trouble = find_trouble(profile, environment)
    assert trouble is not None
    assert "not logged in" in trouble.reason
    assert trouble.remedy
    path = tmp_path / "home" / file
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert find_trouble(profile, environment) is None


@pytest.mark.parametrize(
    ("profile", "variables"),
    [
        (GEMINI, {"GEMINI_API_KEY": "x"}),
        (GEMINI, {"GOOGLE_GENAI_USE_VERTEXAI": "true"}),
        (OPENCODE, {"ANTHROPIC_API_KEY": "x"}),
        (GOOSE, {"GOOSE_PROVIDER": "ollama"}),
        (QWEN, {"OPENAI_API_KEY": "x"}),
    ],
)
def test_a_login_in_a_variable_passes_and_is_found(
    tmp_path: Path, program: str, profile: AcpProfile, variables: dict[str, str]
) -> None:
    profile = replace(profile, argv=(program,))
    others = {"AWS_SECRET_ACCESS_KEY": "no", "SYGEN_TOKEN": "no"}
    environment = acp_environment(profile, {}, source={"HOME": str(tmp_path), **others, **variables})
    assert find_trouble(profile, environment) is None
    assert variables.items() <= environment.items()
    assert not environment.keys() & others.keys()


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_program_that_is_not_there_is_said_with_a_remedy(tmp_path: Path, profile: AcpProfile) -> None:
    trouble = find_trouble(profile, {"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert trouble is not None
    assert profile.argv[0] in trouble.reason
    assert trouble.remedy


@pytest.mark.parametrize("profile", [GOOSE, OPENCODE])
def test_what_makes_an_agent_ask_is_above_what_is_configured(profile: AcpProfile) -> None:
    settings = dict.fromkeys(profile.settings, "never ask") | {"MINE": "1"}
    environment = acp_environment(profile, settings, source={})
    assert profile.settings.items() <= environment.items()
    assert environment["MINE"] == "1"


def test_gemini_gets_a_policy_that_asks_for_all(tmp_path: Path) -> None:
    for _ in range(2):
        arguments, variables = GEMINI.prepare(tmp_path / "gemini", {})
        assert not variables
        rules = tomllib.loads(Path(arguments[arguments.index("--admin-policy") + 1]).read_text())["rule"]
        assert {rule["decision"] for rule in rules} == {"ask_user", "deny"}
        assert any(rule["toolName"] == "*" for rule in rules)
    assert [file.name for file in (tmp_path / "gemini").iterdir()] == ["policy.toml"]
    assert (tmp_path / "gemini").stat().st_mode & 0o077 == 0


def test_a_command_alone_is_an_agent(tmp_path: Path, program: str) -> None:
    profile = custom_profile("mine", "Mine", (program, "--acp"))
    assert find_trouble(profile, {"HOME": str(tmp_path)}) is None


@pytest.mark.parametrize(
    ("current", "available", "asking"),
    [
        ("default", ("default", "yolo"), "default"),
        ("yolo", ("default", "auto_edit", "yolo"), "default"),
        ("bypassPermissions", ("acceptEdits", "default"), "default"),
        ("auto", ("auto", "approve", "smart_approve"), "approve"),
        ("yolo", ("yolo", "auto-edit"), None),
        ("build", ("build", "plan"), "build"),
    ],
)
def test_a_mode_that_does_not_ask_is_left(current: str, available: tuple[str, ...], asking: str | None) -> None:
    modes = {"currentModeId": current, "availableModes": [{"id": mode, "name": mode} for mode in available]}
    offer = Offer.of({"modes": modes})
    assert offer.asking_mode == asking
    assert asking is None or not uses_tools_unasked(asking)


def test_models_are_found_in_either_form_of_the_protocol() -> None:
    old = Offer.of({"models": {"availableModels": [{"modelId": "a"}, {}, {"modelId": "b"}], "currentModelId": "a"}})
    assert (old.models, old.model) == (("a", "b"), "a")
    assert old.set_model("s", "b") == ("session/set_model", {"sessionId": "s", "modelId": "b"})
    groups = [{"group": "g", "name": "G", "options": [{"value": "a"}, {"value": "b"}]}]
    option = {"id": "m", "category": "model", "currentValue": "b", "options": groups}
    new = Offer.of({"configOptions": [{}, option]})
    assert (new.models, new.model) == (("a", "b"), "b")
    assert new.set_model("s", "a") == ("session/set_config_option", {"sessionId": "s", "configId": "m", "value": "a"})
    for session in ({}, {"models": 3, "configOptions": "x", "modes": []}):
        assert Offer.of(session) == Offer()
    assert Offer().set_model("s", "a") is None


def test_a_context_keeps_the_last_of_what_was_said_and_no_more() -> None:
    context = Context("s", 1.0)
    assert context.retold() == ""
    assert context.answered("to nothing") == context
    for number in range(MAX_EXCHANGES + 3):
        context = context.having(f"question {number}").answered("x" * (MAX_CHARS + 1))
    assert [each.said for each in context.recent] == [f"question {number}" for number in range(3, MAX_EXCHANGES + 3)]
    assert len(context.encode()) < 16 * 1024
    assert decode_context(context.encode()) == context
    assert context.retold().count("User: ") == MAX_EXCHANGES
    for token in (None, "", "{}", "not ours"):
        assert decode_context(token) is None
