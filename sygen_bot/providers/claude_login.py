"""Whether Claude Code can run here: which program, in which environment, and with whose login. Reads files, starts nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sygen_bot.providers.environment import agent_environment

SDK: Final = "claude_agent_sdk"

CREDENTIALS: Final = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
_ACCESS: Final = (*CREDENTIALS, "ANTHROPIC_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS", "CLAUDE_CONFIG_DIR")
_PRIVACY: Final = ("DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC")
"""What the user has switched off in their shell stays off."""
_CLOUDS: Final = {
    "CLAUDE_CODE_USE_BEDROCK": (
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
        *("ANTHROPIC_BEDROCK_BASE_URL", "CLAUDE_CODE_SKIP_BEDROCK_AUTH"),
    ),
    "CLAUDE_CODE_USE_VERTEX": (
        *("ANTHROPIC_VERTEX_PROJECT_ID", "CLOUD_ML_REGION", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("GOOGLE_CLOUD_PROJECT", "ANTHROPIC_VERTEX_BASE_URL", "CLAUDE_CODE_SKIP_VERTEX_AUTH"),
    ),
}
"""What a cloud's credentials are called, by the switch that makes Claude Code use that cloud."""

_DEFAULTS: Final = {
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # nothing goes on when the answer has ended: nobody would hear of it
    "CLAUDE_CODE_DISABLE_CRON": "1",
    "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",  # `@file` in a message reads the file without asking
    "DISABLE_AUTOUPDATER": "1",  # the SDK fits the version it came with
    "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why Claude Code cannot run, and what to do, in one sentence each."""

    reason: str
    remedy: str


PROGRAM_MISSING: Final = "The program of Claude Code is missing. Install it again, or check its command."
SDK_MISSING: Final = Trouble(
    "The Claude Agent SDK is not installed.", "Run `make install` in the checkout, or install the extra `claude`."
)


def claude_environment(extra: Mapping[str, str], *, source: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the CLI: the common part, Claude's own credentials and `extra`, the configured variables.

    A cloud's credentials pass only if its switch is set, in `source` (default: the gateway's environment) or in `extra`.
    """
    origin = os.environ if source is None else source
    names = {*_ACCESS, *_PRIVACY}
    for switch, credentials in _CLOUDS.items():
        if _is_on(extra.get(switch, origin.get(switch))):
            names |= {switch, *credentials}
    return agent_environment(credentials=names, extra=_DEFAULTS | dict(extra), source=origin)


def find_cli(command: str | None, path: str | None) -> Path | None:
    """The program: `command` (a path or a name on `path`), else the one in the SDK, else `claude` on `path`.

    The SDK's own comes first because the two are released together: a `claude` on the path can be of any age, and may
    not know the protocol of this SDK.
    """
    if command is None:
        bundled = _bundled_cli()
        if bundled is not None:
            return bundled
    found = shutil.which(str(Path(command).expanduser()) if command else "claude", path=path)
    return None if found is None else Path(found)


def find_trouble(command: str | None, environment: Mapping[str, str]) -> Trouble | None:
    """What keeps Claude Code from running in `environment`, the first thing first; None if nothing does."""
    if importlib.util.find_spec(SDK) is None:
        return SDK_MISSING
    if find_cli(command, environment.get("PATH")) is None:
        name = "configured command of Claude Code" if command else "`claude` program"
        return Trouble(
            f"The {name} was not found.", "Install Claude Code, or set `providers.claude.command` to its path."
        )
    if not _is_logged_in(environment):
        return Trouble("Claude Code is not logged in.", "Run `claude` once and log in, or set ANTHROPIC_API_KEY.")
    return None


def is_trusted(workspace: Path, environment: Mapping[str, str]) -> bool:
    """Whether the user has told Claude Code, in its own dialogue, that they trust this folder or one above it.

    Only there do the folder's own settings load: hooks and servers in them run without any question.
    """
    projects = _json_object(_state_file(environment)).get("projects")
    if not isinstance(projects, dict):
        return False
    place = workspace.resolve()
    folders = (projects.get(str(folder)) for folder in (place, *place.parents))
    return any(isinstance(folder, dict) and folder.get("hasTrustDialogAccepted") is True for folder in folders)


def _config_directory(environment: Mapping[str, str]) -> Path:
    own = environment.get("CLAUDE_CONFIG_DIR")
    return Path(own) if own else _home(environment) / ".claude"


def _state_file(environment: Mapping[str, str]) -> Path:
    own = environment.get("CLAUDE_CONFIG_DIR")
    return Path(own) / ".claude.json" if own else _home(environment) / ".claude.json"


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or Path.home())


def _is_on(switch: str | None) -> bool:
    return switch is not None and switch.strip().lower() in {"1", "true", "yes", "on"}


def _bundled_cli() -> Path | None:
    spec = importlib.util.find_spec(SDK)
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "_bundled" / "claude"
    return program if os.access(program, os.X_OK) and program.is_file() else None


def _is_logged_in(environment: Mapping[str, str]) -> bool:
    if any(environment.get(name) for name in CREDENTIALS) or any(_is_on(environment.get(name)) for name in _CLOUDS):
        return True
    directory = _config_directory(environment)
    if (directory / ".credentials.json").is_file():
        return True
    # On macOS the login is in the keychain; what says that there is one is the account in the CLI's own state.
    state = _json_object(_state_file(environment))
    if state.get("oauthAccount") or state.get("primaryApiKey"):
        return True
    settings = _json_object(directory / "settings.json")
    variables = settings.get("env")
    names = set(variables) if isinstance(variables, dict) else set()
    return bool(settings.get("apiKeyHelper")) or bool(names & {*CREDENTIALS, *_CLOUDS})


def _json_object(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
