"""One conversation in memory: what was accepted runs one after another; each step is stored before it is told.

accept: stored, then `accepted` and the user's message are told, then it waits
begin:  stored, then the agent gets it
end:    stored, then the result is told, then the next one begins
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Final, Protocol

import structlog

from sygen_bot.errors import EmptyMessage, NotFound, QueueFull, RequestError, StorageError
from sygen_bot.events import AbortReason, Failed, Result, SessionDeleted, TurnEnd, UserMessage
from sygen_bot.orchestrator.fairness import FairShare
from sygen_bot.orchestrator.turn import TurnJob
from sygen_bot.providers.registry import Target
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import SessionLog
from sygen_bot.session.receipt import Acceptance, Receipt, ReceiptHandler
from sygen_bot.session.text import speakable
from sygen_bot.storage.sessions import ContextUse, EndedTurn, KnownMessage, StoredSession, StoredTurn, TurnPart

REAP_LIMIT_S: Final = 8.0
"""How long a stopped turn may take to clean up before the next one starts regardless (providers promise 5 s)."""
_RETRY_PAUSES_S: Final = (0.1, 0.3, 1.0, 3.0)
"""Pauses between attempts to store the end of a turn: an answer is worth some patience with a busy or full disk."""

_log = structlog.get_logger(__name__)


class TurnStore(Protocol):
    """Where turns are kept. Every method raises StorageError if it cannot."""

    def accept(
        self,
        session_id: str,
        turn: StoredTurn,
        *,
        begins: bool,
        on_done: Callable[[KnownMessage | Exception | None], None],
    ) -> None: ...
    async def begin(self, turn_id: str, *, user_seq: int) -> None: ...
    async def add_parts(self, parts: Sequence[TurnPart]) -> None: ...
    async def finish(
        self,
        session_id: str,
        ended: Sequence[EndedTurn],
        *,
        waiting: Mapping[str, int],
        context: ContextUse,
        contexts: Mapping[str, str],
    ) -> None: ...


class MessageNotStored(RequestError):
    """The database does not take the message: nothing ran, and it may be sent again."""

    code = "unavailable"
    sentence = "The gateway cannot store messages now. Its log says why; send this again later."


class LiveSession:
    """A session in memory. `run` runs one turn and calls `end` for it; `limit` bounds the unfinished turns.

    `check_open` raises a RequestError when no message is taken any more. `share` lets talkative turns step back
    while something is being stored. `on_ending` hears that a turn is about to end, before anybody is told.
    """

    def __init__(
        self,
        stored: StoredSession,
        *,
        store: TurnStore,
        run: Callable[[LiveSession, TurnJob], Coroutine[object, None, None]],
        check_open: Callable[[], None],
        on_ending: Callable[[TurnJob], None],
        share: FairShare,
        limit: int,
        clock: Callable[[], float],
    ) -> None:
        self.id: Final = stored.id
        self.key: Final[SessionKey] = stored.key
        self.agent: Final = stored.agent
        self.log: Final = SessionLog(epoch=stored.epoch, seq=stored.seq)
        self.choice = None if stored.provider is None else Target(stored.provider, stored.model)
        self.contexts = dict(stored.contexts)
        self._unsaved_contexts: set[str] = set()
        self.context = stored.context
        self.is_deleted = False
        self._store = store
        self._run = run
        self._check_open = check_open
        self._on_ending = on_ending
        self._share = share
        self._limit = limit
        self._clock = clock
        self._ordinal = stored.ordinal
        self._reserved_seq = stored.seq
        self._accepting: list[TurnJob] = []
        self._waiting: deque[TurnJob] = deque()
        self._running: TurnJob | None = None
        self._untold_ends: set[str] = set()  # turns whose end is decided, and perhaps stored, but not told yet
        self._message_count = stored.message_count
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_end_at_a_time = asyncio.Lock()
        self._unstored: list[EndedTurn] = []  # told, but the database did not take them yet

    @property
    def is_idle(self) -> bool:
        """Nothing runs, waits, is being stored or cleaned up."""
        return not self._tasks and self._running is None and not self._accepting and not self._unstored

    def unfinished(self) -> list[TurnJob]:
        """The turns whose end is not decided, in their order."""
        running = [] if self._running is None else [self._running]
        return [job for job in (*running, *self._waiting, *self._accepting) if not job.has_ended]

    @property
    def running_turn(self) -> str | None:
        """The id of the turn that runs, or whose end is being stored."""
        return None if self._running is None or self._running.done.done() else self._running.turn_id

    @property
    def message_count(self) -> int:
        """The messages that were told: of people, and of the agent, what runs now included."""
        return self._message_count + (self.running_turn is not None)

    def untold(self) -> set[str]:
        """The ids of messages that may be stored already but were not told yet."""
        return {job.turn_id for job in self._accepting}

    # --- the agent's context ------------------------------------------------------------------------------------------

    def keep_context(self, provider: str, resume_token: str) -> bool:
        """By this the provider comes back to what was said here. It is stored with the end of a turn, or before. False if it is no news."""
        if self.contexts.get(provider) == resume_token:
            return False
        self.contexts[provider] = resume_token
        self._unsaved_contexts.add(provider)
        return True

    def unsaved(self) -> dict[str, str]:
        """The resume tokens that are not stored, by provider."""
        return {provider: self.contexts[provider] for provider in self._unsaved_contexts}

    def saved(self, contexts: Mapping[str, str]) -> None:
        """These are stored."""
        self._unsaved_contexts.difference_update(
            provider for provider, token in contexts.items() if self.contexts.get(provider) == token
        )

    def clear_contexts(self) -> None:
        self.contexts.clear()
        self._unsaved_contexts.clear()
        self.context = ContextUse()

    # --- accepting ----------------------------------------------------------------------------------------------------

    def submit(self, text: str, *, client_id: str | None, on_receipt: ReceiptHandler) -> str:
        """Take a message and return the id of its turn. `on_receipt` is told, before any event of it, that it is stored, or why not.

        `client_id`: the sender's own name for it; the same one again is the same message. Raises RequestError.
        """
        self._check_open()
        if not text.strip():
            raise EmptyMessage
        if self.is_deleted:
            raise NotFound("This session was deleted.")
        client_id = None if client_id is None else speakable(client_id)
        if self._is_full(client_id):
            raise QueueFull
        self._ordinal += 1
        begins = not (self._running or self._waiting or self._accepting or self._untold_ends)
        if begins:  # nothing can be told before it, so that its place is known
            self._reserved_seq = max(self.log.cursor.seq, self._reserved_seq) + 1
        job = TurnJob(
            turn_id=secrets.token_hex(12),
            text=speakable(text),
            accepted_at=self._clock(),
            ordinal=self._ordinal,
            client_id=client_id,
            user_seq=self._reserved_seq if begins else None,
            has_begun=begins,
        )
        self._accepting.append(job)
        self._accept(job, on_receipt)
        return job.turn_id

    def _is_full(self, client_id: str | None) -> bool:
        unfinished = self._unfinished_ahead() + sum(not job.has_ended for job in self._accepting)
        if unfinished < self._limit:
            return False
        is_held = client_id is not None and any(job.client_id == client_id for job in self._all())
        return not is_held or len(self._accepting) >= self._limit  # the same message again is no turn more

    def _unfinished_ahead(self) -> int:
        """How many turns are ahead of one that is accepted now: what was stopped does not wait any more."""
        return len(self._waiting) + (self._running is not None and not self._running.has_ended)

    def take_up(self, turn: StoredTurn) -> None:
        """Put a message into the queue that is stored already, if it is not there."""
        if self._holds(turn.id):
            return
        job = TurnJob(
            turn_id=turn.id,
            text=turn.text,
            accepted_at=turn.accepted_at,
            ordinal=turn.ordinal,
            client_id=turn.client_id,
            user_seq=turn.user_seq,
        )
        self._waiting.append(job)
        self._start_next()

    def _accept(self, job: TurnJob, on_receipt: ReceiptHandler) -> None:
        turn = StoredTurn(
            id=job.turn_id,
            ordinal=job.ordinal,
            text=job.text,
            accepted_at=job.accepted_at,
            client_id=job.client_id,
            user_seq=job.user_seq,
        )

        def stored(outcome: KnownMessage | Exception | None) -> None:
            self._share.calm()
            if isinstance(outcome, Exception):
                self._refuse(job, outcome, on_receipt)
            elif outcome is None:
                self._accepted(job, on_receipt)
            elif outcome.end is None and not self._holds(outcome.turn_id):
                # It was stored, though the database told an error then: nobody has it, so that it is still to be run.
                self._accepting.remove(job)
                job.turn_id, job.user_seq, job.has_begun = outcome.turn_id, None, False
                self._accepting.append(job)
                self._accepted(job, on_receipt)
            else:
                self._drop(job)
                self._tell(on_receipt, self._known(outcome))

        self._share.hurry()
        self._store.accept(self.id, turn, begins=job.has_begun, on_done=stored)

    def _accepted(self, job: TurnJob, on_receipt: ReceiptHandler) -> None:
        self._accepting.remove(job)
        self._tell(on_receipt, Acceptance(turn_id=job.turn_id, position=self._unfinished_ahead()))
        message = UserMessage(job.text, job.accepted_at, job.client_id)
        job.user_seq = self.log.append(job.turn_id, message, seq=job.user_seq).seq
        self._message_count += 1
        if job.stop_reason is not None:
            self._spawn(self._finish([(job, Result("", aborted=True, reason=job.stop_reason))]), f"stop {job.turn_id}")
        else:
            self._waiting.append(job)
            self._start_next()

    def _holds(self, turn_id: str) -> bool:
        is_unfinished = turn_id in self._untold_ends or any(job.turn_id == turn_id for job in self._all())
        return is_unfinished or self._end_of(turn_id) is not None

    def _end_of(self, turn_id: str) -> TurnEnd | None:
        """How a turn ended, if memory has that and it was told."""
        logged = self.log.end_of(turn_id)
        if logged is not None and isinstance(logged.event, Result | Failed):
            return logged.event
        return next((turn.end for turn in self._unstored if turn.turn_id == turn_id), None)

    def _all(self) -> list[TurnJob]:
        return [*([] if self._running is None else [self._running]), *self._waiting, *self._accepting]

    def _known(self, known: KnownMessage) -> Acceptance:
        is_about_to_be_told = known.turn_id in self._untold_ends
        ahead = [job.turn_id for job in self.unfinished()]
        return Acceptance(
            turn_id=known.turn_id,
            position=ahead.index(known.turn_id) if known.turn_id in ahead else 0,
            is_duplicate=True,
            end=None if is_about_to_be_told else self._end_of(known.turn_id) or known.end,
        )

    def _tell(self, on_receipt: ReceiptHandler, receipt: Receipt) -> None:
        try:
            on_receipt(receipt)
        except Exception:  # noqa: BLE001 - a sender that has trouble takes neither its message nor others with it
            _log.exception("receipt_not_told", session=str(self.key))

    def _refuse(self, job: TurnJob, error: Exception, on_receipt: ReceiptHandler) -> None:
        self._drop(job)
        if not isinstance(error, RequestError):
            _log.error("message_not_stored", session=str(self.key), error=str(error))
            error = MessageNotStored()
        self._tell(on_receipt, error)

    def _drop(self, job: TurnJob) -> None:
        """The message is no turn of its own."""
        self._accepting.remove(job)
        self._untold_ends.discard(job.turn_id)
        job.has_ended = True
        job.done.set_result(None)

    # --- running ------------------------------------------------------------------------------------------------------

    def _start_next(self) -> None:
        while self._running is None and self._waiting and not self._untold_ends:
            job = self._waiting.popleft()
            if not job.has_ended:
                self._running = job
                self._spawn(self._supervise(job), f"turn {job.turn_id}")

    async def _supervise(self, job: TurnJob) -> None:
        """See one turn through: its run, its end, and the clean-up after it."""
        if not job.has_ended:  # else it was stopped before it could begin
            await self._supervise_run(job)
        await asyncio.wait({job.done})
        self._running = None
        self._start_next()

    async def _supervise_run(self, job: TurnJob) -> None:
        job.task = asyncio.create_task(self._run(self, job), name=f"run {job.turn_id}")
        ended = asyncio.ensure_future(asyncio.wait({job.done}))
        await asyncio.wait({job.task, ended}, return_when=asyncio.FIRST_COMPLETED)
        if job.task.done() and job.ending is None:
            await self.end(job, Failed("internal_error", "The agent stopped without an answer."))
        elif not job.task.done():
            _, late = await asyncio.wait({job.task}, timeout=REAP_LIMIT_S)
            if late:
                _log.error("turn_not_reaped", turn_id=job.turn_id, after_s=REAP_LIMIT_S)

    # --- ending -------------------------------------------------------------------------------------------------------

    async def end(self, job: TurnJob, event: TurnEnd) -> None:
        """Store the end of a turn and tell it, unless the turn has one. Returns when that is done."""
        if job.has_ended:
            await asyncio.wait({job.done})
            return
        self._decide(job, event)
        await asyncio.shield(self._spawn(self._finish([(job, event)]), f"end {job.turn_id}"))

    def _decide(self, job: TurnJob, event: TurnEnd) -> None:
        """From here on the agent's words are dropped, and nothing else begins until everybody was told."""
        self._on_ending(job)
        job.ending, job.has_ended = event, True
        self._untold_ends.add(job.turn_id)

    def stop(self, job: TurnJob, reason: AbortReason) -> None:
        """End a turn with what it has said so far, and make the agent stop in the background."""
        self._stop([job], reason)

    def stop_all(self, reason: AbortReason) -> Coroutine[object, None, int]:
        """End every unfinished turn: the call decides which. Awaiting it gives their number, when all are stored and told."""
        jobs = self.unfinished()
        self._stop(jobs, reason)
        return _number_when_done(jobs)

    def _stop(self, jobs: list[TurnJob], reason: AbortReason) -> None:
        ends: list[tuple[TurnJob, TurnEnd]] = []
        for job in jobs:
            if job.has_ended:
                continue
            job.hand_on()
            end = Result(
                self.log.text(job.turn_id),
                aborted=True,
                reason=reason,
                provider=job.provider,
                model=job.model,
                duration_ms=job.duration_ms,
            )
            self._decide(job, end)
            job.stop_reason = reason
            if job in self._accepting:
                continue  # `_accept` ends it as soon as it is stored
            ends.append((job, end))
            if job.task is not None:
                job.task.cancel()
        self._waiting = deque(job for job in self._waiting if not job.has_ended)
        if ends:
            self._spawn(self._finish(ends), "stop")

    async def _finish(self, ends: list[tuple[TurnJob, TurnEnd]]) -> None:
        """Store ends and tell them, in order.

        If the database does not take them for a while, they are told all the same, and stored with the next that it takes: better
        an answer that may not be kept than none.
        """
        async with self._one_end_at_a_time:
            ended = await self._store_ends(ends)
            for (job, end), stored in zip(ends, ended, strict=True):
                self._untold_ends.discard(job.turn_id)
                self._message_count += 1
                self.log.append(job.turn_id, end, seq=stored.end_seq)
                job.done.set_result(end)
        self._start_next()

    async def _store_ends(self, ends: list[tuple[TurnJob, TurnEnd]]) -> list[EndedTurn]:
        for pause_s in (*_RETRY_PAUSES_S, None):
            ended = self._placed(ends)
            waiting = {job.turn_id: job.user_seq for job in self._waiting if job.user_seq is not None}
            contexts = self.unsaved()
            self._share.hurry()
            try:
                await self._store.finish(
                    self.id, [*self._unstored, *ended], waiting=waiting, context=self.context, contexts=contexts
                )
            except Exception as error:  # noqa: BLE001 - whatever goes wrong with storing: the turn has to end
                _log.error("end_not_stored", session=str(self.key), turns=len(ended), error=str(error))
                may_be_stored = isinstance(error, StorageError) and not self.is_deleted
                if may_be_stored and pause_s is not None:
                    await asyncio.sleep(pause_s)
                    continue
                self._unstored += ended if may_be_stored else []
            else:
                self._unstored.clear()
                self.saved(contexts)
            finally:
                self._share.calm()
            break
        return ended

    def _placed(self, ends: list[tuple[TurnJob, TurnEnd]]) -> list[EndedTurn]:
        """The ends with their places in the log: nothing is told before them but messages that are being stored already."""
        seq = max(self.log.cursor.seq, self._reserved_seq) + len(self._accepting)
        self._reserved_seq = seq + len(ends)
        return [
            EndedTurn(
                turn_id=job.turn_id,
                user_seq=job.user_seq or 0,
                end_seq=seq + number,
                end=end,
                answer=end.text if isinstance(end, Result) else self.log.text(job.turn_id),
                trace=self.log.trace(job.turn_id),
                parts=job.parts,
                chars_in_parts=job.chars_in_parts,
            )
            for number, (job, end) in enumerate(ends, 1)
        ]

    # --- the session's own end ----------------------------------------------------------------------------------------

    async def delete(self, remove: Callable[[], Coroutine[object, None, None]]) -> None:
        """Stop everything, `remove` what is stored, and tell who follows. Takes no more messages."""
        self.is_deleted = True
        await self.stop_all("abort")
        try:
            await remove()
        except BaseException:
            self.is_deleted = False
            raise
        self.log.tell(SessionDeleted())

    async def idle(self) -> None:
        """Return when everything that ran has ended and has cleaned up, and what could not be stored was tried once more."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        if self._unstored:
            await self._finish([])

    def _spawn(self, work: Coroutine[object, None, None], name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(_plain(work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _plain(work: Coroutine[object, None, None]) -> None:
    await work


async def _number_when_done(jobs: list[TurnJob]) -> int:
    ends = await asyncio.gather(*(asyncio.shield(job.done) for job in jobs))
    return sum(end is not None for end in ends)  # None: it was no turn of its own, but refused or sent again
