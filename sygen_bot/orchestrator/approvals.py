"""Asking a person whether an agent may use a tool: kept first, told to everybody, answered once, or not at all.

What was asked and what became of it is part of the session's log. A decision is stored before the agent hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog

from sygen_bot.errors import NotFound, RequestError, StorageError
from sygen_bot.events import ApprovalDecision, ApprovalOutcome, ApprovalRequest, ApprovalResolved
from sygen_bot.orchestrator.session import LiveSession
from sygen_bot.orchestrator.turn import TurnJob
from sygen_bot.providers.base import Decision, ToolRequest
from sygen_bot.session.json_value import kept_json
from sygen_bot.session.text import one_line, speakable
from sygen_bot.storage.approvals import Approval, ApprovalRule, ApprovalStore

MAX_INPUT_BYTES: Final = 256 * 1024
"""How much of a tool's input people are shown; of a longer one they cannot say always."""
_MAX_SUMMARY_CHARS: Final = 200
_TELLING: Final = ("command", "cmd", "file_path", "notebook_path", "path", "url", "query", "pattern", "prompt")
"""The fields of a tool's input that say what it is about, the most telling first."""
_BESIDE_A_COMMAND: Final = frozenset({"command", "description", "timeout"})
"""Fields that make no difference to what a command does."""

_log = structlog.get_logger(__name__)

News = ApprovalRequest | ApprovalResolved
Listener = Callable[[News, str], None]


class RuleNotAllowed(RequestError):
    """There can be no rule for what is asked."""

    code = "invalid"
    sentence = "This is too large for a rule: allow it once, or deny it."


@dataclass(eq=False, slots=True)
class _Pending:
    """A request without an answer. `answer`: what the agent waits for. `is_settled`: nobody else can answer any more. `is_overdue`: its time is up."""

    approval: Approval
    request: ApprovalRequest
    session: LiveSession
    answer: asyncio.Future[ApprovalOutcome]
    is_settled: bool = False
    is_overdue: bool = False


