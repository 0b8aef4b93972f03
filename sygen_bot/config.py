"""The configuration: one JSON file, overridden by `SYGEN_*` variables, overridden by command-line flags.

Unknown keys and wrong values are refused with one `Problem` each. docs/config.md describes every key.
"""

from __future__ import annotations

import difflib
import fcntl
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from sygen_bot.errors import ConfigError, Problem, SetupError
from sygen_bot.paths import Paths
from sygen_bot.session.key import MAX_ID

CLIENT_VARIABLES: Final = frozenset({"SYGEN_HOME", "SYGEN_URL", "SYGEN_TOKEN", "SYGEN_SERVER"})
MASK: Final = "********"

_ORIGIN: Final = r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
_WHOLE_NUMBER: Final = "a whole number"
_NUMBER: Final = "a number"
_ALLOWED: Final = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _WHOLE_NUMBER),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number", "no_number"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode"), "text"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), "an object"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    "path_type": "a path",
    "string_too_short": "text that is not empty",
    "too_short": "at least one entry",
}
"""What is allowed, in our words, by the library's name for what is wrong."""


def _is_number(value: object) -> object:
    """For the library `true` is 1; in a configuration it is a mistake."""
    if isinstance(value, bool):
        raise PydanticCustomError("no_number", _NUMBER)
    return value


def _is_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("no_timezone", "the name of a time zone, such as Europe/Berlin") from None
    return name


def _is_origin(text: str) -> str:
    """As browsers write it. `null` is what every page without an origin calls its own, so it can be nobody's name."""
    if not re.fullmatch(_ORIGIN, text.lower(), re.ASCII):
        raise PydanticCustomError("no_origin", "an origin: scheme, host and perhaps a port, as in https://chat.example")
    return text.lower()


