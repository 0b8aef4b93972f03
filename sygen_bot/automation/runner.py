"""Runs agents that no person waits for: kept first, run once, their end kept and told. Cron jobs, webhooks and tasks all run here."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

import structlog

from sygen_bot.errors import Conflict, NotFound, QueueFull, RequestError, StorageError
from sygen_bot.events import Failed, Result, TurnEnd
from sygen_bot.notifications.center import NotificationCenter
from sygen_bot.orchestrator.session import MessageNotStored
from sygen_bot.providers.registry import Target
from sygen_bot.session.key import MAX_ID, SessionKey
from sygen_bot.session.text import one_line
from sygen_bot.storage.history import RUNS
from sygen_bot.storage.notifications import Notification, Severity
from sygen_bot.storage.runs import Run, RunStatus, RunStore, Source

TRANSPORT: Final = RUNS
_BODY_CHARS: Final = 1000
_TITLE_CHARS: Final = 150
"""Of the run's title: how it ended has to fit behind it."""
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_CANCELLED: Final = Result("", aborted=True, reason="abort")
MOST_ATTEMPTS: Final = 3
MOST_UNFINISHED: Final = 1000
"""An agent that starts tasks whose agents start tasks has to come to an end."""
_ENDED: Final = {"done": "is done", "failed": "has failed", "aborted": "was stopped", "interrupted": "was interrupted"}
_SEVERITY: Final[dict[str, Severity]] = {
    "done": "info",
    "failed": "critical",
    "aborted": "info",
    "interrupted": "warning",
}

_log = structlog.get_logger(__name__)


class _Session(Protocol):
    @property
    def id(self) -> str: ...


class Agents(Protocol):
    """What the runner needs of the orchestrator."""

    async def open_for(self, key: SessionKey, target: Target | None) -> _Session:
        """The session of that key, made if there is none; with `target` that one answers in it from now on."""
        ...

    async def handle_message_streaming(self, key: SessionKey, text: str, *, client_id: str | None = None) -> TurnEnd:
        """Run a message to its end. The same `client_id` with the same text is never run twice: it gets the same end."""
        ...

    async def delete(self, key: SessionKey) -> None:
        """Remove the session of that key."""
        ...

    async def stop_message(self, key: SessionKey, client_id: str) -> bool:
        """Stop the turn of that message, whether it waits or runs. False if it has ended, or never was."""
        ...


