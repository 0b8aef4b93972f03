"""The `sygen` command: its parts put together, and one clear line for whatever goes wrong.

Every module of `cli` imports what is heavy inside its commands, so that help and completion stay quick.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from sygen_bot import __version__
from sygen_bot.cli import (
    api,
    approvals,
    ask,
    chat,
    config,
    cron,
    doctor,
    get,
    hook,
    link,
    model,
    notifications,
    send,
    serve,
    status,
    task,
)
from sygen_bot.cli.terminal import as_typed, command_line, program
from sygen_bot.errors import ConfigError, SygenError

_NO_ROOM: Final = "Make room on the disk, then try again."

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: quick to show, and errors are lines, not boxes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"Begin with `{program()} serve`, then in another terminal `{program()} chat`. `{program()} COMMAND --help` tells more.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def sygen(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A self-hosted, end-to-end encrypted gateway between you and your AI agents."""


app.command("serve", epilog=serve.EPILOG)(serve.serve)
app.command("chat", epilog=chat.EPILOG)(chat.chat)
app.command("ask", epilog=ask.EPILOG)(ask.ask)
app.command("send", epilog=send.EPILOG)(send.send)
app.command("get", epilog=get.EPILOG)(get.get)
app.command("link", epilog=link.EPILOG)(link.link)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.add_typer(api.app, name="api")
app.add_typer(config.app, name="config")
app.add_typer(model.app, name="model")
app.add_typer(task.app, name="task")
app.add_typer(cron.app, name="cron")
app.add_typer(hook.app, name="hook")
app.add_typer(approvals.app, name="approvals")
app.command("notifications", epilog=notifications.EPILOG)(notifications.notifications)


@app.command()
def version() -> None:
    """Show the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command. Exits with its code."""
    _complete_streams()
    is_quick = sys.argv[1:] == ["version"]  # parsing any option would take longer than all of this
    _leave_out_all_but(*sys.argv[1:2])
    sys.exit(_run(version if is_quick else app))


def _leave_out_all_but(name: str = "") -> None:
    """Make only the command or group that is called: all of them would take longer than many a command."""
    commands = [each for each in app.registered_commands if each.name == name]
    groups = [each for each in app.registered_groups if each.name == name]
    if commands or groups:
        app.registered_commands, app.registered_groups = commands, groups


def _complete_streams() -> None:
    """Standard streams that are closed lead nowhere; what one of them cannot encode is replaced."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process
        else:
            stream.reconfigure(errors="replace")


def _run(command: Callable[[], object]) -> int:
    """The exit code of `command`. What goes wrong is one clear line on stderr, never a traceback."""
    try:
        code = _exit_code(command)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()  # who read our output has gone: that is no error of ours, and nobody is there to tell
        return 1
    except SygenError as error:
        return _fail(as_typed(str(error)), 2 if isinstance(error, ConfigError) else 1)
    except OSError as error:
        _forget_stdout()
        return _fail(_told(error), 1)
    except Exception as error:  # noqa: BLE001 - the process ends here
        return _fail(f"This is a bug in Sygen, please report it: {_where(error)}", 1)
    return code


def _exit_code(command: Callable[[], object]) -> int:
    try:
        command()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0


def _fail(line: str, code: int) -> int:
    with contextlib.suppress(OSError):  # stderr may be gone as well: the exit code has to do then
        typer.echo(line, err=True)
    return code


def _told(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    where = f"{error.filename}: " if error.filename else ""
    advice = {
        errno.ENOSPC: _NO_ROOM,
        errno.EDQUOT: _NO_ROOM,
        errno.EROFS: "Make it writable, or name another home with SYGEN_HOME.",
        errno.EACCES: "Check who may read and write it, or name another home with SYGEN_HOME.",
        errno.ENOTDIR: "Something else is where a folder should be: move it away, or name another home with SYGEN_HOME.",
        errno.EISDIR: "A folder is where a file should be: move it away, or name another home with SYGEN_HOME.",
        errno.EMFILE: "Allow more open files (`ulimit -n`), then try again.",
    }.get(error.errno or 0, f"`{command_line('doctor')}` looks for what is wrong here.")
    return f"{where}{what}. {advice}"


def _where(error: Exception) -> str:
    """What happened and where, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}sygen_bot{os.sep}" in frame.filename] or frames
    place = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{place}"


def _forget_stdout() -> None:
    """Nothing more can be written there: do not let the interpreter try, and complain, when it ends."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
