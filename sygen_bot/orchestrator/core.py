"""The orchestrator: takes messages, runs them through an agent in the order of their session, and stops them on demand.

It knows no transport. Whoever shows a session follows its log.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from sygen_bot import __version__
from sygen_bot.errors import EmptyMessage, ProviderUnavailable, RequestError, StorageError, TurnError
from sygen_bot.events import Failed, Result, TextDelta, TurnEnd, UserMessage
from sygen_bot.orchestrator.approvals import approver
from sygen_bot.orchestrator.commands import Command, CommandContext, find_command
from sygen_bot.orchestrator.fairness import FairShare
from sygen_bot.orchestrator.pump import Pump, speakable
from sygen_bot.orchestrator.queue import REAP_LIMIT_S, SessionQueue, TurnJob
from sygen_bot.providers.base import Policy, Turn
from sygen_bot.providers.registry import ProviderRegistry, Target
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import SessionLog, Subscriber

_ADDRESSED = re.compile(r"@(\S+)\s+(?=\S)")
_KEPT_IDLE_SESSIONS: Final = 1024

_log = structlog.get_logger(__name__)


class StoredSession(Protocol):
    """What outlives the process of one session: who answers (None: the default) and each provider's resume token."""

    @property
    def provider(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def contexts(self) -> Mapping[str, str]: ...


class SessionStore(Protocol):
    """Where sessions are kept. Every method raises StorageError if it cannot."""

    async def load(self, key: SessionKey) -> StoredSession: ...
    async def set_target(self, key: SessionKey, *, provider: str | None, model: str | None) -> None: ...
    async def save_context(self, key: SessionKey, provider: str, resume_token: str) -> None: ...
    async def clear_contexts(self, key: SessionKey) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """How the gateway's agent works: where, under which policy, with which words of its own. `private`: what it does not read."""

    workspace: Path
    policy: Policy
    private: Sequence[Path] = ()
    system_prompt: str | None = None
    default: Target | None = None


class ShuttingDown(RequestError):
    """The gateway is going down and takes no more messages."""

    code = "busy"
    sentence = "The gateway is shutting down. Send this again when it is back."


class _Session:
    """One conversation while it is in memory."""

    def __init__(self, key: SessionKey) -> None:
        self.key = key
        self.log = SessionLog()
        self.queue: SessionQueue
        self.choice: Target | None = None
        self.contexts: dict[str, str] = {}
        self.is_loaded = False


class Orchestrator:
    """Runs the turns of all sessions. Must be created and used on one event loop.

    `queue_limit`: unfinished turns a session may have. `turn_timeouts_s`: seconds by provider id; none there, no limit.
    """

    def __init__(
        self,
        *,
        registry: ProviderRegistry,
        store: SessionStore,
        agent: AgentProfile,
        queue_limit: int,
        max_answer_bytes: int,
        turn_timeouts_s: Mapping[str, float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry
        self._store = store
        self._agent = agent
        self._queue_limit = queue_limit
        self._turn_timeouts_s = turn_timeouts_s
        self._clock = clock
        self._pump = Pump(share=FairShare(), max_answer_bytes=max_answer_bytes)
        self._approve = approver(agent.policy, private=agent.private, workspace=agent.workspace)
        self._sessions: dict[SessionKey, _Session] = {}
        self._is_open = True

    # --- for transports -----------------------------------------------------------------------------------------------

    def submit(self, key: SessionKey, text: str) -> str:
        """Accept a message and return its turn id. Its events come through `follow`, none before this returns.

        Raises EmptyMessage, QueueFull or ShuttingDown.
        """
        return self._accept(key, text).turn_id

    async def handle_message_streaming(self, key: SessionKey, text: str, on_event: Subscriber | None = None) -> TurnEnd:
        """Run a message to its end and return that. `on_event` is told every event of its turn. Raises as `submit`."""
        job = self._accept(key, text)
        if on_event is None:
            return await asyncio.shield(job.done)
        notify = on_event
        unfollow = self.follow(key, lambda logged: notify(logged) if logged.turn_id == job.turn_id else None)
        try:
            return await asyncio.shield(job.done)
        finally:
            unfollow()

    def follow(self, key: SessionKey, subscriber: Subscriber) -> Callable[[], None]:
        """Hand every later event of the session to `subscriber`. Returns the way out."""
        return self._session(key).log.subscribe(subscriber)

    def abort(self, key: SessionKey, *, channel_only: bool = False) -> int:
        """Stop all running and queued turns of the key's chat, across its channels, or with `channel_only` of that session.

        Each has its end before this returns; what the agents started is cleaned up in the background. Returns their number.
        """
        covered = [
            session
            for other, session in self._sessions.items()
            if other == key or (not channel_only and (other.transport, other.chat_id) == (key.transport, key.chat_id))
        ]
        return sum(session.queue.stop_all("abort") for session in covered)

    async def target_of(self, key: SessionKey) -> Target | None:
        """Who would answer in this session now; None if nobody can."""
        session = self._session(key)
        await self._load(session)
        return self._target(session)

    # --- for the composition root -------------------------------------------------------------------------------------

    @property
    def turns_running(self) -> int:
        return sum(bool(session.queue.unfinished()) for session in self._sessions.values())

    @property
    def turns_queued(self) -> int:
        return sum(max(len(session.queue.unfinished()) - 1, 0) for session in self._sessions.values())

    @property
    def sessions_active(self) -> int:
        """Sessions in memory that somebody follows or that have a turn."""
        return sum(session.log.is_followed or not session.queue.is_idle for session in self._sessions.values())

    async def drain(self, timeout_s: float) -> None:
        """Take no more messages, give the turns `timeout_s` to end, and stop the rest.

        Returns when all has cleaned up, or after another `REAP_LIMIT_S`.
        """
        self._is_open = False
        ends = [job.done for session in self._sessions.values() for job in session.queue.unfinished()]
        if ends:
            await asyncio.wait(ends, timeout=timeout_s)
        for session in self._sessions.values():
            session.queue.stop_all("shutdown")
        idle = [asyncio.create_task(session.queue.idle()) for session in self._sessions.values()]
        if idle:
            _, hanging = await asyncio.wait(idle, timeout=REAP_LIMIT_S)
            for task in hanging:  # its provider breaks its promise: that is no reason to run for ever
                task.cancel()

    # --- one message --------------------------------------------------------------------------------------------------

    def _accept(self, key: SessionKey, text: str) -> TurnJob:
        if not self._is_open:
            raise ShuttingDown
        if not text.strip():
            raise EmptyMessage
        session, now = self._session(key), self._clock()
        job = TurnJob(turn_id=secrets.token_hex(12), text=speakable(text), log=session.log, accepted_at=now)
        session.queue.put(job)
        session.log.append(job.turn_id, UserMessage(job.text, now))
        return job

    async def _run(self, session: _Session, job: TurnJob) -> None:
        try:
            await self._load(session)
            if command := find_command(job.text):
                await self._run_command(session, job, *command)
            else:
                await self._run_agent(session, job)
        except TurnError as error:
            _log.warning("turn_failed", session=str(session.key), turn_id=job.turn_id, error=str(error))
            job.end(Failed(error.code, speakable(str(error))))
        except StorageError as error:
            _log.error("storage_failed", session=str(session.key), error=str(error))
            job.end(Failed("internal_error", "The gateway could not read or store the state of this session."))
        except Exception:  # noqa: BLE001 - the turn's task ends here
            _log.exception("turn_crashed", session=str(session.key), turn_id=job.turn_id)
            job.end(Failed("internal_error", "The agent failed unexpectedly. The gateway's log has the details."))

    async def _run_command(self, session: _Session, job: TurnJob, command: Command, argument: str) -> None:
        context = CommandContext(
            key=session.key,
            registry=self.registry,
            target=lambda: self._target(session),
            facts=lambda: self._facts(session),
            choose=lambda target: self._choose(session, target),
            start_over=lambda: self._start_over(session),
        )
        answer = await command.run(context, argument)
        if not job.has_ended:
            job.log.append(job.turn_id, TextDelta(answer))
            job.end(Result(answer))

    async def _run_agent(self, session: _Session, job: TurnJob) -> None:
        target, text = self._addressed(session, job.text)
        if target is None:
            raise ProviderUnavailable("No provider can run now. `/model` tells what each of them lacks.")
        provider = self.registry.get(target.provider)
        turn = Turn(
            session=session.key,
            turn_id=job.turn_id,
            text=text,
            model=target.model,
            resume_token=session.contexts.get(target.provider),
            workspace=self._agent.workspace,
            system_prompt=self._agent.system_prompt,
            approve=self._approve,
        )

        saving: asyncio.Task[None] | None = None

        async def save_context(resume_token: str) -> None:
            """Beside the turn: its first delta does not wait for the disk."""
            nonlocal saving
            if session.contexts.get(target.provider) != resume_token:
                session.contexts[target.provider] = resume_token
                saving = asyncio.create_task(self._save_context(session.key, target.provider, resume_token, saving))

        timeout_s = self._turn_timeouts_s.get(target.provider)
        loop = asyncio.get_running_loop()
        timer = None if timeout_s is None else loop.call_later(timeout_s, job.stop, "timeout")
        try:
            await self._pump.run(job, provider, turn, save_context)
        finally:
            if timer is not None:
                timer.cancel()
            if saving is not None:
                await saving

    def _addressed(self, session: _Session, text: str) -> tuple[Target | None, str]:
        """Who a message is for, and the message without the `@name` that says so."""
        if (match := _ADDRESSED.match(text)) and (target := self.registry.find(match[1])):
            return target, text[match.end() :]
        return self._target(session), text

    # --- sessions -----------------------------------------------------------------------------------------------------

    def _target(self, session: _Session) -> Target | None:
        if session.choice is not None:
            return session.choice
        if self._agent.default is not None:
            return self._agent.default
        best = self.registry.best()
        return None if best is None else Target(best)

    def _session(self, key: SessionKey) -> _Session:
        session = self._sessions.get(key)
        if session is None:
            self._forget_idle()
            session = self._sessions[key] = _Session(key)
            session.queue = SessionQueue(lambda job: self._run(session, job), limit=self._queue_limit)
        return session

    def _forget_idle(self) -> None:
        """Keep memory bounded: sessions that nobody follows and that do nothing are read again when they are needed."""
        if len(self._sessions) < _KEPT_IDLE_SESSIONS:
            return
        idle = [key for key, session in self._sessions.items() if session.queue.is_idle and not session.log.is_followed]
        for key in idle[: len(idle) // 2 + 1]:
            del self._sessions[key]

    async def _load(self, session: _Session) -> None:
        if session.is_loaded:
            return
        stored = await self._store.load(session.key)
        if not session.is_loaded:  # another task may have been quicker
            session.is_loaded = True
            session.choice = None if stored.provider is None else Target(stored.provider, stored.model)
            session.contexts = dict(stored.contexts)

    async def _save_context(
        self, key: SessionKey, provider: str, resume_token: str, after: asyncio.Task[None] | None
    ) -> None:
        if after is not None:
            await after
        await self._store.save_context(key, provider, resume_token)

    async def _choose(self, session: _Session, target: Target | None) -> None:
        provider, model = (None, None) if target is None else (target.provider, target.model)
        await self._store.set_target(session.key, provider=provider, model=model)
        session.choice = target

    async def _start_over(self, session: _Session) -> None:
        await self._store.clear_contexts(session.key)
        session.contexts.clear()
        await asyncio.gather(*(provider.forget(session.key) for provider in self.registry.all().values()))

    def _facts(self, session: _Session) -> list[tuple[str, str]]:
        waiting = max(len(session.queue.unfinished()) - 1, 0)
        return [
            ("waiting here", f"{waiting} messages"),
            ("gateway", f"{self.turns_running} turns running, {self.turns_queued} waiting"),
            ("tools", self._agent.policy),
            ("version", __version__),
        ]