class Runner:
    """Runs at most `max_parallel` at once, in the order in which they came; others wait. `clock`: epoch seconds."""

    def __init__(
        self,
        *,
        agents: Agents,
        store: RunStore,
        notifications: NotificationCenter,
        max_parallel: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._agents = agents
        self._store = store
        self._notifications = notifications
        self._places = asyncio.Semaphore(max_parallel)
        self._clock = clock
        self._working: dict[str, asyncio.Task[None]] = {}
        self._begun: dict[str, Run] = {}  # as each is run now
        self._cancelled: set[str] = set()
        self._unsure: set[str] = set()  # their ends may be kept although the database told an error
        self._closing = asyncio.Event()

    async def start(self) -> None:
        """Take up what a gateway before this one left without an end. Raises StorageError."""
        for run in await self._store.unfinished():
            self.take(run)

    async def add(self, run: Run) -> Run:
        """Keep a run and have it run. Raises StorageError; Conflict if one of its id is there, QueueFull if too many wait."""
        if len(self._working) >= MOST_UNFINISHED:
            raise QueueFull("Too many background runs have not ended. Wait for some, or cancel them.")
        if not await self._store.add(run):
            raise Conflict("There is a run of this id.")
        self.take(run)
        return run

    def take(self, run: Run) -> None:
        """Have a run that is kept already run, for those who keep it together with something else. Nothing happens twice."""
        if self._closing.is_set() or run.id in self._working:
            return
        task = self._working[run.id] = asyncio.create_task(self._work(run), name=f"run {run.id}")
        task.add_done_callback(lambda _done: self._forget(run.id))

    async def get(self, run_id: str) -> Run:
        """Raises NotFound."""
        run = await self._store.get(run_id)
        if run is None:
            raise NotFound
        return run

    async def listed(
        self, *, source: Source | None = None, source_id: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[Run]:
        """The newest. Raises NotFound if there is none of the id `before`."""
        found = await self._store.listed(source=source, source_id=source_id, before=before, limit=limit)
        if found is None:
            raise NotFound
        return found

    async def is_busy(self, source_id: str) -> bool:
        """Whether a run of that job or hook has no end yet."""
        return bool(await self._store.unfinished(source_id=source_id))

    async def cancel(self, run_id: str) -> Run:
        """Stop a run, whether it waits or runs, and return it with its end. Raises NotFound; Conflict if it has ended."""
        working = self._working.get(run_id)
        if working is not None:
            self._cancelled.add(run_id)  # before anything waits: from here on it does not begin
        run = await self.get(run_id)
        if run.ended_at is not None:
            if working is not None and run.status == "aborted":
                return run  # it saw that it is cancelled before this did
            raise Conflict("This has ended.")
        if working is not None:
            if (begun := self._begun.get(run_id)) is None:
                working.cancel()
            else:
                await self._agents.stop_message(begun.key, _message_id(begun))
            await asyncio.wait({working})
            run = await self.get(run_id)
        if run.ended_at is None:
            await self._end(run, _CANCELLED)
            run = await self.get(run_id)
        return run

    async def rename(self, run_id: str, title: str) -> Run:
        """Raises NotFound."""
        await self._store.rename((await self.get(run_id)).id, title)
        return await self.get(run_id)

    async def remove(self, run_id: str) -> Run:
        """Remove a run that has ended, and the session that only it had. Raises NotFound; Conflict if it has not."""
        run = await self.get(run_id)
        if not await self._store.remove(run.id):
            raise Conflict("This has not ended. Cancel it first.")
        if run.key.transport == TRANSPORT and run.session_id is not None:
            await self._agents.delete(run.key)
        return run

    def refuse(self) -> None:
        """Begin nothing any more: what waits, and what comes, is left for the next start."""
        self._closing.set()

    async def close(self) -> None:
        """After `refuse`: wait for the ends of what runs, which the orchestrator has stopped."""
        for run_id, task in self._working.items():
            if run_id not in self._begun:
                task.cancel()
        if self._working:
            await asyncio.wait(set(self._working.values()))

    def _forget(self, run_id: str) -> None:
        self._working.pop(run_id, None)
        self._begun.pop(run_id, None)
        self._cancelled.discard(run_id)

    async def _work(self, run: Run) -> None:
        """See a run through. As long as the database does not take a step, the step is tried again: nothing is run twice by that."""
        async with self._places:
            pause_s = _FIRST_PAUSE_S
            while not self._closing.is_set():
                self._begun[run.id] = run
                try:
                    again = await self._attempt(run)
                except StorageError as error:
                    _log.error("run_not_stored", run=run.id, error=str(error), again_in_s=pause_s)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._closing.wait(), pause_s)  # then it is taken up at the next start
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                    continue
                if again is None:
                    return
                run = again

    async def _attempt(self, run: Run) -> Run | None:
        try:
            return await self._run(run)
        except StorageError:
            raise
        except Exception:  # noqa: BLE001 - the run ends here
            _log.exception("run_crashed", run=run.id)
            await self._end(run, Failed("internal_error", "The gateway failed. Its log has the details."))
            return None

    async def _run(self, run: Run) -> Run | None:
        """Run it once. Returns it as it is to be run again, or None."""
        is_own = run.key.transport == TRANSPORT
        target = None if run.provider is None else Target(run.provider, run.model)
        session = await self._agents.open_for(run.key, target if is_own else None)
        started = replace(run, session_id=session.id, started_at=self._clock())
        if not await self._store.begin(run.id, session_id=session.id, started_at=self._clock()):
            return None  # somebody has ended it
        text = run.prompt if is_own or target is None else f"@{target} {run.prompt}"
        end: TurnEnd
        if run.id in self._cancelled:  # nothing waits between this and the message being taken
            end = _CANCELLED
        else:
            try:
                end = await self._agents.handle_message_streaming(run.key, text, client_id=_message_id(run))
            except MessageNotStored as error:
                raise StorageError("The message of the run is not kept", "") from error
            except RequestError as refused:
                if self._closing.is_set():
                    return None  # it was not taken any more: it is at the next start
                end = Failed(refused.code, str(refused))
        was_interrupted = isinstance(end, Result) and end.reason in ("interrupted", "shutdown")
        if was_interrupted and run.repeats and run.attempt < MOST_ATTEMPTS and run.id not in self._cancelled:
            await self._store.repeat(run.id, attempt=run.attempt + 1)
            return replace(started, attempt=run.attempt + 1)
        await self._end(started, end)
        return None

    async def _end(self, run: Run, end: TurnEnd) -> None:
        """Keep the end of a run together with the notification of it, then tell."""
        status, error = _outcome(end)
        answer = end.text if isinstance(end, Result) else None
        is_chat = run.key.transport != TRANSPORT
        notification = Notification(
            id=f"run-{run.id}",
            type=run.source,
            title=f"{one_line(run.title)[:_TITLE_CHARS]} {_ENDED[status]}",
            body=(error or answer or "It said nothing.")[:_BODY_CHARS],
            agent=run.agent,
            status=status,
            source_id=run.source_id or run.id,
            severity=_SEVERITY[status],
            chat_id=run.key.chat_id if is_chat else None,
            channel_id=run.key.topic_id if is_chat else None,
            session_id=run.session_id,
            created_at=self._clock(),
        )
        try:
            was_first = await self._store.end(
                run.id, status=status, answer=answer, error=error, ended_at=self._clock(), notification=notification
            )
        except StorageError:
            self._unsure.add(run.id)
            raise
        if was_first or run.id in self._unsure:
            self._notifications.tell(notification)
        self._unsure.discard(run.id)


def new_id() -> str:
    return secrets.token_hex(8)


def own_session() -> SessionKey:
    """A session for one run, that no other ever had."""
    return SessionKey(TRANSPORT, secrets.randbelow(MAX_ID) + 1, None)


def _message_id(run: Run) -> str:
    """The same for the same attempt, in this gateway and the next: so it is never run twice."""
    return f"run-{run.id}-{run.attempt}"[-64:]


def _outcome(end: TurnEnd) -> tuple[RunStatus, str | None]:
    if isinstance(end, Failed):
        return "failed", end.message
    if not end.aborted:
        return "done", None
    if end.reason in ("interrupted", "shutdown"):
        return "interrupted", "The gateway stopped while it ran."
    if end.reason == "abort":
        return "aborted", None
    why = {"timeout": "It took too long.", "answer_too_large": "Its answer was too large."}
    return "failed", why.get(end.reason or "", "It ended early.")