def _is_web_origin(text: str) -> str:
    """One that can stand in a page's policy, which knows no addresses of IPv6."""
    if not re.fullmatch(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?", text.lower(), re.ASCII):
        raise PydanticCustomError("no_web_origin", "an origin by name or IPv4, as in https://other.example:8741")
    return text.lower()


Whole = Annotated[int, BeforeValidator(_is_number)]
Number = Annotated[float, BeforeValidator(_is_number)]
Origin = Annotated[str, AfterValidator(_is_origin)]
WebOrigin = Annotated[str, AfterValidator(_is_web_origin)]
Seconds = Annotated[Number, Field(gt=0, le=86_400)]
ChatId = Annotated[Whole, Field(ge=1, le=MAX_ID)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ApiSettings(_Section):
    """Where and how the API is served. Sizes in bytes, times in seconds."""

    enabled: bool = False
    host: str = Field("0.0.0.0", min_length=1)  # noqa: S104 - the documented default; a warning is given
    port: Whole = Field(8741, ge=0, le=65_535)
    token: SecretStr = SecretStr("")
    chat_id: Whole = Field(0, ge=0, le=MAX_ID)
    allow_public: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    public_url: str | None = None
    require_sealed: bool = False
    max_frame_bytes: Whole = Field(1024 * 1024, ge=64 * 1024, le=16 * 1024 * 1024)
    send_timeout_s: Seconds = 20.0
    drain_s: Number = Field(10.0, ge=0, le=3600)
    auth_timeout_s: Seconds = 10.0
    max_connections: Whole = Field(10_000, ge=1)
    max_unauthenticated: Whole = Field(256, ge=1)
    max_unauthenticated_per_address: Whole = Field(64, ge=1)
    allowed_origins: tuple[Origin, ...] = ()
    queue_limit: Whole = Field(32, ge=1, le=10_000)
    max_upload_bytes: Whole = Field(50 * 1024 * 1024, ge=1)

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            missing = "tls_cert" if self.tls_cert is None else "tls_key"
            raise PydanticCustomError("half_a_pair", "half of a pair", {"missing": missing})
        return self


class AgentSettings(_Section):
    """One agent: what it is called, who answers for it, where it works and what it may do."""

    title: str = "Main"
    provider: str | None = None
    model: str | None = None
    workspace: Path | None = None
    system_prompt: str | None = None
    approval_policy: Literal["ask", "deny", "allow_read_only", "allow_all"] = "ask"
    avatar: Path | None = None


class ProviderSettings(_Section):
    """One provider: its command or endpoint, variables of its environment, and its limits, times in seconds.

    `kind`: what one of a name of your own is, an agent by its command (`acp`) or an endpoint by its URL (`openai`). `command`: a program
    with its arguments. `max_warm`: processes that may wait for the next turn of their session, each at most `idle_ttl_s`.
    """

    kind: Literal["acp", "openai"] | None = None
    title: str | None = Field(None, min_length=1)
    command: str | None = Field(None, min_length=1)
    env: dict[str, str] = {}
    base_url: str | None = Field(None, pattern=r"^https?://")
    api_key_env: str | None = Field(None, min_length=1)
    headers: dict[str, str] = {}
    models: tuple[str, ...] = ()
    context_tokens: Whole | None = Field(None, ge=256)
    sandbox: Literal["read-only", "workspace-write", "danger-full-access"] | None = None
    idle_ttl_s: Seconds = 600.0
    max_warm: Whole = Field(8, ge=0, le=256)
    turn_timeout_s: Seconds | None = None


class SessionSettings(_Section):
    """Bounds of a conversation. `max_answer_bytes`: an answer's size as a JSON string.

    An agent's context begins anew after `idle_timeout_minutes`, after `max_messages`, and every day at `daily_reset_hour`, each if
    it is set. After a crash, messages younger than `requeue_max_age_s` are run. `max_parallel_turns`: agents at work at once, in all
    conversations together.
    """

    idle_timeout_minutes: Number | None = Field(None, gt=0)
    max_messages: Whole | None = Field(None, ge=1)
    daily_reset_hour: Whole | None = Field(None, ge=0, le=23)
    max_answer_bytes: Whole = Field(8 * 1024 * 1024, ge=1024, le=10 * 1024 * 1024)
    requeue_max_age_s: Number = Field(900.0, ge=0)
    max_parallel_turns: Whole = Field(32, ge=1, le=10_000)


class StorageSettings(_Section):
    """`url`: an SQLAlchemy URL with an async driver; none means a SQLite file in the home."""

    url: str | None = None


Engine = Literal["custom", "openai", "whisper", "whisper-ctranslate2", "whisper.cpp"]


class TranscriptionSettings(_Section):
    """Who turns speech into text. `custom`: a command with `{file}` in it, or a URL. `models`: other models than `model`, by engine."""

    custom: str | None = Field(None, min_length=1)
    openai_base_url: str | None = Field(None, pattern=r"^https?://")
    openai_api_key_env: str = Field("OPENAI_API_KEY", min_length=1)
    model: str | None = Field(None, min_length=1)
    models: dict[Engine, str] = {}
    language: str | None = Field(None, min_length=1)
    timeout_s: Seconds = 120.0
    max_file_bytes: Whole = Field(200 * 1024 * 1024, ge=1)
    max_parallel: Whole = Field(2, ge=1, le=64)


class ImageSettings(_Section):
    """How large uploaded pictures may stay, in pixels a side, and what larger ones are stored as."""

    max_dimension: Whole = Field(2000, ge=16, le=16_384)
    output_format: Literal["webp", "jpeg", "png"] = "webp"
    quality: Whole = Field(85, ge=1, le=100)


class CleanupSettings(_Section):
    """What is removed by itself, after how many days; 0 for never."""

    api_files_days: Whole = Field(30, ge=0, le=36_500)


class ApprovalSettings(_Section):
    """How long an agent's request waits for somebody's answer, in seconds; then the answer is no."""

    timeout_s: Seconds = 300.0


class NotificationSettings(_Section):
    """How many days notifications are kept; 0 for ever."""

    keep_days: Whole = Field(90, ge=0, le=36_500)


class CronSettings(_Section):
    """Jobs by the clock. `timezone`: an IANA name; None for that of the machine."""

    enabled: bool = True
    timezone: Annotated[str, AfterValidator(_is_timezone)] | None = None


class WebhookSettings(_Section):
    """Messages from other services. `rate_per_minute` is for each hook."""

    enabled: bool = True
    max_body_bytes: Whole = Field(256 * 1024, ge=1, le=16 * 1024 * 1024)
    rate_per_minute: Whole = Field(60, ge=1)


class TaskSettings(_Section):
    """Agents that no person waits for: how many run at once."""

    max_parallel: Whole = Field(4, ge=1, le=256)


class WebSettings(_Section):
    """The web client. `directory`: where its files are, by default in the package. `gateways`: others that the page may talk to."""

    enabled: bool = True
    directory: Path | None = None
    gateways: tuple[WebOrigin, ...] = ()

    @property
    def page(self) -> Path:
        """The directory that is served."""
        return Path(__file__).parent / "web" if self.directory is None else self.directory.expanduser()

    @property
    def has_page(self) -> bool:
        """Whether there is one. It may come and go while the gateway runs."""
        return (self.page / "index.html").is_file()


class Settings(BaseSettings):
    """The whole configuration, checked."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="SYGEN_", env_nested_delimiter="__", env_ignore_empty=False
    )

    api: ApiSettings = ApiSettings()
    allowed_user_ids: tuple[ChatId, ...] = ()
    file_access: Literal["all", "home", "workspace"] = "workspace"
    agents: dict[str, AgentSettings] = Field({"main": AgentSettings()}, min_length=1)
    provider: str | None = None
    model: str | None = None
    providers: dict[str, ProviderSettings] = {}
    session: SessionSettings = SessionSettings()
    storage: StorageSettings = StorageSettings()
    transcription: TranscriptionSettings = TranscriptionSettings()
    image: ImageSettings = ImageSettings()
    cleanup: CleanupSettings = CleanupSettings()
    approvals: ApprovalSettings = ApprovalSettings()
    notifications: NotificationSettings = NotificationSettings()
    cron: CronSettings = CronSettings()
    webhooks: WebhookSettings = WebhookSettings()
    tasks: TaskSettings = TaskSettings()
    web: WebSettings = WebSettings()

    @property
    def default_chat_id(self) -> int:
        """The chat scope of clients that name none."""
        return self.api.chat_id or (self.allowed_user_ids[0] if self.allowed_user_ids else 1)

    @property
    def agent_name(self) -> str:
        """The agent that answers."""
        return "main" if "main" in self.agents else next(iter(self.agents))

    @property
    def agent(self) -> AgentSettings:
        """Its profile."""
        return self.agents[self.agent_name]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - names are the library's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(paths: Paths, *, overrides: Mapping[str, object] | None = None, create: bool = True) -> Settings:
    """The settings of this home; `overrides` by dotted key. Creates the file at the first start, unless `create` is false.

    Raises ConfigError, SetupError.
    """
    if not paths.config_file.exists():
        if not create:
            return _check({}, overrides or {})
        _write(paths, {"api": {"enabled": False, "port": 8741}})
    return _check(_read(paths.config_file), overrides or {})


def save_setting(
    paths: Paths, key: str, value: object, *, find_problems: Callable[[Settings], Sequence[Problem]] | None = None
) -> Settings:
    """Set a dotted `key` in the file, if the whole is still valid then. Raises ConfigError, SetupError.

    `find_problems` knows what else would be wrong.
    """
    paths.prepare()
    with _exclusive(paths):
        data = _read(paths.config_file) if paths.config_file.exists() else {}
        changed = _merged(data, _nested(key, value))
        settings = _check(changed, {})
        if find_problems is not None and (problems := find_problems(settings)):
            raise ConfigError(*problems)
        _write(paths, changed)
    return settings


def ensure_token(paths: Paths) -> str:
    """The token clients need; 256 random bits are made and stored if there is none."""
    token = load_settings(paths).api.token.get_secret_value()
    return token or _store_token(paths)


def rotate_token(paths: Paths) -> str:
    """A new token, stored. Raises ConfigError if the environment would override it."""
    if "SYGEN_API__TOKEN" in os.environ:
        raise ConfigError(
            Problem("api.token", "SYGEN_API__TOKEN in the environment", "a token in the config file, to rotate it")
        )
    return _store_token(paths)


def masked(settings: Settings) -> dict[str, Any]:
    """The settings for showing: secrets masked."""
    shown: dict[str, Any] = settings.model_dump(mode="json")
    shown["api"]["token"] = MASK if settings.api.token.get_secret_value() else ""
    for provider in shown["providers"].values():
        provider["env"] = dict.fromkeys(provider["env"], MASK)
        provider["headers"] = dict.fromkeys(provider["headers"], MASK)
    return shown


def setting_keys() -> list[str]:
    """Every dotted key that has a fixed name, for completion and for suggestions."""
    keys: list[str] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            keys += [f"{name}.{inner}" for inner in section.model_fields]
        else:
            keys.append(name)
    return keys


def _store_token(paths: Paths) -> str:
    token = secrets.token_urlsafe(32)
    save_setting(paths, "api.token", token)
    return token


def _check(data: Mapping[str, Any], overrides: Mapping[str, object]) -> Settings:
    unknown = [
        _unknown_variable(name)
        for name in os.environ
        if name.startswith("SYGEN_")
        and name not in CLIENT_VARIABLES
        and name.removeprefix("SYGEN_").split("__")[0].lower() not in Settings.model_fields
    ]
    if unknown:
        raise ConfigError(*unknown)
    try:
        environment = EnvSettingsSource(Settings)()
    except ValueError as error:
        raise ConfigError(*_no_json()) from error
    merged = _merged(data, environment)
    for key, value in overrides.items():
        merged = _merged(merged, _nested(key, value))
    if reserved := [name for name in merged if name.startswith("_")]:  # the library's own arguments, not settings
        raise ConfigError(*map(_unknown_key, reserved))
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise ConfigError(*map(_problem, error.errors())) from error


def _problem(error: Any) -> Problem:
    key = ".".join(map(str, error["loc"])) or "(the whole)"
    if error["type"] == "extra_forbidden":
        return _unknown_key(key)
    if error["type"] == "half_a_pair":
        missing = error["ctx"]["missing"]
        allowed = "a file: api.tls_cert and api.tls_key are given together, or neither"
        return Problem(f"{key}.{missing}", "nothing", allowed)
    secret = "token" in key or ".env." in f"{key}." or ".headers." in f"{key}."
    found = MASK if secret else _shown(error["input"])
    return Problem(key, found, _ALLOWED.get(error["type"]) or error["msg"].removeprefix("Input should be "))


def _unknown_key(key: str) -> Problem:
    near = difflib.get_close_matches(key, setting_keys(), n=1)
    return Problem(key, "an unknown key", f"keys such as {near[0]}" if near else ", ".join(setting_keys()))


def _unknown_variable(name: str) -> Problem:
    variables = ["SYGEN_" + key.upper().replace(".", "__") for key in setting_keys()]
    near = difflib.get_close_matches(name, variables, n=1) or ["SYGEN_API__PORT"]
    return Problem(name, "a variable of this name", f"SYGEN_ and a key, with `__` for the dot: {near[0]}")


def _no_json() -> Iterator[Problem]:
    """The variables that should hold JSON and do not: the library names only the outermost key."""
    for name, value in os.environ.items():
        if name.startswith("SYGEN_"):
            source = EnvSettingsSource(Settings)
            source.env_vars = {name.lower(): value}
            try:
                source()
            except ValueError:
                yield Problem(name, "no JSON", "JSON, as for every list and object")


def _shown(value: object) -> str:
    """A wrong value for people. What is in a list or object may be secret."""
    if isinstance(value, Mapping | list | tuple):
        return ("an object" if isinstance(value, Mapping) else "a list") if value else "nothing in it"
    return json.dumps(value, default=str)[:80]


def _read(file: Path) -> dict[str, Any]:
    try:
        content = file.read_bytes()
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
    except OSError as error:
        raise SetupError(
            f"The config {file} cannot be read: {error.strerror}", "Repair it, or move it away to start with defaults."
        ) from error
    try:
        data = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(str(file), "bytes that are not UTF-8", "JSON in UTF-8")) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(Problem(str(file), str(error), "JSON")) from error
    if not isinstance(data, dict):
        raise ConfigError(Problem(str(file), type(data).__name__, "a JSON object"))
    return data


def _write(paths: Paths, data: Mapping[str, Any]) -> None:
    """Replace the file atomically, mode 0600."""
    paths.prepare()
    folder = paths.config_file.parent
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=".config-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as temporary:
                json.dump(data, temporary, indent=2, ensure_ascii=False)
                temporary.write("\n")
                temporary.flush()
                os.fsync(temporary.fileno())
            Path(name).replace(paths.config_file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SetupError(
            f"The config {paths.config_file} cannot be written: {error.strerror}", "Make room, or make it writable."
        ) from error


@contextmanager
def _exclusive(paths: Paths) -> Iterator[None]:
    """Two commands that change the config wait for each other."""
    with (paths.config_file.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _nested(key: str, value: object) -> dict[str, Any]:
    head, _, rest = key.partition(".")
    return {head: _nested(rest, value) if rest else value}


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result
