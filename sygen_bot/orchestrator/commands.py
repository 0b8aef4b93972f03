"""Commands by message text, such as `/status`. A command is a turn: it keeps its place in the session's queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sygen_bot.errors import NotFound
from sygen_bot.providers.registry import ProviderRegistry, Target
from sygen_bot.session.key import SessionKey
from sygen_bot.session.text import one_line

if TYPE_CHECKING:  # `sygen chat` loads this module for the names of the commands: a database would make it slow
    from sygen_bot.orchestrator.approvals import Approvals
    from sygen_bot.storage.history import ChatSession


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """What commands may know and do in the session `key`.

    `target`: who answers now, None if nobody can. `facts`: (name, value) pairs on the gateway for people.
    `choose`: from now on that target answers here; None goes back to the default. `start_over`: the next message begins a
    new context. `sessions`: the newest sessions of this chat. `approvals`: what agents asked, and the rules. `reports`: by command, what others tell of themselves.
    """

    key: SessionKey
    registry: ProviderRegistry
    target: Callable[[], Target | None]
    facts: Callable[[], list[tuple[str, str]]]
    choose: Callable[[Target | None], Awaitable[None]]
    start_over: Callable[[], Awaitable[None]]
    sessions: Callable[[], Awaitable[Sequence[ChatSession]]]
    approvals: Approvals
    reports: Mapping[str, Callable[[], Awaitable[str]]]


@dataclass(frozen=True, slots=True)
class Command:
    """`usage` is shown by /help; `run` gets what follows the name and returns the answer as Markdown."""

    usage: str
    summary: str
    run: Callable[[CommandContext, str], Awaitable[str]]


async def _new(context: CommandContext, _argument: str) -> str:
    await context.start_over()
    return "New conversation: the agent has forgotten what was said before."


async def _status(context: CommandContext, _argument: str) -> str:
    target = context.target()
    if target is not None and target.model is None:
        target = Target(target.provider, next(iter(context.registry.check_of(target.provider).models), None))
    facts = [("session", str(context.key)), ("answers", str(target or "nobody: no provider can run"))]
    return "\n".join(f"- **{name}**: {value}" for name, value in facts + context.facts())


async def _sessions(context: CommandContext, _argument: str) -> str:
    lines = []
    for session in await context.sessions():
        channel = "no channel" if session.key.topic_id is None else f"channel {session.key.topic_id}"
        when = datetime.fromtimestamp(session.updated_at).astimezone().strftime("%Y-%m-%d %H:%M")
        here = ", this one" if session.key == context.key else ""
        said = counted(session.message_count, "message")
        lines.append(f"- **{session.title or 'untitled'}** ({channel}, {said}, {when}{here})")
    return "\n".join(lines) or "There are no sessions in this chat."


async def _approvals(context: CommandContext, argument: str) -> str:
    verb, _, rule_id = argument.partition(" ")
    if verb == "revoke" and rule_id.strip():
        try:
            rule = await context.approvals.revoke(rule_id.strip())
        except NotFound:
            return f"There is no rule `{rule_id.strip()}`. `/approvals` lists them."
        return f"Revoked: **{rule.tool}** asks again before `{_short(rule.pattern)}`."
    lines = [f"Waiting: **{each.tool}** `{_short(each.summary)}`" for each in context.approvals.pending()]
    rules = context.approvals.rules()
    if rules:
        lines += ["Allowed without asking:", ""]
        lines += [f"- `{rule.id}` {rule.agent}, **{rule.tool}**: `{_short(rule.pattern)}`" for rule in rules]
        lines += ["", "`/approvals revoke ID` takes one back."]
    else:
        lines.append("There are no rules: nothing is allowed always.")
    return "\n".join(lines)


def _short(text: str) -> str:
    line = one_line(text).replace("`", "'")
    return line if len(line) <= 120 else line[:119] + "…"


async def _model(context: CommandContext, argument: str) -> str:
    await context.registry.refresh()
    if not argument:
        return _list_models(context)
    if argument == "default":
        await context.choose(None)
        return f"Back to the default: **{context.target() or 'nobody'}**."
    target = context.registry.find(argument)
    if target is None:
        return f"There is no provider or model `{argument}`.\n\n{_list_models(context)}"
    check = context.registry.check_of(target.provider)
    if not check.available:
        return f"`{target.provider}` cannot run now. {check.reason} {check.remedy}".strip()
    await context.choose(target)
    return f"From now on **{target}** answers in this session."


def _list_models(context: CommandContext) -> str:
    lines = [f"Answering: **{context.target() or 'nobody'}**", ""]
    for name, provider in context.registry.all().items():
        check = context.registry.check_of(name)
        if check.available:
            models = ", ".join(f"`{model}`" for model in check.models)
            lines.append(f"- `{name}` ({provider.info.name}){': ' + models if models else ''}")
        else:
            lines.append(f"- `{name}` ({provider.info.name}) cannot run now. {check.reason} {check.remedy}".rstrip())
    lines += ["", "`/model NAME` chooses a provider or model, `/model default` goes back, `@NAME text` asks one once."]
    return "\n".join(lines)


async def _help(_context: CommandContext, _argument: str) -> str:
    lines = [f"- `{command.usage}`: {command.summary}" for command in COMMANDS.values()]
    lines.append("- `@NAME text`: asks that provider or model this one time")
    return "\n".join([*lines, "", "Any other message goes to the agent."])


async def _stop(_context: CommandContext, _argument: str) -> str:
    return "There is nothing to stop."  # transports act on /stop when it arrives; here the queue has reached it


def _report(name: str) -> Callable[[CommandContext, str], Awaitable[str]]:
    async def tell(context: CommandContext, _argument: str) -> str:
        report = context.reports.get(name)
        return "There is nothing of that here." if report is None else await report()

    return tell


COMMANDS: Final[dict[str, Command]] = {
    "/new": Command("/new", "starts a new conversation with the agent", _new),
    "/status": Command("/status", "shows what is going on", _status),
    "/model": Command("/model [NAME]", "shows who can answer, or chooses who does", _model),
    "/sessions": Command("/sessions", "lists the newest conversations of this chat", _sessions),
    "/approvals": Command(
        "/approvals [revoke ID]", "shows what agents may do without asking, or takes it back", _approvals
    ),
    "/notifications": Command("/notifications", "shows the newest notifications", _report("/notifications")),
    "/tasks": Command("/tasks", "lists the newest background tasks", _report("/tasks")),
    "/cron": Command("/cron", "lists the jobs that run by the clock", _report("/cron")),
    "/stop": Command("/stop", "stops what runs and what waits in this chat", _stop),
    "/help": Command("/help", "shows this list", _help),
}


def counted(number: int, thing: str, *, plural: str | None = None) -> str:
    """`1 turn`, `2 turns`."""
    return f"{number} {thing}" if number == 1 else f"{number} {plural or f'{thing}s'}"


def find_command(text: str) -> tuple[Command, str] | None:
    """The command that a message is, with its argument. Unknown ones are none: agents have commands of their own."""
    name, *rest = text.split(maxsplit=1) or [""]
    command = COMMANDS.get(name.lower())
    return None if command is None else (command, " ".join(rest).strip())
