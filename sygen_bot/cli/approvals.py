"""`sygen approvals`: what agents ask, answered from anywhere; the rules that came of it; and who said what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from sygen_bot.cli.calling import asked, call, endpoint_of, print_json, print_table, segment
from sygen_bot.cli.connection import FAILED, Endpoint, ServerKeyOption, TokenOption, UrlOption, find_gateway
from sygen_bot.cli.terminal import clean, command_line, program
from sygen_bot.errors import SygenError

EPILOG: Final = f"""\b
Exit codes:
  0    told, answered or revoked
  1    refused: nothing of that id waits any more, or there is no such rule
  2    wrong usage or configuration
  4    no connection, or not let in

\b
Examples:
  {program()} approvals
  {program()} approvals answer 5c1e yes
  {program()} approvals history --json | jq -r '.[] | select(.decision == "deny").summary'
"""

_ALL: Final = "/api/approvals"
_SHORT: Final = 8
"""So many characters of an id are told to people: they are enough."""


class Decision(StrEnum):
    """What is said to a request."""

    yes = "yes"
    always = "always"
    no = "no"


_DECISIONS: Final = {Decision.yes: "allow_once", Decision.always: "allow_always", Decision.no: "deny"}


class _ListsByDefault(TyperGroup):
    """`approvals` alone is `approvals list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # click's Context, wherever typer keeps it
        is_bare = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        if is_bare and not ctx.resilient_parsing:  # completion wants to know of the others
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListsByDefault,
    epilog=EPILOG,
    help="Approvals: what agents ask before they act. Without a command it lists what waits.",
)


def _complete(path: str, meaning: str) -> Any:  # typer looks at the signature of what it is given
    def complete(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        given = (context.params.get(name) for name in ("url", "token", "server_key"))
        try:
            found = call(find_gateway(*given), "GET", path)
        except SygenError:
            return []
        return [
            (one["id"], clean(f"{one['tool']}: {one[meaning]}")) for one in found if one["id"].startswith(incomplete)
        ]

    return complete


_RequestId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        autocompletion=_complete(_ALL, "summary"),
        help="Of the request; its first characters, as long as they are those of one only.",
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    as_json: _AsJson = False, url: UrlOption = None, token: TokenOption = None, server_key: ServerKeyOption = None
) -> None:
    """List what waits for an answer, oldest first."""
    from sygen_bot.cli.approval_words import subject, time_left

    waiting = asked(endpoint_of(url, token, server_key), "GET", _ALL)
    if as_json:
        print_json(waiting)
        return
    if not waiting:
        typer.echo("Nothing waits for an answer.", err=True)
        return
    rows = [
        (one["id"][:_SHORT], one["agent"], time_left(one["expires_at"]), subject(one["tool"], one["summary"]))
        for one in waiting
    ]
    print_table(("id", "agent", "left", "wants to use"), rows)
    typer.echo(
        f"`{command_line('approvals', 'show', 'ID')}` shows all of it, "
        f"`{command_line('approvals', 'answer', 'ID')} yes|always|no` answers.",
        err=True,
    )


@app.command()
def show(
    request_id: _RequestId,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Show all that an agent wants to do, and what `always` would hold for."""
    from sygen_bot.cli.approval_words import input_lines, pattern_of, subject, time_left
    from sygen_bot.events import ApprovalRequest

    found = _waiting(endpoint_of(url, token, server_key), request_id)
    if as_json:
        print_json(found)
        return
    request = ApprovalRequest(**found)
    typer.echo(f"{clean(request.agent)} asks for {subject(request.tool, request.summary)}")
    typer.echo(f"{time_left(request.expires_at)} left")
    for line in input_lines(request):
        typer.echo(f"  {line}")
    if request.truncated:
        typer.echo("The gateway has cut it here. It can be allowed once, or denied.")
        return
    typer.echo("always would hold for exactly this:")
    for line in pattern_of(request).split("\n"):
        typer.echo(f"  {line}")


@app.command()
def answer(
    request_id: _RequestId,
    decision: Annotated[
        Decision, typer.Argument(help="`always` makes a rule: exactly this is allowed without asking from now on.")
    ],
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Say yes or no. The first answer on any device counts."""
    from sygen_bot.cli.approval_words import OUTCOMES, subject
    from sygen_bot.cli.connection import device_name

    endpoint = endpoint_of(url, token, server_key)
    request = _waiting(endpoint, request_id)
    answer = {"decision": _DECISIONS[decision], "device": device_name()}
    said = asked(endpoint, "POST", f"{_ALL}{segment(request['id'])}", answer)
    if as_json:
        print_json(said)
        return
    typer.echo(f"{subject(request['tool'], request['summary'])} · {OUTCOMES[said['decision']]}")
    if decision is Decision.always:
        _tell_rule(endpoint, request)


@app.command()
def rules(
    as_json: _AsJson = False, url: UrlOption = None, token: TokenOption = None, server_key: ServerKeyOption = None
) -> None:
    """List what is allowed without asking, oldest first."""
    from sygen_bot.cli.approval_words import subject

    found = asked(endpoint_of(url, token, server_key), "GET", f"{_ALL}/rules")
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("There are none: agents ask each time.", err=True)
        return
    rows = [
        (one["id"], one["agent"], _when(one["created_at"]), one["made_by"] or "", subject(one["tool"], one["pattern"]))
        for one in found
    ]
    print_table(("id", "agent", "since", "by", "may use"), rows)


@app.command()
def revoke(
    rule_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            autocompletion=_complete(f"{_ALL}/rules", "pattern"),
            help="Of the rule; its first characters, as long as they are those of one only.",
        ),
    ],
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Take a rule back: the agent asks again."""
    from sygen_bot.cli.approval_words import subject

    endpoint = endpoint_of(url, token, server_key)
    found = asked(endpoint, "GET", f"{_ALL}/rules")
    rule = _meant(rule_id, found, f"There is no rule {rule_id!r}. `{command_line('approvals', 'rules')}` lists them.")
    revoked = asked(endpoint, "DELETE", f"{_ALL}/rules{segment(rule['id'])}")
    if as_json:
        print_json(revoked)
    else:
        typer.echo(f"Revoked: {subject(revoked['tool'], revoked['pattern'])} is asked about again.")


@app.command()
def history(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=200, help="How many of the newest.")] = 20,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Only what was asked before that one.")] = None,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """List what was asked, newest first, and who said what to that."""
    from urllib.parse import urlencode

    from sygen_bot.cli.approval_words import OUTCOMES, subject

    query = urlencode({"limit": limit} | ({"before": before} if before else {}), errors="replace")
    found = asked(endpoint_of(url, token, server_key), "GET", f"{_ALL}/history?{query}")
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("Nothing was asked.", err=True)
        return
    rows = [
        (
            one["id"],
            _when(one["asked_at"]),
            one["agent"],
            subject(one["tool"], one["summary"]),
            "waits" if one["decision"] is None else OUTCOMES[one["decision"]],
            one["decided_by"] or "",
        )
        for one in found
    ]
    print_table(("id", "when", "agent", "wanted to use", "outcome", "by"), rows)


# --- parts ------------------------------------------------------------------------------------------------------------


def _meant(given: str, found: list[dict[str, Any]], if_none: str) -> dict[str, Any]:
    """The one whose id is, or begins with, what was given. Where there is none, or more than one, it says so and exits."""
    matching = [one for one in found if given and one["id"].startswith(given)]
    if len(matching) == 1:
        return matching[0]
    sentence = f"{given} is the beginning of {len(matching)} ids: give more of it." if matching else if_none
    typer.echo(clean(sentence), err=True)
    raise typer.Exit(FAILED)


def _waiting(endpoint: Endpoint, given: str) -> dict[str, Any]:
    found = asked(endpoint, "GET", _ALL)
    return _meant(given, found, f"No request {given!r} waits. `{command_line('approvals')}` lists those that do.")


def _tell_rule(endpoint: Endpoint, request: dict[str, Any]) -> None:
    """What the answer `always` to a request holds for."""
    from sygen_bot.cli.approval_words import subject

    made = [one for one in asked(endpoint, "GET", f"{_ALL}/rules") if one["tool"] == request["tool"]]
    if made:
        rule = max(made, key=lambda one: one["created_at"])
        typer.echo(
            f"{clean(rule['agent'])} does not ask again for {subject(rule['tool'], rule['pattern'])}. "
            f"`{command_line('approvals', 'revoke', rule['id'])}` takes that back.",
            err=True,
        )


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M")
