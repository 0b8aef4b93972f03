"""`sygen cron`: what agents do by the clock."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from sygen_bot.cli.calling import asked, call, endpoint_of, print_json, print_table, segment
from sygen_bot.cli.connection import (
    ChannelOption,
    ChatOption,
    ServerKeyOption,
    TokenOption,
    UrlOption,
    find_gateway,
)
from sygen_bot.cli.terminal import clean, command_line, program
from sygen_bot.errors import SygenError

_JOBS: Final = "/api/cron"
_TITLE_CHARS: Final = 60
_ADD_EPILOG: Final = f"""\b
A schedule has five fields: minute, hour, day of the month, month, day of the week.
  "30 7 * * 1-5"    half past seven from Monday to Friday
  "*/15 9-17 * * *" every quarter of an hour from nine to a quarter to six
  "0 12 L * *"      at noon on the last day of each month

\b
Examples:
  {program()} cron add "30 7 * * 1-5" "What is in my calendar today?"
  {program()} cron add "0 * * * *" - --title Inbox --quiet 22:00-07:00 < prompt.txt
"""


class Missed(StrEnum):
    """What becomes of times at which no gateway ran."""

    skip = "skip"
    run_once = "run-once"


app = typer.Typer(no_args_is_help=True, help="Cron jobs: what an agent does by the clock.")


def _complete_id(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    given = (context.params.get(name) for name in ("url", "token", "server_key"))
    try:
        jobs = call(find_gateway(*given), "GET", _JOBS)
    except SygenError:
        return []
    return [(job["id"], clean(job["title"])) for job in jobs if job["id"].startswith(incomplete)]


_Id = Annotated[
    str,
    typer.Argument(metavar="ID", autocompletion=_complete_id, help=f"Of the job; `{program()} cron list` tells them."),
]
_Title = Annotated[str | None, typer.Option(metavar="TEXT", help="What it is called.")]
_Zone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="A time zone such as Europe/Berlin; empty for the gateway's.")
]
_Agent = Annotated[str | None, typer.Option(metavar="NAME", help="Which agent; empty for the main one.")]
_Provider = Annotated[
    str | None, typer.Option(metavar="ID", help="Which provider answers; empty for the agent's default.")
]
_Model = Annotated[str | None, typer.Option(metavar="ID", help="Which model of the provider; empty for its default.")]
_Quiet = Annotated[
    str | None,
    typer.Option(metavar="FROM-TO", help="Hours in which it does not run, such as 22:00-07:00; empty for none."),
]
_Missed = Annotated[
    Missed | None,
    typer.Option(help="What becomes of times at which no gateway ran: nothing, or one run for all of them."),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog=_ADD_EPILOG)
def add(
    schedule: Annotated[str, typer.Argument(metavar="SCHEDULE", help="When: five fields of cron, in quotes.")],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to do. `-` stands for standard input.")],
    title: _Title = None,
    timezone: _Zone = None,
    agent: _Agent = None,
    provider: _Provider = None,
    model: _Model = None,
    chat_id: ChatOption = None,
    channel_id: ChannelOption = None,
    quiet: _Quiet = None,
    missed: _Missed = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Make it, but leave it off.")] = False,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Make a job. Without --chat it runs in a session of its own each time; a notification tells its end."""
    text = _text(prompt)
    body = {
        "title": title or _title_from(text),
        "schedule": schedule,
        "prompt": text,
        "enabled": not disabled,
    } | _options(timezone, agent, provider, model, chat_id, channel_id, quiet, missed)
    job = asked(endpoint_of(url, token, server_key), "POST", _JOBS, body)
    _print_changed(job, as_json, "made")


@app.command("list")
def list_(
    as_json: _AsJson = False, url: UrlOption = None, token: TokenOption = None, server_key: ServerKeyOption = None
) -> None:
    """List the jobs, when each is due, and how it went last."""
    jobs = asked(endpoint_of(url, token, server_key), "GET", _JOBS)
    if as_json:
        print_json(jobs)
    elif jobs:
        rows = [(job["id"], job["title"], job["schedule"], _next(job), _last(job["last_run"])) for job in jobs]
        print_table(("id", "title", "schedule", "next", "last"), rows)
    else:
        typer.echo(f"There are none. `{command_line('cron', 'add', '--help')}` tells how to make one.", err=True)


