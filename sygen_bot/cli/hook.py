"""`sygen hook`: webhooks of the running gateway, made, shown, changed, tried and removed."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sygen_bot.cli.calling import asked, endpoint_of, print_json, segment
from sygen_bot.cli.connection import (
    ChannelOption,
    ChatOption,
    Endpoint,
    ServerKeyOption,
    TokenOption,
    UrlOption,
)
from sygen_bot.cli.terminal import clean, command_line

_HOOKS: Final = "/api/webhooks"
_RUN_S: Final = 600.0
_LOOK_S: Final = 0.3
_SHOWN_DELIVERIES: Final = 10


class Auth(StrEnum):
    """How a sender proves that it has the secret."""

    bearer = "bearer"
    github = "github"
    stripe = "stripe"


app = typer.Typer(no_args_is_help=True, help="Webhooks: what others call to have an agent do something.")

_Id = Annotated[str, typer.Argument(metavar="ID", help="Of the webhook.")]
_Template = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="What the agent is to do; {{ key }} stands for what was sent, see docs/http.md."),
]
_TemplateFile = Annotated[
    Path | None, typer.Option(metavar="FILE", allow_dash=True, help="The same from a file; `-` is standard input.")
]
_Agent = Annotated[str | None, typer.Option(metavar="NAME", help="Which agent; without it the main one.")]
_Provider = Annotated[str | None, typer.Option(metavar="ID", help="Who answers; without it the agent's default.")]
_Model = Annotated[str | None, typer.Option(metavar="ID", help="Which model of the provider.")]
_Secret = Annotated[
    str | None,
    typer.Option(
        metavar="SECRET",
        help="The secret, 16 characters or more; `-` reads it from standard input. Without it one is made.",
    ),
]
_Payload = Annotated[
    Path | None,
    typer.Option(metavar="FILE", allow_dash=True, help="A JSON object to deliver; `-` is standard input."),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is called.")],
    template: _Template = None,
    template_file: _TemplateFile = None,
    auth: Annotated[Auth, typer.Option(help="How the sender proves who it is.")] = Auth.bearer,
    secret: _Secret = None,
    chat: Annotated[bool, typer.Option("--in-chat", help="Speak in the chat instead of a session of its own.")] = False,
    chat_id: ChatOption = None,
    channel_id: ChannelOption = None,
    agent: _Agent = None,
    provider: _Provider = None,
    model: _Model = None,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Make a webhook. Prints where it is called, its secret, which is never shown again, and what to enter where."""
    text = _text(template, template_file)
    if text is None:
        raise typer.BadParameter("say what the agent is to do with --template or --template-file")
    body = {
        "title": title,
        "template": text,
        "auth": auth.value,
        "secret": _given(secret),
        "mode": "chat" if chat or chat_id or channel_id else "task",
        "chat_id": chat_id,
        "channel_id": channel_id,
        "agent": agent,
        "provider": provider,
        "model": model,
    }
    gateway = endpoint_of(url, token, server_key)
    made = asked(gateway, "POST", _HOOKS, body)
    where = _address(gateway, made)
    if as_json:
        print_json({**made, "url": where})
        return
    _print_lines([("id", made["id"]), ("url", where), ("secret", f"{made['secret']}  (shown only now)")])
    typer.echo(_advice(made, where))


@app.command("list")
def list_(
    as_json: _AsJson = False, url: UrlOption = None, token: TokenOption = None, server_key: ServerKeyOption = None
) -> None:
    """List the webhooks."""
    hooks = asked(endpoint_of(url, token, server_key), "GET", _HOOKS)
    if as_json:
        print_json(hooks)
        return
    for hook in hooks:
        typer.echo(clean(f"{hook['id']}  {_state(hook):<3}  {hook['auth']:<6}  {_target(hook):<16}  {hook['title']}"))
    if not hooks:
        typer.echo(f"There are none. `{command_line('hook', 'add')}` makes one.", err=True)


