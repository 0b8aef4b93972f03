"""What Gemini CLI needs to be a good guest: a policy of ours that makes it ask before every tool. The user's own files are only read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CREDENTIALS: Final = (
    *(
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GEMINI_BASE_URL",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_GENAI_USE_GCA",
    ),
    *("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT_ID", "GOOGLE_CLOUD_LOCATION", "GOOGLE_APPLICATION_CREDENTIALS"),
    *("GEMINI_CLI_HOME", "GEMINI_MODEL", "GEMINI_CLI_TRUSTED_FOLDERS_PATH"),
    *("GEMINI_CLI_SYSTEM_SETTINGS_PATH", "GEMINI_CLI_SYSTEM_DEFAULTS_PATH"),
)
SETTINGS: Final = {"GEMINI_CLI_NO_RELAUNCH": "true"}
"""Without it the CLI starts a second Node with a larger heap: twice the time and the memory."""

_POLICY: Final = """\
# Every use of a tool is put to the gateway, which decides or asks. Made anew at each start.
[[rule]]
toolName = "*"
decision = "ask_user"
priority = 997

# With a pattern, or else commands that the CLI takes for harmless would not be asked for.
[[rule]]
toolName = "run_shell_command"
argsPattern = "."
decision = "ask_user"
priority = 998

# What agents of the agent do cannot be asked for, and nobody is at the terminal.
[[rule]]
toolName = ["invoke_agent", "codebase_investigator", "cli_help", "ask_user", "enter_plan_mode", "exit_plan_mode"]
decision = "deny"
priority = 999
"""


def prepare_gemini(directory: Path, environment: Mapping[str, str]) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The arguments for one start; writes the policy that they name into `directory`. Raises OSError.

    It ranks above the rules of the user and of the project, and below those that the machine's administrator has made.
    """
    del environment
    policy = directory / "policy.toml"
    if _text(policy) != _POLICY:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, fresh = tempfile.mkstemp(dir=directory)  # two sessions may begin at the same time
        with os.fdopen(number, "w") as file:
            file.write(_POLICY)
        Path(fresh).replace(policy)
    return ("--admin-policy", str(policy), "--approval-mode", "default"), {}


def is_gemini_logged_in(environment: Mapping[str, str]) -> bool:
    """Whether a variable or a file of the CLI's says so; a key may be in the system's key store, then its settings name it."""
    if environment.get("GEMINI_API_KEY") or "true" in (
        environment.get("GOOGLE_GENAI_USE_VERTEXAI"),
        environment.get("GOOGLE_GENAI_USE_GCA"),
    ):
        return True
    home = Path(environment.get("GEMINI_CLI_HOME") or environment.get("HOME") or Path.home())
    directory = home / ".gemini"
    # The settings may hold comments, so they are not read as JSON.
    if (directory / "oauth_creds.json").is_file() or '"selectedType"' in _text(directory / "settings.json"):
        return True
    return any("_API_KEY" in _text(file) for file in (directory / ".env", home / ".env"))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
