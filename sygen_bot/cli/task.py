"""`sygen task`: agents that work in the background, made, followed, shown and cancelled."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sygen_bot.cli.calling import asked, endpoint_of, print_json, segment
from sygen_bot.cli.connection import (
    ABORTED,
    ANSWERED,
    FAILED,
    USAGE,
    Endpoint,
    ServerKeyOption,
    TokenOption,
    UrlOption,
)
from sygen_bot.cli.terminal import clean, command_line, program

if TYPE_CHECKING:
    from sygen_bot.client import Gateway

EPILOG: Final = f"""\b
Exit codes, of --wait those of `ask`:
  0    it is done; without --wait: it is on its way
  1    it failed, or was refused
  2    wrong usage or configuration
  3    it was cancelled, or interrupted because the gateway stopped
  4    no connection, not let in, or the connection was lost
  130  Ctrl-C; the task goes on

\b
Examples:
  {program()} task add "find the slowest test and say why it is slow"
  git diff | {program()} task add --title "Review" --wait
  {program()} task list
"""

_TASKS: Final = "/api/tasks"
_LOOK_S: Final = 0.3
_STATUS_WIDTH: Final = len("interrupted")

app = typer.Typer(no_args_is_help=True, help="Tasks: agents that work in the background while nobody waits.")

_Id = Annotated[str, typer.Argument(metavar="ID", help="Of the task.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Wait = Annotated[bool, typer.Option("--wait", help="Print what the agent says as it comes, until its end.")]


@app.command(epilog=EPILOG)
def add(
    prompt: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="What to do. `-` stands for standard input, and so does nothing at all."),
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TITLE", help="What it is called.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Which agent; without it the main one.")] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="ID", help="Who answers; without it the agent's default.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="ID", help="Which model.")] = None,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="Run it again if the gateway stops before its end.")
    ] = False,
    wait: _Wait = False,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Have an agent do something in the background. Prints the id of the task.

    A notification tells its end.
    """
    body = {
        "prompt": _prompt(prompt or []),
        "title": title,
        "agent": agent,
        "provider": provider,
        "model": model,
        "repeats": repeats,
    }
    endpoint = endpoint_of(url, token, server_key)
    made = asked(endpoint, "POST", _TASKS, body)
    if wait:
        _follow(endpoint, made["id"], as_json=as_json)
    elif as_json:
        print_json(made)
    else:
        typer.echo(made["id"])
        if sys.stdout.isatty():
            typer.echo(f"`{command_line('task', 'show', made['id'])}` tells how it goes.", err=True)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=200, help="How many of the newest.")] = 20,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """List the newest tasks."""
    tasks = asked(endpoint_of(url, token, server_key), "GET", f"{_TASKS}?limit={limit}")
    if as_json:
        print_json(tasks)
        return
    for task in tasks:
        typer.echo(
            clean(f"{task['id']}  {task['status']:<{_STATUS_WIDTH}}  {_when(task['created_at'])}  {task['title']}")
        )
    if not tasks:
        typer.echo(f"There are none. `{command_line('task', 'add')}` makes one.", err=True)


