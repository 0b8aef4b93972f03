"""The configuration: what is read from where, what is refused in which words, and how it is kept."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sygen_bot.config import (
    CLIENT_VARIABLES,
    MASK,
    Settings,
    ensure_token,
    load_settings,
    masked,
    rotate_token,
    save_setting,
    setting_keys,
)
from sygen_bot.errors import ConfigError, SetupError
from sygen_bot.paths import Paths


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SYGEN_"):
            monkeypatch.delenv(name)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home")


def write(paths: Paths, content: object) -> None:
    paths.prepare()
    paths.config_file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def problems(paths: Paths, content: object, **overrides: object) -> list[str]:
    """The lines that refuse `content`."""
    write(paths, content)
    with pytest.raises(ConfigError) as refused:
        load_settings(paths, overrides=overrides)
    return str(refused.value).splitlines()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_first_start_makes_a_private_file_in_a_private_home(paths: Paths) -> None:
    settings = load_settings(paths)
    assert (mode(paths.home), mode(paths.config_file)) == (0o700, 0o600)
    assert json.loads(paths.config_file.read_text()) == {"api": {"enabled": False, "port": 8741}}
    assert (settings.api.host, settings.api.port, settings.api.enabled) == ("0.0.0.0", 8741, False)
    assert (settings.file_access, settings.provider, settings.agent.title) == ("workspace", None, "Main")
    assert (settings.agent.approval_policy, settings.api.token.get_secret_value()) == ("ask", "")


def test_an_empty_object_means_the_defaults(paths: Paths) -> None:
    write(paths, {})
    assert load_settings(paths) == Settings()


def test_a_file_that_others_may_read_is_made_private(paths: Paths) -> None:
    write(paths, {})
    paths.config_file.chmod(0o644)
    load_settings(paths)
    assert mode(paths.config_file) == 0o600


@pytest.mark.parametrize(
    ("settings", "chat_id"),
    [
        ({}, 1),
        ({"allowed_user_ids": [7, 8]}, 7),
        ({"allowed_user_ids": [7], "api": {"chat_id": 9}}, 9),
    ],
)
def test_the_default_chat_is_named_or_the_first_users_or_one(
    paths: Paths, settings: dict[str, Any], chat_id: int
) -> None:
    write(paths, settings)
    assert load_settings(paths).default_chat_id == chat_id


def test_the_agent_that_answers_is_main_or_else_the_first(paths: Paths) -> None:
    write(paths, {"agents": {"other": {"title": "Other"}, "main": {"title": "Mine"}}})
    assert load_settings(paths).agent.title == "Mine"
    write(paths, {"agents": {"other": {"title": "Other"}}})
    assert load_settings(paths).agent.title == "Other"


# --- what is wrong is said --------------------------------------------------------------------------------------------


def test_an_unknown_key_is_refused_with_the_one_that_was_meant(paths: Paths) -> None:
    (line,) = problems(paths, {"api": {"prot": 1}})
    assert line.startswith("api.prot: found an unknown key; allowed: ")
    assert "api.port" in line
    assert "api.host" not in line


def test_an_unknown_key_like_no_other_is_refused_with_all_there_are(paths: Paths) -> None:
    (line,) = problems(paths, {"zzzzzz": 1})
    assert line.startswith("zzzzzz: found an unknown key; allowed: api.enabled, ")
    assert all(key in line for key in setting_keys())


def test_each_wrong_value_is_one_line_with_key_and_value_and_what_is_allowed(paths: Paths) -> None:
    lines = problems(
        paths,
        {
            "api": {"port": 70000, "drain_s": "soon", "max_frame_bytes": 1},
            "file_access": "everything",
            "allowed_user_ids": [1, 0],
            "agents": {"main": {"approval_policy": "ask_nobody"}},
        },
    )
    assert {line.partition(": found ")[0] for line in lines} == {
        "api.port",
        "api.drain_s",
        "api.max_frame_bytes",
        "allowed_user_ids.1",
        "file_access",
        "agents.main.approval_policy",
    }
    assert len(lines) == 6
    assert "api.port: found 70000; allowed: less than or equal to 65535" in lines
    assert "file_access: found \"everything\"; allowed: 'all', 'home' or 'workspace'" in lines


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"api": {"port": "high"}}, 'api.port: found "high"; allowed: a whole number'),
        ({"api": {"port": 1.5}}, "api.port: found 1.5; allowed: a whole number"),
        ({"api": {"port": True}}, "api.port: found true; allowed: a number"),
        ({"api": {"drain_s": "soon"}}, 'api.drain_s: found "soon"; allowed: a number'),
        ({"api": {"drain_s": False}}, "api.drain_s: found false; allowed: a number"),
        ({"api": {"send_timeout_s": True}}, "api.send_timeout_s: found true; allowed: a number"),
        ({"allowed_user_ids": [True]}, "allowed_user_ids.0: found true; allowed: a number"),
        ({"session": {"max_messages": True}}, "session.max_messages: found true; allowed: a number"),
        ({"api": {"enabled": "maybe"}}, 'api.enabled: found "maybe"; allowed: true or false'),
        ({"api": 5}, "api: found 5; allowed: an object"),
        (
            {"cron": {"timezone": "Mars/Olympus"}},
            'cron.timezone: found "Mars/Olympus"; allowed: the name of a time zone, such as Europe/Berlin',
        ),
        ({"agents": []}, "agents: found nothing in it; allowed: an object"),
        ({"agents": {}}, "agents: found nothing in it; allowed: at least one entry"),
        ({"api": {"allowed_origins": "x"}}, 'api.allowed_origins: found "x"; allowed: a list'),
        ({"api": {"tls_cert": 5}}, "api.tls_cert: found 5; allowed: a path"),
        ({"model": 4}, "model: found 4; allowed: text"),
    ],
)
def test_what_is_allowed_is_said_in_plain_words(paths: Paths, content: object, line: str) -> None:
    assert problems(paths, content) == [line]


def test_half_a_certificate_is_refused(paths: Paths) -> None:
    (line,) = problems(paths, {"api": {"tls_cert": "/cert.pem"}})
    assert line.startswith("api.tls_key: found nothing; allowed: a file")


@pytest.mark.parametrize(
    "content",
    [
        {"api": {"token": ["top", "secret"]}},
        {"api": {"token": "secret", "tls_cert": "/cert.pem"}},
        {"api": ["secret"]},
        {"providers": {"claude": {"env": {"KEY": ["secret"]}}}},
        {"providers": {"claude": {"env": "KEY=secret"}}},
    ],
    ids=str,
)
def test_no_problem_shows_a_secret(paths: Paths, content: object) -> None:
    assert "secret" not in "\n".join(problems(paths, content))


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '"text"', "{}{}", "[" * 100_000, '{"api": {"port": ' + "9" * 5000 + "}}"]
)
def test_a_file_that_is_no_json_object_is_one_line_that_names_it(paths: Paths, content: str) -> None:
    (line,) = problems(paths, content)
    assert line.startswith(f"{paths.config_file}: found ")


def test_a_file_that_is_no_text_is_one_clear_line(paths: Paths) -> None:
    paths.prepare()
    paths.config_file.write_bytes(b"\xff\xfe{}")
    with pytest.raises(ConfigError) as refused:
        load_settings(paths)
    assert str(refused.value) == f"{paths.config_file}: found bytes that are not UTF-8; allowed: JSON in UTF-8"


def test_a_directory_in_place_of_the_file_is_one_clear_line(paths: Paths) -> None:
    paths.prepare()
    paths.config_file.mkdir()
    with pytest.raises(SetupError, match=r"config\.json cannot be read"):
        load_settings(paths)


def test_a_home_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="SYGEN_HOME"):
        load_settings(Paths(tmp_path / "file" / "home"))


@pytest.mark.parametrize(
    "key", ["_env_prefix", "_case_sensitive", "_cli_parse_args", "_build_sources", "__pydantic_self__", "self"]
)
@pytest.mark.parametrize("value", [True, ["--help"], 3])
def test_no_key_reaches_into_the_library_that_reads_the_settings(paths: Paths, key: str, value: object) -> None:
    (line,) = problems(paths, {key: value})
    assert line.startswith(f"{key}: found an unknown key")


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_names = st.sampled_from([*setting_keys(), *Settings.model_fields, "main", "env", "port", "token"]) | st.text()
_documents = st.dictionaries(
    _names,
    st.recursive(
        _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3), max_leaves=8
    ),
    max_size=5,
)


@given(_documents, st.dictionaries(st.sampled_from(setting_keys()), _scalars, max_size=2))
@settings(max_examples=150, deadline=None)
def test_any_json_document_is_either_used_or_refused_in_lines(
    document: dict[str, object], overrides: dict[str, object]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        write(paths, document)
        try:
            loaded = load_settings(paths, overrides=overrides)
        except (ConfigError, SetupError):
            return
        json.dumps(masked(loaded))


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_in_the_file_is_either_used_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        write(paths, text)
        with suppress(ConfigError, SetupError):
            load_settings(paths)


# --- variables and overrides ------------------------------------------------------------------------------------------


def test_overrides_beat_the_environment_and_that_beats_the_file(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(paths, {"api": {"port": 1, "host": "a", "chat_id": 5}, "model": "file"})
    monkeypatch.setenv("SYGEN_API__PORT", "2")
    monkeypatch.setenv("SYGEN_API__HOST", "b")
    monkeypatch.setenv("SYGEN_MODEL", "environment")
    loaded = load_settings(paths, overrides={"api.port": 3, "provider": "scripted"})
    assert (loaded.api.port, loaded.api.host, loaded.api.chat_id) == (3, "b", 5)
    assert (loaded.model, loaded.provider) == ("environment", "scripted")
    assert json.loads(paths.config_file.read_text())["api"]["port"] == 1


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SYGEN_API__REQUIRE_SEALED", "true", {"api": {"require_sealed": True}}),
        ("SYGEN_API__TOKEN", "123", {"api": {"token": "123"}}),
        ("SYGEN_API__ALLOWED_ORIGINS", '["https://a.example"]', {"api": {"allowed_origins": ["https://a.example"]}}),
        ("SYGEN_API", '{"port": 9}', {"api": {"port": 9}}),
        ("SYGEN_ALLOWED_USER_IDS", "[4, 5]", {"allowed_user_ids": [4, 5]}),
        ("SYGEN_AGENTS__MAIN__TITLE", "Ada", {"agents": {"main": {"title": "Ada"}}}),
        ("SYGEN_PROVIDERS__LOCAL__TURN_TIMEOUT_S", "9.5", {"providers": {"local": {"turn_timeout_s": 9.5}}}),
        ("SYGEN_PROVIDERS__X__ENV", '{"KEY": "value"}', {"providers": {"x": {"env": {"KEY": "value"}}}}),
    ],
)
def test_a_variable_says_the_same_as_the_file(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: dict[str, Any]
) -> None:
    monkeypatch.setenv(name, value)
    write(paths, {})
    from_variable = load_settings(paths)
    monkeypatch.delenv(name)
    write(paths, expected)
    assert from_variable == load_settings(paths)


def test_a_variable_changes_one_key_and_leaves_its_neighbours(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(paths, {"agents": {"main": {"title": "Ada", "approval_policy": "deny"}}})
    monkeypatch.setenv("SYGEN_AGENTS__MAIN__TITLE", "Grace")
    assert load_settings(paths).agent.title == "Grace"
    assert load_settings(paths).agent.approval_policy == "deny"


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("SYGEN_API__PORT", "high", "api.port"),
        ("SYGEN_API__NOPE", "1", "api.nope"),
        ("SYGEN_APPI__PORT", "1", "SYGEN_APPI__PORT"),
        ("SYGEN_NOPE", "1", "SYGEN_NOPE"),
        ("SYGEN_API", "{", "SYGEN_API"),
        ("SYGEN_ALLOWED_USER_IDS", "1,2", "SYGEN_ALLOWED_USER_IDS"),
        ("SYGEN_API__ALLOWED_ORIGINS", "[", "SYGEN_API__ALLOWED_ORIGINS"),
    ],
)
def test_a_wrong_variable_stops_the_start_with_its_name(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, name: str, value: str, key: str
) -> None:
    monkeypatch.setenv(name, value)
    (line,) = problems(paths, {})
    assert line.startswith(f"{key}: found ")


@pytest.mark.parametrize(("name", "meant"), [("SYGEN_API_PORT", "SYGEN_API__PORT"), ("SYGEN_MODLE", "SYGEN_MODEL")])
def test_an_unknown_variable_is_refused_with_the_one_that_was_meant(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "1")
    (line,) = problems(paths, {})
    assert line.endswith(f"allowed: SYGEN_ and a key, with `__` for the dot: {meant}")


def test_the_variables_of_the_client_are_no_settings(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CLIENT_VARIABLES:
        monkeypatch.setenv(name, "anything")
    write(paths, {})
    load_settings(paths)


# --- changing it ------------------------------------------------------------------------------------------------------


def test_a_saved_setting_is_there_afterwards_beside_the_others(paths: Paths) -> None:
    write(paths, {"model": "opus"})
    assert save_setting(paths, "api.port", 9000).api.port == 9000
    assert json.loads(paths.config_file.read_text()) == {"model": "opus", "api": {"port": 9000}}
    assert mode(paths.config_file) == 0o600


def test_a_wrong_setting_is_refused_and_changes_nothing(paths: Paths) -> None:
    write(paths, {"model": "opus"})
    with pytest.raises(ConfigError, match=r"api\.port"):
        save_setting(paths, "api.port", "high")
    assert json.loads(paths.config_file.read_text()) == {"model": "opus"}


def test_saving_replaces_the_file_in_one_step(paths: Paths) -> None:
    write(paths, {"model": "old"})
    with paths.config_file.open() as before:
        save_setting(paths, "model", "new")
        assert json.load(before) == {"model": "old"}  # a reader that was there first sees the old file, whole
    left = {entry.name for entry in paths.config_file.parent.iterdir()}
    assert left <= {"config.json", ".lock"}


def test_a_token_is_made_once_and_kept(paths: Paths) -> None:
    token = ensure_token(paths)
    assert len(token) >= 43  # 256 bits in base64
    assert ensure_token(paths) == token
    assert load_settings(paths).api.token.get_secret_value() == token


def test_rotating_makes_another_token(paths: Paths) -> None:
    first = ensure_token(paths)
    assert rotate_token(paths) != first
    assert ensure_token(paths) != first


def test_a_token_from_the_environment_is_used_and_cannot_be_rotated(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYGEN_API__TOKEN", "given")
    assert ensure_token(paths) == "given"
    with pytest.raises(ConfigError, match="SYGEN_API__TOKEN"):
        rotate_token(paths)


# --- showing it -------------------------------------------------------------------------------------------------------


def test_secrets_are_masked_and_the_rest_is_shown(paths: Paths) -> None:
    write(
        paths, {"api": {"token": "secret", "port": 1}, "providers": {"x": {"env": {"KEY": "secret"}, "command": "c"}}}
    )
    loaded = load_settings(paths)
    shown = masked(loaded)
    assert "secret" not in json.dumps(shown)
    assert (shown["api"]["token"], shown["providers"]["x"]["env"]) == (MASK, {"KEY": MASK})
    assert (shown["api"]["port"], shown["providers"]["x"]["command"]) == (1, "c")
    assert "secret" not in repr(loaded.api)


def test_a_token_that_is_not_set_is_shown_as_such(paths: Paths) -> None:
    assert masked(load_settings(paths))["api"]["token"] == ""
