"""`sygen model`: the weights of the local model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from sygen_bot.cli.terminal import command_line, is_smart
from sygen_bot.errors import SetupError
from sygen_bot.paths import Paths

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(
    no_args_is_help=True, help="Install the small model that answers on this machine, without any account."
)


@app.command()
def install() -> None:
    """Download the local model (about 100 MB, checked by its hash). What was cut off goes on where it stopped."""
    from sygen_bot.providers.weights import SMOLLM2, install_weights, weights_installed

    paths = Paths.from_environment()
    if weights_installed(paths.weights):
        typer.echo(f"The model is installed: {paths.weights}")
        return
    paths.prepare()
    title = f"{SMOLLM2.name} {SMOLLM2.version}"
    try:
        if is_smart(sys.stderr):
            _install_with_bar(paths.weights, title)
        else:
            typer.echo(f"downloading {title}", err=True)
            install_weights(paths.weights)
    except KeyboardInterrupt:
        typer.echo(f"Stopped. `{command_line('model', 'install')}` goes on from here.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"The model is installed: {paths.weights}")


@app.command()
def path() -> None:
    """Print where the model is."""
    from sygen_bot.providers.weights import weights_installed

    weights = Paths.from_environment().weights
    if not weights_installed(weights):
        raise SetupError("The model is not installed", f"`{command_line('model', 'install')}` installs it.")
    typer.echo(weights)


def _install_with_bar(target: Path, title: str) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from sygen_bot.providers.weights import install_weights

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None)
        install_weights(target, progress=lambda done, total: progress.update(task, completed=done, total=total))