@app.command()
def show(
    hook_id: _Id,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Show a webhook and what was delivered to it last."""
    gateway = endpoint_of(url, token, server_key)
    hook = asked(gateway, "GET", _path(hook_id))
    deliveries = asked(gateway, "GET", f"{_path(hook_id)}/deliveries?limit={_SHOWN_DELIVERIES}")
    if as_json:
        print_json({**hook, "url": _address(gateway, hook), "deliveries": deliveries})
        return
    _print_lines(
        [
            ("id", hook["id"]),
            ("title", hook["title"]),
            ("url", _address(gateway, hook)),
            ("state", _state(hook)),
            ("proved by", hook["auth"]),
            ("runs in", _target(hook)),
            ("agent", "/".join(hook[part] for part in ("agent", "provider", "model") if hook[part])),
        ]
    )
    typer.echo(f"\n{clean(hook['template'])}\n")
    for one in deliveries:
        when = datetime.fromtimestamp(one["received_at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        outcome = f"run {one['run_id']}" if one["run_id"] else f"refused: {one['refusal']}"
        typer.echo(clean(f"{when}  {one['delivery_id']}  {outcome}"))


@app.command()
def edit(
    hook_id: _Id,
    title: Annotated[str | None, typer.Option(metavar="TITLE", help="What it is called.")] = None,
    template: _Template = None,
    template_file: _TemplateFile = None,
    chat: Annotated[
        bool | None, typer.Option("--in-chat/--on-its-own", help="Speak in the chat, or run in sessions of its own.")
    ] = None,
    chat_id: ChatOption = None,
    channel_id: ChannelOption = None,
    agent: _Agent = None,
    provider: _Provider = None,
    model: _Model = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Take deliveries, or refuse them.")] = None,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Change a webhook; what is not named stays as it is. An empty provider or model is the default again."""
    if chat is None and (chat_id or channel_id):
        chat = True
    change = {
        "title": title,
        "template": _text(template, template_file),
        "mode": None if chat is None else "chat" if chat else "task",
        "chat_id": chat_id,
        "channel_id": channel_id,
        "agent": agent,
        "enabled": enabled,
    }
    body: dict[str, Any] = {name: value for name, value in change.items() if value is not None}
    body |= {name: value or None for name, value in (("provider", provider), ("model", model)) if value is not None}
    if not body:
        raise typer.BadParameter("say what is to be different")
    hook = asked(endpoint_of(url, token, server_key), "PUT", _path(hook_id), body)
    if as_json:
        print_json(hook)
    else:
        typer.echo(clean(f"{hook['id']}  {hook['title']}: changed"))


@app.command()
def remove(hook_id: _Id, url: UrlOption = None, token: TokenOption = None, server_key: ServerKeyOption = None) -> None:
    """Remove a webhook. Its runs stay."""
    asked(endpoint_of(url, token, server_key), "DELETE", _path(hook_id))
    typer.echo("Removed.")


@app.command()
def secret(
    hook_id: _Id,
    secret: _Secret = None,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Replace the secret of a webhook, and print the new one. The old one is worth nothing any more."""
    body = {"secret": _given(secret)}
    typer.echo(asked(endpoint_of(url, token, server_key), "POST", f"{_path(hook_id)}/secret", body)["secret"])


@app.command("test")
def deliver_sample(
    hook_id: _Id,
    payload: _Payload = None,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Have the gateway deliver a signed sample to a webhook, as its sender would."""
    receipt = _deliver(endpoint_of(url, token, server_key), hook_id, payload)
    if as_json:
        print_json(receipt)
    else:
        typer.echo(clean(f"delivered as {receipt['delivery_id']}: run {receipt['run_id']}"))


@app.command()
def run(
    hook_id: _Id,
    payload: _Payload = None,
    as_json: _AsJson = False,
    url: UrlOption = None,
    token: TokenOption = None,
    server_key: ServerKeyOption = None,
) -> None:
    """Deliver a sample, wait for what the agent says, and print it. Exit code 1 if the run fails."""
    gateway = endpoint_of(url, token, server_key)
    run_id = _deliver(gateway, hook_id, payload)["run_id"]
    ended = _wait(gateway, hook_id, run_id)
    if as_json:
        print_json(ended)
    elif ended["answer"]:
        typer.echo(clean(ended["answer"]))
    if ended["status"] != "done":
        typer.echo(clean(f"{ended['status']}: {ended['error'] or 'it was stopped'}"), err=True)
        raise typer.Exit(1)


# --- parts ------------------------------------------------------------------------------------------------------------


def _path(hook_id: str) -> str:
    return f"{_HOOKS}{segment(hook_id)}"


def _deliver(gateway: Endpoint, hook_id: str, payload: Path | None) -> dict[str, Any]:
    sample = None if payload is None else _object(_read(payload))
    receipt: dict[str, Any] = asked(gateway, "POST", f"{_path(hook_id)}/test", {"payload": sample})
    return receipt


def _wait(gateway: Endpoint, hook_id: str, run_id: str) -> dict[str, Any]:
    """The run with its end; as it is if it takes very long."""
    deadline = time.monotonic() + _RUN_S
    while True:
        runs: list[dict[str, Any]] = asked(gateway, "GET", f"{_path(hook_id)}/runs?limit=200")
        found = next((run for run in runs if run["id"] == run_id), None)
        if found is None:
            typer.echo("The run is not there any more.", err=True)
            raise typer.Exit(1)
        if found["ended_at"] is not None or time.monotonic() > deadline:
            return found
        time.sleep(_LOOK_S)


def _address(gateway: Endpoint, hook: dict[str, Any]) -> str:
    """Where others call a hook: at the public address of this home's gateway, if it has one."""
    public = None
    if gateway.is_own:
        from sygen_bot.config import load_settings
        from sygen_bot.paths import Paths

        public = load_settings(Paths.from_environment()).api.public_url
    return f"{(public or gateway.url).rstrip('/')}{hook['path']}"


def _advice(hook: dict[str, Any], where: str) -> str:
    """What to enter where."""
    rotating = command_line("hook", "secret", hook["id"], "--secret", "-")
    told = {
        "bearer": f"""
Whoever calls it sends a JSON object:
  curl {where} -H 'Authorization: Bearer {hook["secret"]}' \\
       -H 'Content-Type: application/json' -H 'X-Delivery-Id: 1' -d '{{"text": "hello"}}'
With X-Delivery-Id or Idempotency-Key what is sent again is not run again.""",
        "github": f"""
At GitHub: Settings, Webhooks, Add webhook.
  Payload URL   {where}
  Content type  application/json
  Secret        {hook["secret"]}""",
        "stripe": f"""
At Stripe: Developers, Webhooks, Add endpoint.
  Endpoint URL  {where}
Stripe makes the signing secret itself (whsec_...). Give it to the webhook:
  {rotating}""",
    }
    return told[hook["auth"]]


def _state(hook: dict[str, Any]) -> str:
    return "on" if hook["enabled"] else "off"


def _target(hook: dict[str, Any]) -> str:
    if hook["mode"] == "task":
        return "its own session"
    channel = "" if hook["channel_id"] is None else f":{hook['channel_id']}"
    return f"chat {hook['chat_id']}{channel}"


def _text(template: str | None, file: Path | None) -> str | None:
    if template is not None and file is not None:
        raise typer.BadParameter("--template and --template-file are one too many")
    return template if file is None else _read(file)


def _given(secret: str | None) -> str | None:
    return sys.stdin.readline().strip() if secret == "-" else secret  # noqa: S105 - it stands for standard input


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is not UTF-8") from error


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"the payload is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter("the payload is no JSON object")
    return found


def _print_lines(lines: list[tuple[str, str]]) -> None:
    for name, value in lines:
        typer.echo(f"{name:<10} {clean(value)}")
