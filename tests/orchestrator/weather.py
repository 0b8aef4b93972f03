"""A session over a real database, with a store between them that can be told to fail or to hold back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sygen_bot.errors import StorageError
from sygen_bot.events import Result, TextDelta
from sygen_bot.orchestrator.fairness import FairShare
from sygen_bot.orchestrator.session import LiveSession
from sygen_bot.orchestrator.turn import TurnJob
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent
from sygen_bot.session.receipt import Receipt
from sygen_bot.storage.engine import open_storage
from sygen_bot.storage.history import ChatHistory
from sygen_bot.storage.sessions import ContextUse, EndedTurn, KnownMessage, SessionStore, StoredTurn, TurnPart

KEY = SessionKey("api", 1, None)
STEPS = ("accept", "begin", "add_parts", "finish")


class StormyStore:
    """Passes every step on to the real store, unless it is told otherwise.

    `down`: steps that fail. `mute`: steps that are done, but whose caller hears of a failure, as when a connection breaks during a
    commit. `held`: steps that wait for their event first. `tried` has every step in its order.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self.down: set[str] = set()
        self.mute: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.tried: list[str] = []
        self._arrived = asyncio.Condition()
        self._line = asyncio.Lock()

    async def until_tried(self, step: str, times: int = 1) -> None:
        async with self._arrived, asyncio.timeout(10):
            await self._arrived.wait_for(lambda: self.tried.count(step) >= times)

    def accept(
        self,
        session_id: str,
        turn: StoredTurn,
        *,
        begins: bool,
        on_done: Callable[[KnownMessage | Exception | None], None],
    ) -> None:
        def done(outcome: KnownMessage | Exception | None) -> None:
            on_done(_failure() if "accept" in self.mute else outcome)

        async def later() -> None:
            try:
                await self._enter("accept")
            except StorageError as error:
                on_done(error)
            else:
                self._store.accept(session_id, turn, begins=begins, on_done=done)

        if self.down or self.held or self._line.locked():
            self._later = asyncio.create_task(later())
        else:
            self.tried.append("accept")
            self._store.accept(session_id, turn, begins=begins, on_done=done)

    async def begin(self, turn_id: str, *, user_seq: int) -> None:
        await self._enter("begin")
        await self._store.begin(turn_id, user_seq=user_seq)
        self._leave("begin")

    async def add_parts(self, parts: Sequence[TurnPart]) -> None:
        await self._enter("add_parts")
        await self._store.add_parts(parts)
        self._leave("add_parts")

    async def finish(
        self,
        session_id: str,
        ended: Sequence[EndedTurn],
        *,
        waiting: Mapping[str, int],
        context: ContextUse,
        contexts: Mapping[str, str],
    ) -> None:
        await self._enter("finish")
        await self._store.finish(session_id, ended, waiting=waiting, context=context, contexts=contexts)
        self._leave("finish")

    async def _enter(self, step: str) -> None:
        self.tried.append(step)
        async with self._arrived:
            self._arrived.notify_all()
        async with self._line:  # nobody overtakes
            if (gate := self.held.get(step)) is not None:
                await gate.wait()
        if step in self.down:
            raise _failure()

    def _leave(self, step: str) -> None:
        if step in self.mute:
            raise _failure()


def _failure() -> StorageError:
    return StorageError("The database cannot be used: bad weather", "Wait.")


class Conversation:
    """A session whose turns say `so far TEXT`, wait until they are let go, and add `, the end`.

    A turn whose text is in `cleaning_up` waits for its event there when it is cancelled.
    """

    def __init__(
        self, live: Callable[[Callable[[LiveSession, TurnJob], object]], LiveSession], store: StormyStore
    ) -> None:
        self.store = store
        self.session = live(self._run)
        self.started: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.cleaning_up: dict[str, asyncio.Event] = {}
        self.heard: list[LoggedEvent] = []
        self.receipts: dict[str, asyncio.Future[Receipt]] = {}
        self._changed = asyncio.Condition()
        self.session.log.subscribe(self.heard.append)

    def submit(self, text: str, *, client_id: str | None = None) -> asyncio.Future[Receipt]:
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.session.submit(text, client_id=client_id, on_receipt=receipt.set_result)
        return receipt

    async def accepted(self, text: str, *, client_id: str | None = None) -> Receipt:
        async with asyncio.timeout(10):
            return await self.submit(text, client_id=client_id)

    async def running(self, text: str) -> None:
        """Returns when that turn has spoken."""
        async with self._changed, asyncio.timeout(10):
            await self._changed.wait_for(lambda: text in self.started)

    def let_go(self, text: str) -> None:
        self.gates.setdefault(text, asyncio.Event()).set()

    async def idle(self) -> None:
        async with asyncio.timeout(20):
            await self.session.idle()

    async def whole(self, text: str) -> None:
        """One turn from the message to the end."""
        self.let_go(text)
        await self.accepted(text)
        await self.idle()

    def ends(self) -> list[Result]:
        return [logged.event for logged in self.heard if isinstance(logged.event, Result)]

    async def _run(self, session: LiveSession, job: TurnJob) -> None:
        if not job.has_begun:
            try:
                await self.store.begin(job.turn_id, user_seq=job.user_seq or 0)
            except StorageError:
                await session.end(job, Result("could not begin"))
                return
        gate = self.gates.setdefault(job.text, asyncio.Event())
        if not job.has_ended:
            session.log.append(job.turn_id, TextDelta(f"so far {job.text}"))
        self.started.append(job.text)
        async with self._changed:
            self._changed.notify_all()
        try:
            await gate.wait()
        except asyncio.CancelledError:
            if clean := self.cleaning_up.get(job.text):
                with suppress(asyncio.CancelledError):
                    await clean.wait()
            raise
        if not job.has_ended:
            session.log.append(job.turn_id, TextDelta(", the end"))
        await session.end(job, Result(session.log.text(job.turn_id)))


@asynccontextmanager
async def conversation(file: Path, *, limit: int = 8) -> AsyncIterator[tuple[Conversation, ChatHistory]]:
    """A conversation, and the history as it is stored."""
    storage = await open_storage(file)
    store = SessionStore(storage)
    stored = await store.open(KEY, agent="main")
    stormy = StormyStore(store)

    def live(run: Callable[[LiveSession, TurnJob], object]) -> LiveSession:
        return LiveSession(
            stored,
            store=stormy,
            run=run,  # type: ignore[arg-type]  # `_run` is a coroutine function
            check_open=lambda: None,
            on_ending=lambda _job: None,
            share=FairShare(),
            limit=limit,
            clock=lambda: 1000.0,
        )

    try:
        yield Conversation(live, stormy), ChatHistory(storage)
    finally:
        await storage.close()