class Approvals:
    """Every method that waits raises StorageError. `timeout_s`: how long a request waits for anybody; then the answer is no."""

    def __init__(self, store: ApprovalStore, *, timeout_s: float, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._timeout_s = timeout_s
        self._clock = clock
        self._pending: dict[str, _Pending] = {}
        self._rules: dict[str, ApprovalRule] = {}
        self._listeners: list[Listener] = []
        self._noting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Load the rules; what was asked before this gateway started is cancelled."""
        await self._store.cancel_pending(at=self._clock())
        self._rules = {rule.id: rule for rule in await self._store.rules()}

    async def close(self) -> None:
        """Wait until what happened is stored."""
        if self._noting:
            await asyncio.wait(self._noting)

    # --- for agents ---------------------------------------------------------------------------------------------------

    async def ask(self, use: ToolRequest, session: LiveSession, job: TurnJob) -> Decision:
        """Whether the agent may: by a rule, or by what somebody says. Whoever waits here may be cancelled: then the request is too."""
        pending = self._new(use, session, job)
        approval = pending.approval
        rule = self._rule_for(approval)
        if rule is not None:
            _log.info("tool_allowed_by_rule", tool=approval.tool, rule=rule.id)
            self._note(self._store.add(self._decided(approval, "allow_always", by=f"rule {rule.id}")))
            return "allow"
        try:
            await self._store.add(approval)
        except StorageError as error:
            _log.error("approval_not_stored", tool=approval.tool, error=str(error))
            return "deny"  # what cannot be asked is not allowed
        if job.has_ended:
            self._note_cancelled(approval)
            return "deny"
        self._pending[approval.id] = pending
        session.log.append(job.turn_id, pending.request)
        self._tell(pending.request, session.id)
        try:
            outcome = await self._outcome(pending)
        except asyncio.CancelledError:
            self._withdraw(pending)
            raise
        return "allow" if outcome in ("allow_once", "allow_always") else "deny"

    def cancel_turn(self, job: TurnJob) -> None:
        """The turn is over: nobody needs an answer any more. Told at once, before the end of the turn is."""
        for pending in [each for each in self._pending.values() if each.approval.turn_id == job.turn_id]:
            self._withdraw(pending)

    # --- for people ---------------------------------------------------------------------------------------------------

    def pending(self) -> list[ApprovalRequest]:
        """What waits for an answer, oldest first."""
        return [pending.request for pending in self._pending.values() if not pending.is_settled]

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with all requests and answers from now on, and the id of their session. Returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def answer(self, approval_id: str, decision: ApprovalDecision, *, by: str | None) -> None:
        """The first answer counts. Raises NotFound for a request that is not there or has an answer, RequestError."""
        pending = self._pending.get(approval_id)
        if pending is None or pending.is_settled:
            raise NotFound("This request has been answered, has expired, or never was.")
        if decision not in pending.request.options:
            raise RuleNotAllowed
        pending.is_settled = True
        now, approval = self._clock(), pending.approval
        rule = None
        if decision == "allow_always":
            rule = ApprovalRule(
                id=secrets.token_hex(4),
                agent=approval.agent,
                tool=approval.tool,
                pattern=approval.pattern,
                made_by=by,
                created_at=now,
            )
        try:
            await self._store.decide(approval.id, decision, by=by, at=now, rule=rule)
        except BaseException:
            pending.is_settled = False
            if pending.is_overdue:
                self._resolve(pending, "expired", None)
            raise
        if approval_id not in self._pending:  # its turn ended while this was being stored: then it makes no rule either
            self._note_cancelled(approval)
            if rule is not None:
                self._note(self._store.remove_rule(rule.id))
            raise NotFound("Its turn has ended: nobody needs an answer any more.")
        if rule is not None:
            self._rules[rule.id] = rule
        _log.info("tool_answered", tool=approval.tool, decision=decision, by=by)
        self._resolve(pending, decision, by)

    def rules(self) -> list[ApprovalRule]:
        """The rules, oldest first."""
        return list(self._rules.values())

    async def revoke(self, rule_id: str) -> ApprovalRule:
        """Remove a rule. Raises NotFound."""
        rule = self._rules.get(rule_id)
        if rule is None:
            raise NotFound("There is no such rule.")
        await self._store.remove_rule(rule_id)
        self._rules.pop(rule_id, None)
        _log.info("approval_rule_revoked", tool=rule.tool, rule=rule_id)
        return rule

    async def history(self, *, before: str | None, limit: int) -> list[Approval]:
        """What was asked, newest first, with who answered what and when. Raises NotFound for an unknown `before`."""
        found = await self._store.listed(before=None if before is None else speakable(before), limit=limit)
        if found is None:
            raise NotFound
        return found

    async def remove_old(self, *, before: float) -> None:
        await self._store.remove_old(before=before)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _new(self, use: ToolRequest, session: LiveSession, job: TurnJob) -> _Pending:
        value, is_cut = kept_json(use.input, MAX_INPUT_BYTES)
        now = self._clock()
        approval = Approval(
            id=secrets.token_hex(12),
            session_id=session.id,
            turn_id=job.turn_id,
            agent=session.agent,
            tool=speakable(use.tool),
            summary=summary_of(use),
            input=value,
            is_cut=is_cut,
            pattern=pattern_of(use),
            asked_at=now,
            expires_at=now + self._timeout_s,
        )
        request = ApprovalRequest(
            id=approval.id,
            session_id=approval.session_id,
            agent=approval.agent,
            turn_id=approval.turn_id,
            tool=approval.tool,
            summary=approval.summary,
            input=value,
            options=("allow_once", "deny") if is_cut else ("allow_once", "allow_always", "deny"),
            expires_at=round(approval.expires_at, 3),
            truncated=is_cut,
            pattern="" if is_cut else approval.pattern,
        )
        return _Pending(approval, request, session, asyncio.get_running_loop().create_future())

    def _rule_for(self, approval: Approval) -> ApprovalRule | None:
        wanted = (approval.agent, approval.tool, approval.pattern)
        return next((rule for rule in self._rules.values() if (rule.agent, rule.tool, rule.pattern) == wanted), None)

    async def _outcome(self, pending: _Pending) -> ApprovalOutcome:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(pending.answer)
        except TimeoutError:
            pending.is_overdue = True
        if pending.is_settled:  # an answer is being stored: it still counts
            return await asyncio.shield(pending.answer)
        pending.is_settled = True
        _log.info("tool_not_answered", tool=pending.approval.tool)
        with contextlib.suppress(StorageError):  # it is a no all the same
            await self._store.decide(pending.approval.id, "expired", by=None, at=self._clock())
        self._resolve(pending, "expired", None)
        return "expired"

    def _withdraw(self, pending: _Pending) -> None:
        if pending.approval.id in self._pending:
            self._resolve(pending, "cancelled", None)
            if not pending.is_settled:  # else whoever settles it sees that it came too late
                pending.is_settled = True
                self._note_cancelled(pending.approval)

    def _resolve(self, pending: _Pending, outcome: ApprovalOutcome, by: str | None) -> None:
        approval = pending.approval
        if self._pending.pop(approval.id, None) is None:
            return
        resolution = ApprovalResolved(approval.id, outcome, by)
        pending.session.log.append(approval.turn_id, resolution)
        self._tell(resolution, approval.session_id)
        if not pending.answer.done():
            pending.answer.set_result(outcome)

    def _decided(self, approval: Approval, outcome: ApprovalOutcome, *, by: str | None) -> Approval:
        return replace(approval, decision=outcome, decided_by=by, decided_at=self._clock())

    def _note_cancelled(self, approval: Approval) -> None:
        self._note(self._store.decide(approval.id, "cancelled", by=None, at=self._clock()))

    def _note(self, storing: Coroutine[object, None, None]) -> None:
        """Store what nobody waits for."""

        async def note() -> None:
            try:
                await storing
            except StorageError as error:
                _log.error("approval_not_stored", error=str(error))

        task = asyncio.create_task(note(), name="note an approval")
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    def _tell(self, news: News, session_id: str) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(news, session_id)
            except Exception:  # noqa: BLE001 - a listener's trouble is not that of what it hears of
                _log.exception("approval_not_told")


def summary_of(use: ToolRequest) -> str:
    """What a use of a tool would do, in one line for people. The end of what is too long for it is left out."""
    text = _visible(use.summary or _telling(use.input) or _json(use.input))
    return text if len(text) <= _MAX_SUMMARY_CHARS else text[: _MAX_SUMMARY_CHARS - 1] + "…"


def pattern_of(use: ToolRequest) -> str:
    """What a rule for this use holds for: this very command, this very file, this very host; or else the very same input."""
    if isinstance(use.input, dict):
        fields = use.input.keys()
        if isinstance(url := use.input.get("url"), str) and fields <= {"url", "prompt"} and (host := _host(url)):
            return host
        for field in ("file_path", "notebook_path"):  # what is written into a file changes from use to use
            if isinstance(path := use.input.get(field), str):
                return speakable(path)
        if isinstance(command := use.input.get("command"), str) and fields <= _BESIDE_A_COMMAND:
            return speakable(command)
    return _json(use.input)


def _telling(value: object) -> str:
    if not isinstance(value, dict):
        return ""
    for field in _TELLING:
        text = value.get(field)
        if isinstance(text, str) and text.strip():
            return text
        if isinstance(text, Sequence) and text and all(isinstance(word, str) for word in text):
            return " ".join(text)
    return ""


def _json(value: object) -> str:
    try:
        return speakable(msgspec.json.encode(value, enc_hook=str, order="sorted").decode())
    except (UnicodeError, TypeError, ValueError, RecursionError):
        return "(cannot be shown)"


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") and parts.netloc else None


def _visible(text: str) -> str:
    """One line, in which nothing is hidden or turned around by characters that cannot be seen."""
    return "".join(character if character.isprintable() else "\ufffd" for character in one_line(text))
