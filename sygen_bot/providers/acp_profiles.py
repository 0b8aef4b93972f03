"""What is known of each agent that speaks the Agent Client Protocol: its command, its login, and where it differs from the rest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sygen_bot.providers import acp_gemini
from sygen_bot.providers.environment import agent_environment

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

Preparation = tuple[tuple[str, ...], Mapping[str, str]]
"""Further arguments and variables for one start."""


def _prepare_nothing(directory: Path, environment: Mapping[str, str]) -> Preparation:
    del directory, environment
    return (), _NOTHING


def _always(environment: Mapping[str, str]) -> bool:
    del environment
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class AcpProfile:
    """One agent.

    `argv`: its command. `remedy`: how to install it and log in, one sentence. `credentials`: variables that pass to it from the
    gateway's environment. `settings`: variables that it is given. `is_logged_in`: looks at variables and files only.
    `prepare`: writes what a start needs into a directory of ours, and says with what to start.
    `load_after_s`: how long ago a conversation must have been begun or loaded before it may be loaded again; None: it never may.
    `model_option`: the argument before a model's name, for an agent that cannot change its model while it runs.
    `mixes_forms`: whether it takes links and images in one prompt. `start_timeout_s`: how long it has to be ready.
    `acts_on`: the signs before a word by which a message is a command that the agent carries out without its model or any question.
    """

    id: str
    name: str
    color: str
    argv: tuple[str, ...]
    remedy: str
    credentials: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    is_logged_in: Callable[[Mapping[str, str]], bool] = _always
    prepare: Callable[[Path, Mapping[str, str]], Preparation] = _prepare_nothing
    load_after_s: float | None = 0.0
    model_option: str | None = None
    acts_on: tuple[str, ...] = ()
    mixes_forms: bool = True
    start_timeout_s: float = 60.0


def _opencode_is_logged_in(environment: Mapping[str, str]) -> bool:
    home = Path(environment.get("HOME") or Path.home())
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share") / "opencode" / "auth.json"
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"
    files = (data, config / "opencode.json", config / "opencode.jsonc")
    return any(environment.get(name) for name in _MODEL_KEYS) or any(file.is_file() for file in files)


def _goose_is_logged_in(environment: Mapping[str, str]) -> bool:
    config = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or Path.home()) / ".config")
    return bool(environment.get("GOOSE_PROVIDER")) or (config / "goose" / "config.yaml").is_file()


def _qwen_is_logged_in(environment: Mapping[str, str]) -> bool:
    directory = Path(environment.get("HOME") or Path.home()) / ".qwen"
    return bool(environment.get("OPENAI_API_KEY")) or any(
        (directory / name).is_file() for name in ("oauth_creds.json", "settings.json", ".env")
    )


_MODEL_KEYS: Final = (
    *("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY", "GROQ_API_KEY"),
    *("MISTRAL_API_KEY", "OPENROUTER_API_KEY", "DEEPSEEK_API_KEY", "XAI_API_KEY"),
)
_OPENCODE_TOOLS: Final = (
    *(
        "*",
        "read",
        "edit",
        "write",
        "patch",
        "glob",
        "grep",
        "list",
        "bash",
        "task",
        "skill",
        "lsp",
        "webfetch",
        "websearch",
    ),
    *("codesearch", "external_directory", "doom_loop", "todoread", "todowrite"),
)

GEMINI: Final = AcpProfile(
    id="gemini",
    name="Gemini CLI",
    color="#4285F4",
    argv=("gemini", "--acp"),
    remedy="Install it with `npm install -g @google/gemini-cli`, then run `gemini` once and log in, or set GEMINI_API_KEY.",
    credentials=acp_gemini.CREDENTIALS,
    settings=acp_gemini.SETTINGS,
    models=("auto", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite"),
    is_logged_in=acp_gemini.is_gemini_logged_in,
    prepare=acp_gemini.prepare_gemini,
    load_after_s=60.0,  # each begin and load makes a transcript named for the minute: the second in a minute empties it
    acts_on=("/", "$"),
    mixes_forms=False,  # it drops images that stand beside a link; what is linked it reads, images too
)
OPENCODE: Final = AcpProfile(
    id="opencode",
    name="OpenCode",
    color="#71717A",
    argv=("opencode", "acp"),
    remedy="Install OpenCode from opencode.ai, then run `opencode auth login`.",
    credentials=(*_MODEL_KEYS, "OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR"),
    settings={"OPENCODE_PERMISSION": json.dumps(dict.fromkeys(_OPENCODE_TOOLS, "ask"))},
    is_logged_in=_opencode_is_logged_in,
)
GOOSE: Final = AcpProfile(
    id="goose",
    name="Goose",
    color="#0D9488",
    argv=("goose", "acp"),
    remedy="Install Goose, then run `goose configure`.",
    credentials=(*_MODEL_KEYS, "GOOSE_PROVIDER", "GOOSE_MODEL", "OLLAMA_HOST", "DATABRICKS_HOST", "DATABRICKS_TOKEN"),
    settings={"GOOSE_MODE": "approve"},
    is_logged_in=_goose_is_logged_in,
)
QWEN: Final = AcpProfile(
    id="qwen",
    name="Qwen Code",
    color="#7C3AED",
    argv=("qwen", "--acp", "--approval-mode", "default"),
    remedy="Install it with `npm install -g @qwen-code/qwen-code`, then run `qwen` once and log in.",
    credentials=("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "DASHSCOPE_API_KEY"),
    is_logged_in=_qwen_is_logged_in,
    load_after_s=60.0,
    acts_on=("/",),
)
PROFILES: Final[Mapping[str, AcpProfile]] = MappingProxyType({p.id: p for p in (GEMINI, OPENCODE, GOOSE, QWEN)})


def custom_profile(id: str, name: str, argv: tuple[str, ...]) -> AcpProfile:
    """An agent that is known by its command alone. Whether it is logged in shows when it is asked something."""
    return AcpProfile(id=id, name=name, color="#475569", argv=argv, remedy=f"Install {name} and log in to it.")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an agent cannot run, and what to do, in one sentence each."""

    reason: str
    remedy: str


def acp_environment(
    profile: AcpProfile, extra: Mapping[str, str], *, source: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment for the agent's processes: what is always passed, its credentials, its settings, and `extra`."""
    configured = {name: value for name, value in extra.items() if name not in profile.settings}
    return agent_environment(credentials=profile.credentials, extra=configured | dict(profile.settings), source=source)


def find_program(profile: AcpProfile, environment: Mapping[str, str]) -> str | None:
    """The path of the agent's program; None if there is none."""
    program = profile.argv[0]
    return shutil.which(str(Path(program).expanduser()), path=environment.get("PATH"))


def find_trouble(profile: AcpProfile, environment: Mapping[str, str]) -> Trouble | None:
    """What keeps the agent from running in `environment`, the first thing first; None if nothing does. Starts nothing."""
    if find_program(profile, environment) is None:
        return Trouble(f"The program `{Path(profile.argv[0]).name}` was not found.", profile.remedy)
    if not profile.is_logged_in(environment):
        return Trouble(f"{profile.name} is not logged in.", profile.remedy)
    return None
