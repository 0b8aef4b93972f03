"""`sygen config`: the configuration, shown, changed and checked."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sygen_bot.cli.terminal import command_line
from sygen_bot.errors import ConfigError, Problem
from sygen_bot.paths import Paths

if TYPE_CHECKING:
    from sygen_bot.config import Settings

app = typer.Typer(no_args_is_help=True, help="See, change and check the configuration.")


def _complete_key(incomplete: str) -> list[str]:
    from sygen_bot.config import setting_keys

    return [key for key in setting_keys() if key.startswith(incomplete)]


Key = Annotated[str, typer.Argument(metavar="KEY", autocompletion=_complete_key, help="Such as api.port.")]
OptionalKey = Annotated[
    str | None, typer.Argument(metavar="[KEY]", autocompletion=_complete_key, help="Such as api.port.")
]


@app.command()
def show(key: OptionalKey = None) -> None:
    """Show the configuration in force, variables of the environment included. Secrets are masked."""
    from sygen_bot.config import load_settings, masked

    shown = masked(load_settings(Paths.from_environment(), create=False))
    value = _at(shown, key) if key else shown
    typer.echo(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))


@app.command("set", context_settings={"ignore_unknown_options": True})
def set_(
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help='JSON (true, 9000, null, ["a"]), else it is text.')],
) -> None:
    """Change one setting. Nothing is written if the configuration would be wrong then."""
    from sygen_bot.config import masked
    from sygen_bot.instance import running_instance

    paths = Paths.from_environment()
    settings = _save(paths, key, value)
    typer.echo(f"{key} = {json.dumps(_at(masked(settings), key), ensure_ascii=False)}")
    variable = "SYGEN_" + key.upper().replace(".", "__")
    if variable in os.environ:
        typer.echo(f"But {variable} in the environment overrides it.", err=True)
    if running_instance(paths) is not None:
        typer.echo("The running gateway takes it at its next start.", err=True)


@app.command()
def validate() -> None:
    """Check the configuration. Exit code 2 and one line for each problem if it is wrong."""
    from sygen_bot.cli.preflight import target_problems, tls_problems
    from sygen_bot.config import load_settings
    from sygen_bot.orchestrator.providers import build_providers

    paths = Paths.from_environment()
    settings: Settings = load_settings(paths, create=False)
    if problems := [*tls_problems(settings), *target_problems(settings, build_providers(settings, paths))]:
        raise ConfigError(*problems)
    where = paths.config_file if paths.config_file.exists() else f"{paths.config_file} is not there yet; the defaults"
    typer.echo(f"{where}: valid")


@app.command()
def path() -> None:
    """Print where the configuration is."""
    typer.echo(Paths.from_environment().config_file)


def _save(paths: Paths, key: str, value: str) -> Settings:
    """Save `value` as JSON where it is JSON that fits, else as text: a model may be called `4`."""
    from sygen_bot.cli.preflight import target_problems
    from sygen_bot.config import save_setting
    from sygen_bot.orchestrator.providers import build_providers

    def save(as_what: object) -> Settings:
        return save_setting(
            paths, key, as_what, find_problems=lambda new: target_problems(new, build_providers(new, paths))
        )

    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return save(value)
    try:
        return save(parsed)
    except ConfigError as error:
        try:
            return save(value)
        except ConfigError:
            raise error from None


def _at(shown: Any, key: str) -> Any:  # JSON
    for part in key.split("."):
        if not isinstance(shown, dict) or part not in shown:
            raise ConfigError(_unknown(key))
        shown = shown[part]
    return shown


def _unknown(key: str) -> Problem:
    import difflib

    from sygen_bot.config import setting_keys

    near = difflib.get_close_matches(key, setting_keys(), n=1)
    return Problem(
        key, "an unknown key", f"keys such as {near[0]}" if near else f"`{command_line('config', 'show')}` lists them"
    )