@app.command()
def show(
    job_id: _Id,
    runs: Annotated[int, typer.Option(metavar="N", min=0, max=200, help="How many of its last runs to show.")] = 10,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Show a job, its last runs, and what the last one said."""
    gateway = endpoint_of(url, token, server_key)
    job = asked(gateway, "GET", _path(job_id))
    found = asked(gateway, "GET", f"{_path(job_id)}/runs?limit={runs}") if runs else []
    if as_json:
        print_json({**job, "runs": found})
        return
    for name, value in _facts(job):
        typer.echo(clean(f"{name:<10} {value}"))
    typer.echo(f"\n{clean(job['prompt'])}")
    if found:
        typer.echo()
        rows = [(run["id"], _moment(run["created_at"]), run["status"], _took(run), _outcome(run)) for run in found]
        print_table(("run", "when", "status", "took", "outcome"), rows)


@app.command()
def edit(
    job_id: _Id,
    title: _Title = None,
    schedule: Annotated[str | None, typer.Option(metavar="SCHEDULE", help="When: five fields of cron.")] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What to do. `-` stands for standard input.")
    ] = None,
    timezone: _Zone = None,
    agent: _Agent = None,
    provider: _Provider = None,
    model: _Model = None,
    chat_id: ChatOption = None,
    channel_id: ChannelOption = None,
    no_chat: Annotated[bool, typer.Option("--no-chat", help="Run in a session of its own each time.")] = False,
    quiet: _Quiet = None,
    missed: _Missed = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Switch it on or off.")] = None,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Change a job; what is not named stays as it is."""
    body = _options(timezone, agent, provider, model, chat_id, channel_id, quiet, missed)
    if no_chat and (chat_id or channel_id):
        raise typer.BadParameter("--no-chat and --chat are one too many")
    if no_chat:
        body |= {"chat_id": None, "channel_id": None}
    given = {"title": title, "schedule": schedule, "prompt": prompt and _text(prompt), "enabled": enabled}
    body |= {name: value for name, value in given.items() if value is not None}
    if not body:
        raise typer.BadParameter("say what is to be different")
    job = asked(endpoint_of(url, token, server_key), "PUT", _path(job_id), body)
    _print_changed(job, as_json, "changed")


@app.command()
def run(
    job_id: _Id,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Run a job now, beside its schedule, even if it is off. A notification tells its end."""
    started = asked(endpoint_of(url, token, server_key), "POST", f"{_path(job_id)}/run")
    if as_json:
        print_json(started)
    else:
        typer.echo(clean(f"{started['id']}  {started['title']}: under way"))


@app.command()
def remove(job_id: _Id, url: UrlOption = None, token: TokenOption = None, server_key: ServerKeyOption = None) -> None:
    """Remove a job. What runs goes on."""
    asked(endpoint_of(url, token, server_key), "DELETE", _path(job_id))
    typer.echo("Removed.")


# --- what goes there --------------------------------------------------------------------------------------------------


def _path(job_id: str) -> str:
    return f"{_JOBS}{segment(job_id)}"


def _options(
    timezone: str | None,
    agent: str | None,
    provider: str | None,
    model: str | None,
    chat_id: int | None,
    channel_id: int | None,
    quiet: str | None,
    missed: Missed | None,
) -> dict[str, Any]:
    """The fields that are given; an empty text is null: the default."""
    texts = {"timezone": timezone, "agent": agent, "provider": provider, "model": model}
    body: dict[str, Any] = {name: value or None for name, value in texts.items() if value is not None}
    if provider == "":
        body |= {"model": model or None}  # a model is one of a provider
    body |= {name: value for name, value in (("chat_id", chat_id), ("channel_id", channel_id)) if value is not None}
    if quiet is not None:
        begin, _, end = quiet.partition("-")
        body |= {"quiet_from": begin.strip() or None, "quiet_to": end.strip() or None}
    if missed is not None:
        body["missed"] = missed.name
    return body


def _text(given: str) -> str:
    text = sys.stdin.buffer.read().decode("utf-8", "replace").strip("\n") if given == "-" else given
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # arguments may be any bytes


def _title_from(prompt: str) -> str:
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), "Job")
    return line if len(line) <= _TITLE_CHARS else f"{line[: _TITLE_CHARS - 1].rstrip()}…"


# --- what is shown ----------------------------------------------------------------------------------------------------


def _facts(job: dict[str, Any]) -> list[tuple[str, str]]:
    channel = "" if job["channel_id"] is None else f":{job['channel_id']}"
    return [
        ("id", job["id"]),
        ("title", job["title"]),
        ("schedule", f"{job['schedule']} ({job['timezone']})"),
        ("next", _next(job)),
        ("quiet", "never" if job["quiet_from"] is None else f"from {job['quiet_from']} to {job['quiet_to']}"),
        ("missed", "one run for all" if job["missed"] == "run_once" else "skipped"),
        ("agent", "/".join(job[part] for part in ("agent", "provider", "model") if job[part])),
        ("runs in", "its own session" if job["chat_id"] is None else f"chat {job['chat_id']}{channel}"),
    ]


def _next(job: dict[str, Any]) -> str:
    if not job["enabled"]:
        return "off"
    return "never" if job["next_run_at"] is None else _moment(job["next_run_at"], job["timezone"])


def _last(run: dict[str, Any] | None) -> str:
    return "" if run is None else f"{run['status']}, {_moment(run['created_at'])}"


def _moment(moment: float, timezone: str | None = None) -> str:
    """As the clocks there show it; here, if nobody here knows that time zone."""
    from zoneinfo import ZoneInfo

    try:
        zone = None if timezone is None else ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        zone = None
    return f"{datetime.fromtimestamp(moment).astimezone(zone):%Y-%m-%d %H:%M}"


def _took(run: dict[str, Any]) -> str:
    from sygen_bot.cli.status import span

    seconds = run["duration_s"]
    return "" if seconds is None else f"{seconds:.1f} s" if seconds < 10 else span(seconds)


def _outcome(run: dict[str, Any]) -> str:
    said = " ".join((run["error"] or run["answer"] or "").split())
    return said if len(said) <= 200 else f"{said[:199]}…"


def _print_changed(job: dict[str, Any], as_json: bool, what: str) -> None:
    if as_json:
        print_json(job)
    else:
        typer.echo(clean(f"{job['id']}  {job['title']}: {what}, next {_next(job)} ({job['timezone']})"))
