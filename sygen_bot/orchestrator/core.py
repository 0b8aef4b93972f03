"""The orchestrator: takes messages, runs them through an agent in the order of their session, and stops them on demand.

It knows no transport. Whoever shows a session follows its log.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakValueDictionary

import structlog

from sygen_bot import __version__
from sygen_bot.errors import AgentDied, NotFound, ProviderUnavailable, RequestError, StorageError, TurnError
from sygen_bot.events import Failed, Result, SystemStatus, TextDelta, TurnEnd
from sygen_bot.files.prompt import INCOMING, incoming_files
from sygen_bot.orchestrator.approvals import Approvals
from sygen_bot.orchestrator.commands import Command, CommandContext, counted, find_command
from sygen_bot.orchestrator.fairness import FairShare
from sygen_bot.orchestrator.freshness import Freshness
from sygen_bot.orchestrator.policy import verdict
from sygen_bot.orchestrator.pump import Pump
from sygen_bot.orchestrator.recorder import Recorder
from sygen_bot.orchestrator.session import REAP_LIMIT_S, LiveSession, TurnStore
from sygen_bot.orchestrator.turn import TurnJob
from sygen_bot.providers.base import Approver, Attachment, Decision, Policy, Provider, TaskStarter, ToolRequest, Turn
from sygen_bot.providers.registry import ProviderRegistry, Target
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent, Subscriber
from sygen_bot.session.receipt import Acceptance, Receipt
from sygen_bot.session.text import speakable
from sygen_bot.storage.history import ChatSession
from sygen_bot.storage.sessions import ContextUse, StoredSession, StoredTurn

_ADDRESSED = re.compile(r"@(\S+)\s+(?=\S)")
_KEPT_IDLE_SESSIONS: Final = 1024
_CONTEXT_DELAY_S: Final = 0.05
"""How long a new resume token waits for the end of its turn, before it is stored alone."""

_log = structlog.get_logger(__name__)


class SessionStore(TurnStore, Protocol):
    """Where sessions are kept. Every method raises StorageError if it cannot."""

    async def open(self, key: SessionKey, *, agent: str) -> StoredSession: ...
    async def set_target(self, session_id: str, *, provider: str | None, model: str | None) -> None: ...
    async def save_context(self, session_id: str, provider: str, resume_token: str) -> None: ...
    async def clear_contexts(self, session_id: str) -> None: ...
    async def delete(self, session_id: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """How the gateway's agent works: where, under which policy, with which words of its own.

    `private`: what it does not read unasked. `uploads`: where files lie that come with messages.
    """

    name: str
    workspace: Path
    policy: Policy
    uploads: Path
    private: Sequence[Path] = ()
    system_prompt: str | None = None
    default: Target | None = None
    freshness: Freshness = field(default_factory=Freshness)


class ShuttingDown(RequestError):
    """The gateway is going down and takes no more messages."""

    code = "busy"
    sentence = "The gateway is shutting down. Send this again when it is back."


class Orchestrator:
    """Runs the turns of all sessions. Must be created and used on one event loop.

    `queue_limit`: unfinished turns a session may have. `max_parallel_turns`: agents that may work at once, in all sessions together;
    others wait for their place. `approvals`: who is asked what the policy leaves to people. `turn_timeouts_s`: seconds by provider id; none there, no limit.
    `list_sessions`: the newest sessions of a chat. `reports`: what commands such as `/tasks` answer.
    `start_task`: for agents that want one in the background.
    """

    def __init__(
        self,
        *,
        registry: ProviderRegistry,
        store: SessionStore,
        agent: AgentProfile,
        approvals: Approvals,
        queue_limit: int,
        max_parallel_turns: int,
        max_answer_bytes: int,
        turn_timeouts_s: Mapping[str, float],
        list_sessions: Callable[[int], Awaitable[Sequence[ChatSession]]],
        reports: Mapping[str, Callable[[], Awaitable[str]]] | None = None,
        start_task: TaskStarter | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry
        self._store = store
        self._agent = agent
        self._queue_limit = queue_limit
        self._turn_timeouts_s = turn_timeouts_s
        self._list_sessions = list_sessions
        self._reports = reports or {}
        self._start_task = start_task
        self._clock = clock
        self._share = FairShare()
        self._recorder = Recorder(store)
        self._pump = Pump(share=self._share, max_answer_bytes=max_answer_bytes)
        self._approvals = approvals
        self._max_parallel_turns = max_parallel_turns
        self._places = asyncio.Semaphore(max_parallel_turns)
        self._at_work = 0
        self._sessions: dict[SessionKey, LiveSession] = {}
        # Those too that only others hold still: there are never two of one key.
        self._held: WeakValueDictionary[SessionKey, LiveSession] = WeakValueDictionary()
        self._opening: dict[SessionKey, asyncio.Task[LiveSession]] = {}
        self._deleting: dict[SessionKey, asyncio.Task[None]] = {}
        self._is_open = True

    # --- for transports -----------------------------------------------------------------------------------------------

    async def open(self, key: SessionKey) -> LiveSession:
        """The session of that key, made if there is none. Raises StorageError."""
        while (deleting := self._deleting.get(key)) is not None:
            await asyncio.wait({deleting})
        session = self._held.get(key)
        if session is not None and not session.is_deleted:
            self._sessions[key] = session
            return session
        opening = self._opening.get(key)
        if opening is None:
            opening = self._opening[key] = asyncio.create_task(self._load(key), name=f"open {key}")
            opening.add_done_callback(lambda _done: self._opening.pop(key, None))
        return await asyncio.shield(opening)

    def loaded(self, key: SessionKey) -> LiveSession | None:
        """The session of that key if it is in memory. Sessions with an unfinished turn always are."""
        return self._sessions.get(key)

    async def handle_message_streaming(
        self, key: SessionKey, text: str, on_event: Subscriber | None = None, *, client_id: str | None = None
    ) -> TurnEnd:
        """Run a message to its end and return that. `on_event` is told every event of its turn.

        Raises RequestError for a message that is not taken, StorageError.
        """
        session = await self.open(key)
        loop = asyncio.get_running_loop()
        receipt: asyncio.Future[Receipt] = loop.create_future()
        end: asyncio.Future[TurnEnd] = loop.create_future()
        turn_id = ""

        def hear(logged: LoggedEvent) -> None:
            if logged.turn_id != turn_id:
                return
            if on_event is not None:
                on_event(logged)
            if isinstance(logged.event, Result | Failed) and not end.done():
                end.set_result(logged.event)

        unfollow = session.log.subscribe(hear)
        try:
            turn_id = session.submit(text, client_id=client_id, on_receipt=receipt.set_result)
            accepted = await receipt
            if not isinstance(accepted, Acceptance):
                raise accepted
            turn_id = accepted.turn_id
            return accepted.end or await end
        finally:
            unfollow()

    def abort(self, key: SessionKey, *, channel_only: bool = False) -> Coroutine[object, None, int]:
        """Stop all running and queued turns of the key's chat, across its channels, or with `channel_only` of that session.

        The call decides which; awaiting it gives their number when each has its end. What the agents started is cleaned up
        in the background.
        """
        stopping = [
            session.stop_all("abort")
            for other, session in self._sessions.items()
            if other == key or (not channel_only and (other.transport, other.chat_id) == (key.transport, key.chat_id))
        ]

        async def number() -> int:
            return sum(await asyncio.gather(*stopping))

        return number()

    async def open_for(self, key: SessionKey, target: Target | None) -> LiveSession:
        """The session of that key; with `target` that one answers in it from now on. Raises StorageError."""
        session = await self.open(key)
        if target is not None and session.choice != target:
            await self.choose(session, target)
        return session

    async def stop_message(self, key: SessionKey, client_id: str) -> bool:
        """Stop the turn of that message, whether it waits or runs. False if it has ended, or never was."""
        session = self._sessions.get(key)
        if session is None:
            return False
        jobs = [job for job in session.unfinished() if job.client_id == client_id]
        for job in jobs:
            session.stop(job, "abort")
            await asyncio.wait({job.done})
        return bool(jobs)

    def target_of(self, session: LiveSession) -> Target | None:
        """Who would answer in this session now; None if nobody can."""
        if session.choice is not None:
            return session.choice
        if self._agent.default is not None:
            return self._agent.default
        best = self.registry.best()
        return None if best is None else Target(best)

    async def choose(self, session: LiveSession, target: Target | None) -> None:
        """From now on that target answers in the session; None goes back to the default."""
        provider, model = (None, None) if target is None else (target.provider, target.model)
        await self._store.set_target(session.id, provider=provider, model=model)
        session.choice = target

    async def delete(self, key: SessionKey) -> None:
        """Stop and remove the session of that key, with all that it said."""
        session = await self.open(key)
        if session.is_deleted:
            raise NotFound
        deleting = self._deleting[key] = asyncio.create_task(self._delete(session), name=f"delete {key}")
        deleting.add_done_callback(lambda _done: self._deleting.pop(key, None))
        await asyncio.shield(deleting)  # whoever asked may go away

    async def _delete(self, session: LiveSession) -> None:
        await session.delete(lambda: self._store.delete(session.id))
        self._sessions.pop(session.key, None)
        self._held.pop(session.key, None)
        await self._forget_context(session)

    # --- for the composition root -------------------------------------------------------------------------------------

    async def take_up(self, messages: Iterable[tuple[SessionKey, StoredTurn]]) -> None:
        """Run messages that were accepted before this gateway started and had not begun."""
        for key, turn in messages:
            (await self.open(key)).take_up(turn)

    @property
    def turns_running(self) -> int:
        return sum(bool(session.unfinished()) for session in self._sessions.values())

    @property
    def turns_queued(self) -> int:
        return sum(max(len(session.unfinished()) - 1, 0) for session in self._sessions.values())

    @property
    def sessions_active(self) -> int:
        """Sessions in memory that somebody follows or that have a turn."""
        return sum(session.log.is_followed or not session.is_idle for session in self._sessions.values())

    async def drain(self, timeout_s: float) -> None:
        """Take no more messages, give the turns `timeout_s` to end, and stop the rest.

        Returns when all has cleaned up, or after another `REAP_LIMIT_S`.
        """
        self._is_open = False
        sessions = list(self._sessions.values())
        ends = [job.done for session in sessions for job in session.unfinished()]
        if ends:
            await asyncio.wait(ends, timeout=timeout_s)
        await asyncio.gather(*(session.stop_all("shutdown") for session in sessions))
        idle = [asyncio.create_task(session.idle()) for session in sessions]
        if idle:
            _, hanging = await asyncio.wait(idle, timeout=REAP_LIMIT_S)
            for task in hanging:  # its provider breaks its promise: that is no reason to run for ever
                task.cancel()
        await self._recorder.close()

    # --- one message --------------------------------------------------------------------------------------------------

    async def _run(self, session: LiveSession, job: TurnJob) -> None:
        try:
            if not job.has_begun:
                await self._store.begin(job.turn_id, user_seq=job.user_seq or 0)
            command = find_command(job.text)
            result = await (self._run_command(session, job, *command) if command else self._run_agent(session, job))
            if result is not None:
                await session.end(job, result)
        except AgentDied as error:
            _log.warning("agent_died", session=str(session.key), turn_id=job.turn_id, error=str(error))
            session.stop(job, "interrupted")
        except TurnError as error:
            _log.warning("turn_failed", session=str(session.key), turn_id=job.turn_id, error=str(error))
            await session.end(job, Failed(error.code, speakable(str(error))))
        except StorageError as error:
            _log.error("storage_failed", session=str(session.key), error=str(error))
            await session.end(job, Failed("internal_error", "The gateway cannot store what this session says now."))
        except Exception:  # noqa: BLE001 - the turn's task ends here
            _log.exception("turn_crashed", session=str(session.key), turn_id=job.turn_id)
            await session.end(
                job, Failed("internal_error", "The agent failed unexpectedly. The gateway's log has the details.")
            )

    async def _run_command(self, session: LiveSession, job: TurnJob, command: Command, argument: str) -> Result:
        context = CommandContext(
            key=session.key,
            registry=self.registry,
            target=lambda: self.target_of(session),
            facts=lambda: self._facts(session),
            choose=lambda target: self.choose(session, target),
            start_over=lambda: self._start_over(session),
            sessions=lambda: self._list_sessions(session.key.chat_id),
            approvals=self._approvals,
            reports=self._reports,
        )
        answer = await command.run(context, argument)
        if not job.has_ended:
            session.log.append(job.turn_id, TextDelta(answer))
        return Result(answer)

    async def _run_agent(self, session: LiveSession, job: TurnJob) -> Result | None:
        target, text = self._addressed(session, job.text)
        if target is None:
            raise ProviderUnavailable("No provider can run now. `/model` tells what each of them lacks.")
        provider = self.registry.get(target.provider)
        job.provider, job.model = target.provider, target.model
        is_waiting = self._places.locked()
        if is_waiting and not job.has_ended:
            session.log.append(job.turn_id, SystemStatus("waiting for another agent to finish"))
        async with self._places:
            if is_waiting and not job.has_ended:
                session.log.append(job.turn_id, SystemStatus(None))
            self._at_work += 1
            try:
                return await self._work(session, job, provider, target, text)
            finally:
                self._at_work -= 1

    async def _work(
        self, session: LiveSession, job: TurnJob, provider: Provider, target: Target, text: str
    ) -> Result | None:
        job.began = time.monotonic()
        await self._freshen(session, job)
        attachments = await self._attachments(text)
        turn = Turn(
            session=session.key,
            turn_id=job.turn_id,
            text=text,
            model=target.model,
            resume_token=session.contexts.get(target.provider),
            workspace=self._agent.workspace,
            system_prompt=self._agent.system_prompt,
            approve=self._approver(session, job),
            start_task=self._start_task,
            attachments=attachments,
        )

        loop = asyncio.get_running_loop()
        saving: list[asyncio.Task[None]] = []
        delays: list[asyncio.TimerHandle] = []

        def save() -> None:
            saving.append(asyncio.create_task(self._save_contexts(session)))

        def save_context(resume_token: str) -> None:
            """Beside the turn, and not at once: a turn that is about to end stores it with its end."""
            if session.keep_context(target.provider, resume_token) and not saving:
                delays.append(loop.call_later(_CONTEXT_DELAY_S, save))

        record = self._recorder.follow(session.log, job)
        timeout_s = self._turn_timeouts_s.get(target.provider)
        timer = None if timeout_s is None else loop.call_later(timeout_s, session.stop, job, "timeout")
        try:
            return await self._pump.run(session, job, provider, turn, record=record, save_context=save_context)
        finally:
            self._recorder.leave(record)
            session.context = ContextUse(self._clock(), session.context.turns)  # a long turn is no pause
            for delay in delays:
                delay.cancel()
            if saving:
                await asyncio.wait(saving)
            if timer is not None:
                timer.cancel()

    async def _attachments(self, text: str) -> tuple[Attachment, ...]:
        if INCOMING not in text:
            return ()
        files = await asyncio.to_thread(
            incoming_files, text, uploads=self._agent.uploads, workspace=self._agent.workspace
        )
        return tuple(Attachment(path=path, mime=mime, name=path.name) for path, mime in files)

    def _approver(self, session: LiveSession, job: TurnJob) -> Approver:
        agent = self._agent

        async def decide(use: ToolRequest) -> Decision:
            # It follows links, and where a path leads an agent says: to a disk that does not answer, perhaps.
            decision = await asyncio.to_thread(
                verdict, use, agent.policy, private=agent.private, workspace=agent.workspace
            )
            if decision == "ask":
                return await self._approvals.ask(use, session, job)
            if decision == "deny":
                _log.info("tool_denied", tool=use.tool, policy=agent.policy)
            return decision

        return decide

    async def _save_contexts(self, session: LiveSession) -> None:
        """An answer is not lost for a context that could not be saved: the end of the turn saves it again."""
        try:
            for provider, resume_token in session.unsaved().items():
                await self._store.save_context(session.id, provider, resume_token)
                session.saved({provider: resume_token})
        except StorageError as error:
            _log.error("context_not_stored", session=str(session.key), error=str(error))

    def _addressed(self, session: LiveSession, text: str) -> tuple[Target | None, str]:
        """Who a message is for, and the message without the `@name` that says so."""
        if (match := _ADDRESSED.match(text)) and (target := self.registry.find(match[1])):
            return target, text[match.end() :]
        return self.target_of(session), text

    # --- the agent's context ------------------------------------------------------------------------------------------

    async def _freshen(self, session: LiveSession, job: TurnJob) -> None:
        """Begin a new context if the old one is over, and count this turn in it. The history stays."""
        now = self._clock()
        used = session.context
        stale = self._agent.freshness.staleness(now=now, used_at=used.used_at, turns=used.turns)
        if stale is not None:
            await self._start_over(session)
            if not job.has_ended:
                session.log.append(job.turn_id, SystemStatus(f"new context: {stale}"))
        session.context = ContextUse(now, session.context.turns + 1)

    async def _start_over(self, session: LiveSession) -> None:
        await self._store.clear_contexts(session.id)
        session.clear_contexts()
        await self._forget_context(session)

    async def _forget_context(self, session: LiveSession) -> None:
        await asyncio.gather(*(provider.forget(session.key) for provider in self.registry.all().values()))

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def _load(self, key: SessionKey) -> LiveSession:
        stored = await self._store.open(key, agent=self._agent.name)
        self._forget_idle()
        session = self._sessions[key] = self._held[key] = LiveSession(
            stored,
            store=self._store,
            run=self._run,
            check_open=self._check_open,
            on_ending=self._approvals.cancel_turn,
            share=self._share,
            limit=self._queue_limit,
            clock=self._clock,
        )
        return session

    def _processes(self) -> str:
        counts = {name: provider.processes for name, provider in self.registry.all().items() if provider.processes}
        each = ", ".join(f"{name} {count}" for name, count in counts.items())
        number = counted(sum(counts.values()), "agent process", plural="agent processes")
        return f"{number} ({each})" if each else number

    def _check_open(self) -> None:
        if not self._is_open:
            raise ShuttingDown

    def _forget_idle(self) -> None:
        """Keep memory bounded: sessions that nobody follows and that do nothing are read again when they are needed."""
        if len(self._sessions) < _KEPT_IDLE_SESSIONS:
            return
        idle = [key for key, session in self._sessions.items() if session.is_idle and not session.log.is_followed]
        for key in idle[: len(idle) // 2 + 1]:
            del self._sessions[key]

    def _facts(self, session: LiveSession) -> list[tuple[str, str]]:
        waiting = max(len(session.unfinished()) - 1, 0)
        return [
            ("waiting here", counted(waiting, "message")),
            ("gateway", f"{counted(self.turns_running, 'turn')} running, {self.turns_queued} waiting"),
            ("agents", f"{self._at_work} of at most {self._max_parallel_turns} at work, {self._processes()}"),
            ("tools", self._agent.policy),
            ("version", __version__),
        ]