@app.command()
def show(
    task_id: _Id,
    wait: _Wait = False,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Show a task, and what the agent has said."""
    endpoint = endpoint_of(url, token, server_key)
    if wait:
        _follow(endpoint, task_id, as_json=as_json)
        return
    task = asked(endpoint, "GET", _path(task_id))
    if as_json:
        print_json(task)
        return
    for name, value in _lines(task):
        typer.echo(clean(f"{name:<9} {value}"))
    answer = task["answer"]
    if task["ended_at"] is None:
        _, answer = _last_answer(asked(endpoint, "GET", f"{_path(task_id)}/messages"))
    if answer:
        typer.echo()
        _print_answer(answer)


@app.command()
def cancel(
    task_id: _Id,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Stop a task, whether it waits or runs."""
    task = asked(endpoint_of(url, token, server_key), "POST", f"{_path(task_id)}/cancel")
    if as_json:
        print_json(task)
    else:
        typer.echo(f"{task['id']}  {task['status']}")


@app.command()
def edit(
    task_id: _Id,
    title: Annotated[str, typer.Option(metavar="TITLE", help="What it is called from now on.")],
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Rename a task. What it does is fixed: it may have begun."""
    task = asked(endpoint_of(url, token, server_key), "PUT", _path(task_id), {"title": title})
    typer.echo(clean(f"{task['id']}  {task['title']}"))


@app.command()
def run(
    task_id: _Id,
    wait: _Wait = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Do the same again, as a new task. Prints its id."""
    endpoint = endpoint_of(url, token, server_key)
    task = asked(endpoint, "GET", _path(task_id))
    same = {name: task[name] for name in ("prompt", "title", "agent", "provider", "model")}
    made = asked(endpoint, "POST", _TASKS, same)
    if wait:
        _follow(endpoint, made["id"], as_json=False)
    else:
        typer.echo(made["id"])


@app.command()
def remove(task_id: _Id, url: UrlOption = None, token: TokenOption = None, server_key: ServerKeyOption = None) -> None:
    """Remove a task that has ended, and what was said in it."""
    asked(endpoint_of(url, token, server_key), "DELETE", _path(task_id))
    typer.echo(f"{task_id} is removed.")


# --- following --------------------------------------------------------------------------------------------------------


def _follow(endpoint: Endpoint, task_id: str, *, as_json: bool) -> None:
    """Print what the agent says until the task has ended, and exit as `ask` does."""
    from sygen_bot.cli.transfer import transfer

    async def work(gateway: Gateway) -> dict[str, Any]:
        return await _print_as_it_comes(gateway, task_id, is_quiet=as_json)

    def when_stopped() -> str:
        return f"The task goes on. `{command_line('task', 'cancel', task_id)}` stops it."

    task = transfer(endpoint, work, when_stopped=when_stopped)
    if as_json:
        print_json(task)
    elif task["status"] == "failed":
        typer.echo(clean(task["error"] or "It failed."), err=True)
    elif task["status"] != "done":
        typer.echo(
            "It was cancelled." if task["status"] == "aborted" else "The gateway stopped while it ran.", err=True
        )
    code = {"done": ANSWERED, "failed": FAILED}.get(task["status"], ABORTED)
    if code:
        raise typer.Exit(code)


async def _print_as_it_comes(gateway: Gateway, task_id: str, *, is_quiet: bool) -> dict[str, Any]:
    shown, told = "", ""
    while True:
        task: dict[str, Any] = await gateway.request("GET", _path(task_id))
        if not is_quiet:  # asked for after the task, so that it is whole if that has ended
            message_id, answer = _last_answer(await gateway.request("GET", f"{_path(task_id)}/messages"))
            if message_id != shown:  # the next attempt, if it is not the first
                _end_line(told)
                shown, told = message_id, ""
            _say(answer[len(told) :])
            told = answer
        if task["ended_at"] is not None:
            _end_line(told)
            return task
        await asyncio.sleep(_LOOK_S)


def _last_answer(page: dict[str, Any]) -> tuple[str, str]:
    """The id and the text of what the agent said last."""
    answers = [message for message in page["messages"] if message["sender"] == "agent"]
    return (answers[-1]["id"], answers[-1]["content"]) if answers else ("", "")


def _say(text: str) -> None:
    sys.stdout.write(clean(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _end_line(text: str) -> None:
    if text and not text.endswith("\n"):
        _say("\n")


# --- parts ------------------------------------------------------------------------------------------------------------


def _prompt(words: list[str]) -> str:
    given = ""
    if not words or "-" in words:
        if sys.stdin.isatty() and sys.stderr.isatty():
            typer.echo("Type what is to be done; Ctrl-D ends it.", err=True)
        given = sys.stdin.buffer.read().decode("utf-8", "replace").strip("\n")
    prompt = " ".join(given if word == "-" else word for word in words) if words else given
    prompt = prompt.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # arguments may be any bytes
    if not prompt.strip():
        typer.echo(f"There is nothing to do. Try: {command_line('task', 'add', 'tidy up')}", err=True)
        raise typer.Exit(USAGE)
    return prompt


def _path(task_id: str) -> str:
    return f"{_TASKS}{segment(task_id)}"


def _lines(task: dict[str, Any]) -> list[tuple[str, str]]:
    from sygen_bot.cli.status import span

    lines = [
        ("id", task["id"]),
        ("title", task["title"]),
        ("status", task["status"] + (f", attempt {task['attempt']}" if task["attempt"] > 1 else "")),
        ("agent", "/".join(task[part] for part in ("agent", "provider", "model") if task[part])),
        ("made", _when(task["created_at"])),
    ]
    if task["duration_s"] is not None:
        lines.append(("took", span(task["duration_s"])))
    if task["error"]:
        lines.append(("error", task["error"]))
    return lines


def _print_answer(text: str) -> None:
    """Markdown as it is meant on a terminal, as it is elsewhere."""
    if not sys.stdout.isatty():
        typer.echo(text)
        return
    from rich.console import Console

    from sygen_bot.cli.chat_answer import markdown

    Console().print(markdown(clean(text)))


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M")
