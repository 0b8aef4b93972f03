"""What Codex is told at its start, above the user's own configuration, so that nothing in there opens a way around the gate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Literal

from sygen_bot.providers.codex_login import ModelProvider
from sygen_bot.providers.codex_questions import PATIENCE_S

Sandbox = Literal["read-only", "workspace-write", "danger-full-access"]

_OURS: Final[Mapping[str, object]] = {
    "features.hooks": True,
    # A terminal that stays open takes commands that no hook sees.
    "features.unified_exec_tty": False,
    # These work while no turn runs, or on servers that cannot ask us.
    "features.multi_agent": False,
    "features.goals": False,
    "features.image_generation": False,
    "web_search": "disabled",
    # Rules and files beyond the workspace are for a person to decide.
    "approval_policy": "on-request",
    "approvals_reviewer": "user",
    "sandbox_workspace_write.exclude_slash_tmp": True,
    "sandbox_workspace_write.exclude_tmpdir_env_var": True,
    # What a command sees of the environment has no keys and tokens in it.
    "shell_environment_policy.ignore_default_excludes": False,
    # Without the network it would try for ever, and the turn would never end.
    "features.unbounded_connection_retries": False,
    "check_for_update_on_startup": False,
}


def command_line(cli: str, *, hook: str, model_provider: ModelProvider) -> list[str]:
    """The app-server with its settings. `hook`: the command that is asked before each use of a tool."""
    settings = dict(_OURS)
    if model_provider.definition is not None:
        settings["model_provider"] = model_provider.id
        settings[f"model_providers.{model_provider.id}"] = model_provider.definition
    handler = {"type": "command", "command": hook, "timeout": PATIENCE_S}
    settings["hooks.PreToolUse"] = [{"hooks": [handler]}]
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={_toml(value)}")]
    return [cli, *options, "app-server"]


def _toml(value: object) -> str:
    """A value in TOML, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{" + ", ".join(f"{_toml(name)} = {_toml(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return str(value)
