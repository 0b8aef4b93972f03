"""Whether Codex can run here: which program, in which environment, with whose login. Reads files, starts nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sygen_bot.providers.environment import agent_environment

BUNDLE: Final = "codex_cli_bin"
KEYS: Final = ("CODEX_API_KEY", "OPENAI_API_KEY")
_ACCESS: Final = ("CODEX_HOME", "CODEX_CA_CERTIFICATE", "OPENAI_BASE_URL", "OPENAI_ORGANIZATION", "OPENAI_PROJECT")
_OPENAI: Final = "https://api.openai.com/v1"
_OWN_ID: Final = "sygen"
_BUILT_IN: Final = "openai"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why Codex cannot run, and what to do, in one sentence each."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ModelProvider:
    """Whom Codex asks for answers: an `id` in its configuration, and what has to be said about it there, if it is ours."""

    id: str
    definition: Mapping[str, object] | None = None


PROGRAM_MISSING: Final = "The program of Codex is missing. Install it again, or check its command."


def codex_environment(extra: Mapping[str, str], *, source: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of Codex: the common part, its own credentials and `extra`, the configured variables.

    A model provider in the user's configuration may want its key from a variable of its own: that one passes too.
    """
    origin = os.environ if source is None else source
    settings = _settings(agent_environment(credentials=_ACCESS, extra=extra, source=origin))
    own_key = _definition(settings).get("env_key")
    names = {*_ACCESS, *KEYS} | ({own_key} if isinstance(own_key, str) else set())
    return agent_environment(credentials=names, extra=extra, source=origin)


def find_cli(command: str | None, path: str | None) -> Path | None:
    """The program: `command` (a path or a name on `path`), else the one of the extra, else `codex` on `path`.

    The installed extra comes first, because its version is the one that is tested: a `codex` on the path can be of any age.
    """
    if command is None:
        bundled = _bundled_cli()
        if bundled is not None:
            return bundled
    found = shutil.which(str(Path(command).expanduser()) if command else "codex", path=path)
    return None if found is None else Path(found)


def find_trouble(command: str | None, environment: Mapping[str, str], base_url: str | None) -> Trouble | None:
    """What keeps Codex from running in `environment`, the first thing first; None if nothing does."""
    if find_cli(command, environment.get("PATH")) is None:
        name = "configured command of Codex" if command else "`codex` program"
        return Trouble(f"The {name} was not found.", "Install the extra `codex`, or set `providers.codex.command`.")
    if "CODEX_HOME" in environment and not _home(environment).is_dir():
        return Trouble("The directory in CODEX_HOME does not exist.", "Create it, or leave the variable out.")
    if base_url is None and not _is_logged_in(environment):
        return Trouble("Codex is not logged in.", "Run `codex login` once, or set OPENAI_API_KEY.")
    return None


def find_models(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The models that Codex itself has noted down, the configured one first; empty if it has noted none."""
    configured = _settings(environment).get("model")
    listed = _json_object(_home(environment) / "models_cache.json").get("models")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    names = [configured, *(entry.get("slug") for entry in entries if entry.get("visibility", "list") == "list")]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def find_model_provider(environment: Mapping[str, str], base_url: str | None) -> ModelProvider:
    """Whom to ask: the endpoint `base_url`, else what the user has configured, else OpenAI.

    Codex takes a key for OpenAI only from its own login, so for a key in the environment the endpoint is spelled out.
    """
    key = next((name for name in KEYS if environment.get(name)), None)
    has_login = bool(_login(environment))
    if base_url is None:
        configured = _settings(environment).get("model_provider")
        if isinstance(configured, str) and configured:
            return ModelProvider(configured)
        if has_login or key is None:
            return ModelProvider(_BUILT_IN)
        base_url = environment.get("OPENAI_BASE_URL") or _OPENAI
    definition: dict[str, object] = {"name": "OpenAI", "base_url": base_url, "wire_api": "responses"}
    if key is not None:
        definition["env_key"] = key
    elif has_login:
        definition["requires_openai_auth"] = True
    return ModelProvider(_OWN_ID, definition)


def _home(environment: Mapping[str, str]) -> Path:
    own = environment.get("CODEX_HOME")
    return Path(own) if own else Path(environment.get("HOME") or Path.home()) / ".codex"


def _bundled_cli() -> Path | None:
    spec = importlib.util.find_spec(BUNDLE)
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "bin" / "codex"
    return program if os.access(program, os.X_OK) and program.is_file() else None


def _is_logged_in(environment: Mapping[str, str]) -> bool:
    if any(environment.get(name) for name in KEYS) or _login(environment):
        return True
    settings = _settings(environment)
    if settings.get("cli_auth_credentials_store") in ("keyring", "auto"):
        return True  # what the keyring holds only Codex can tell
    configured = settings.get("model_provider")
    if not isinstance(configured, str) or configured == _BUILT_IN:
        return False
    definition = _definition(settings)
    key = definition.get("env_key")
    return not definition.get("requires_openai_auth") and (not isinstance(key, str) or bool(environment.get(key)))


def _login(environment: Mapping[str, str]) -> bool:
    document = _json_object(_home(environment) / "auth.json")
    return bool(document.get("OPENAI_API_KEY") or document.get("tokens"))


def _definition(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the configuration says about the model provider that it names."""
    providers, name = settings.get("model_providers"), settings.get("model_provider")
    definition = providers.get(name) if isinstance(providers, dict) and isinstance(name, str) else None
    return definition if isinstance(definition, dict) else {}


def _settings(environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        text = (_home(environment) / "config.toml").read_text(encoding="utf-8")
        import tomllib  # only where there is such a file: it costs the gateway's start time

        return tomllib.loads(text)
    except (OSError, ValueError):
        return {}


def _json_object(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
