"""What an agent's environment holds, and what never gets there."""

from __future__ import annotations

import pytest

from sygen_bot.providers.environment import agent_environment

GATEWAY = {
    "HOME": "/home/me",
    "PATH": "/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "XDG_CONFIG_HOME": "/c",
    "SSL_CERT_DIR": "/certs",
    "https_proxy": "http://proxy",
    "NO_PROXY": "localhost",
    "SYGEN_API__TOKEN": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "ANTHROPIC_API_KEY": "key",
    "OPENAI_API_KEY": "other",
    "LD_PRELOAD": "/evil.so",
}


def test_home_path_locale_certificates_and_proxies_pass_and_nothing_else() -> None:
    names = {"HOME", "PATH", "LANG", "LC_ALL", "XDG_CONFIG_HOME", "SSL_CERT_DIR", "https_proxy", "NO_PROXY"}
    assert agent_environment(source=GATEWAY) == {name: GATEWAY[name] for name in names}


def test_only_the_named_credentials_pass() -> None:
    environment = agent_environment(credentials=["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"], source=GATEWAY)
    assert environment["ANTHROPIC_API_KEY"] == "key"
    assert "OPENAI_API_KEY" not in environment
    assert "ANTHROPIC_BASE_URL" not in environment


def test_configured_variables_come_on_top() -> None:
    environment = agent_environment(extra={"PATH": "/mine", "LD_PRELOAD": "/ok.so"}, source=GATEWAY)
    assert (environment["PATH"], environment["LD_PRELOAD"]) == ("/mine", "/ok.so")


def test_the_gateways_own_variables_never_pass() -> None:
    environment = agent_environment(
        credentials=["SYGEN_API__TOKEN"], extra={"SYGEN_HOME": "/x", "sygen_api__token": "y"}, source=GATEWAY
    )
    assert not [name for name in environment if name.upper().startswith("SYGEN")]


def test_there_is_always_a_path() -> None:
    assert agent_environment(source={})["PATH"]


def test_without_a_source_the_gateways_environment_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Mars/Olympus")
    monkeypatch.setenv("SOME_SECRET", "x")
    environment = agent_environment()
    assert environment["TZ"] == "Mars/Olympus"
    assert "SOME_SECRET" not in environment
