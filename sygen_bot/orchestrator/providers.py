"""The providers of this installation, made from the configuration."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal

from sygen_bot.config import ProviderSettings, Settings
from sygen_bot.errors import ConfigError, Problem
from sygen_bot.paths import Paths
from sygen_bot.providers.acp import AcpProvider
from sygen_bot.providers.acp_profiles import PROFILES, AcpProfile, custom_profile
from sygen_bot.providers.base import Provider
from sygen_bot.providers.claude import ClaudeProvider
from sygen_bot.providers.codex import CodexProvider
from sygen_bot.providers.local import LocalProvider
from sygen_bot.providers.openai import OpenAIProvider

KNOWN: Final = ("claude", "codex", *PROFILES, "openai", "local", "scripted")
"""The ids that mean something without a `kind`."""
_ID: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_COMMAND: Final = "a program with its arguments, as in `my-agent --acp`"
_NOTHING: Final = ProviderSettings()


def build_providers(settings: Settings, paths: Paths) -> list[Provider]:
    """Every provider that this version knows, and those of the configuration. Raises ConfigError.

    The scripted one, which only plays a script, is there only if it is named.
    """
    if problems := list(_problems(settings)):
        raise ConfigError(*problems)
    claude, codex = settings.providers.get("claude", _NOTHING), settings.providers.get("codex", _NOTHING)
    local = settings.providers.get("local", _NOTHING)
    providers: list[Provider] = [
        ClaudeProvider(
            run_dir=paths.run_dir,
            command=claude.command,
            env=claude.env,
            models=claude.models,
            idle_ttl_s=claude.idle_ttl_s,
            max_warm=claude.max_warm,
        ),
        CodexProvider(
            run_dir=paths.run_dir,
            command=codex.command,
            env=codex.env,
            models=codex.models,
            idle_ttl_s=codex.idle_ttl_s,
            max_warm=codex.max_warm,
            sandbox=codex.sandbox or "workspace-write",
            base_url=codex.base_url,
        ),
        *(_acp(profile, settings.providers.get(name, _NOTHING), paths) for name, profile in PROFILES.items()),
        _openai("openai", settings.providers.get("openai", _NOTHING)),
    ]
    for name, own in settings.providers.items():
        if name in KNOWN:
            continue
        if _kind_of(name, own) == "acp":
            providers.append(_acp(custom_profile(name, own.title or name, ()), own, paths))
        else:
            providers.append(_openai(name, own))
    providers.append(
        LocalProvider(run_dir=paths.run_dir, weights=paths.weights, env=local.env, idle_ttl_s=local.idle_ttl_s)
    )
    if "scripted" in {settings.provider, settings.agent.provider, *settings.providers}:
        from sygen_bot.testing.scripted import ScriptedProvider

        providers.append(ScriptedProvider(run_dir=paths.run_dir))
    return providers


def _problems(settings: Settings) -> Iterator[Problem]:
    for name, own in settings.providers.items():
        key = f"providers.{name}"
        if own.kind is not None and name in KNOWN:
            yield Problem(f"{key}.kind", own.kind, "nothing: it is known what this provider is")
        elif name in KNOWN:
            if name in PROFILES and own.command is not None and not _words(own.command):
                yield Problem(f"{key}.command", repr(own.command), _COMMAND)
        elif not _ID.fullmatch(name):
            yield Problem(key, name, "a name of lower-case letters, digits, - and _ that begins with a letter")
        elif (kind := _kind_of(name, own)) is None:
            yield Problem(key, "an unknown provider", f"{', '.join(KNOWN)}; or a name of your own with `kind`")
        elif kind == "acp" and not _words(own.command or ""):
            yield Problem(f"{key}.command", repr(own.command or ""), _COMMAND)
        elif kind == "openai" and own.base_url is None:
            yield Problem(f"{key}.base_url", "nothing", "the URL of the endpoint, as in http://127.0.0.1:11434/v1")


def _kind_of(name: str, own: ProviderSettings) -> Literal["acp", "openai"] | None:
    return own.kind or ("acp" if name == "acp" else None)


def _words(command: str) -> tuple[str, ...]:
    """The program and its arguments; none if the quotes do not match."""
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return ()


def _acp(profile: AcpProfile, own: ProviderSettings, paths: Paths) -> Provider:
    argv = profile.argv if own.command is None else _words(own.command)
    return AcpProvider(
        profile=replace(profile, argv=argv, name=own.title or profile.name),
        run_dir=paths.run_dir,
        env=own.env,
        models=own.models,
        idle_ttl_s=own.idle_ttl_s,
        max_warm=own.max_warm,
    )


def _openai(name: str, own: ProviderSettings) -> Provider:
    # The key of OpenAI is for OpenAI alone: another endpoint gets the one that is named for it.
    variable = own.api_key_env or ("OPENAI_API_KEY" if name == "openai" and own.base_url is None else None)
    return OpenAIProvider(
        id=name,
        name=own.title or ("OpenAI" if name == "openai" else name),
        base_url=own.base_url,
        api_key=None if variable is None else own.env.get(variable) or os.environ.get(variable),
        models=own.models,
        context_tokens=own.context_tokens,
        headers=own.headers,
    )
