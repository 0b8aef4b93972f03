"""A gateway as a program sees it: ask, follow, stop; the connection comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeVar

from sygen_bot.api.protocol import (
    Abort,
    AbortOk,
    AuthOk,
    ClientMessage,
    ErrorReply,
    Notification,
    Ping,
    Pong,
    ServerEvent,
    UserText,
)
from sygen_bot.client.errors import CannotConnect, ClientError, ConnectionLost, MessageRefused, TurnFailed
from sygen_bot.client.inbox import Inbox
from sygen_bot.client.wire import Address, Wire, open_wire
from sygen_bot.events import Failed, Result, SystemStatus, TextDelta, ThinkingDelta, ToolActivity

ConnectionState = Literal["connected", "reconnecting", "closed"]
AnswerEvent = TextDelta | ThinkingDelta | ToolActivity | SystemStatus | Result

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 15.0
_STEADY_S: Final = 5.0
"""A connection that lived this long was a good one: the next attempt after it comes at once."""

_Answer = TypeVar("_Answer")
_log = logging.getLogger(__name__)


@asynccontextmanager
async def connect(
    url: str,
    token: str | None = None,
    chat_id: int | None = None,
    channel_id: int | None = None,
    *,
    server_key: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    reconnect: bool = True,
    on_state: Callable[[ConnectionState], None] | None = None,
) -> AsyncIterator[Gateway]:
    """Connect to the gateway at `url` (http(s) or ws(s), or a link with `#token=...&server=...`) for as long as the block runs.

    `chat_id` and `channel_id` name the conversation, integers from 1 to 2^53-1; the gateway's default chat without them.
    `server_key`, the gateway's identity key in base64, seals the token on its way and proves the gateway.
    With `reconnect` a lost connection comes back by itself; `on_state` is told when it goes and comes.
    Raises CannotConnect or HandshakeRefused if the first connection does not come about.
    """
    address = Address.parse(url, token, server_key)

    async def open_one() -> Wire:
        return await open_wire(address, chat_id=chat_id, channel_id=channel_id, ssl_context=ssl_context)

    gateway = Gateway(
        await open_one(), open_wire=open_one if reconnect else None, on_state=on_state or (lambda _state: None)
    )
    try:
        yield gateway
    finally:
        await gateway.close()


class Gateway:
    """A conversation on a gateway; made by `connect`."""

    def __init__(
        self,
        wire: Wire,
        *,
        open_wire: Callable[[], Awaitable[Wire]] | None,
        on_state: Callable[[ConnectionState], None],
    ) -> None:
        self._wire: Wire | None = wire
        self._open_wire = open_wire
        self._on_state = on_state
        self._changed = asyncio.Condition()
        self._over: ClientError | None = None
        self._turns: deque[_PendingTurn] = deque()  # the gateway runs them one after another, in this order
        self._aborts: deque[asyncio.Future[int]] = deque()
        self._pings: deque[asyncio.Future[None]] = deque()
        self._notified: set[Inbox[Notification]] = set()
        self.hello: AuthOk = wire.hello
        """The gateway's answer to the newest handshake: who can answer, who does, which chat this is."""
        self._running = asyncio.create_task(self._run(wire), name="gateway connection")

    # --- what a program does ------------------------------------------------------------------------------------------

    async def ask(self, text: str) -> AsyncGenerator[AnswerEvent, None]:
        """Send a message and yield what the agent says to it, a `Result` last.

        Leaving the loop early does not stop the agent; `abort` does. Raises MessageRefused, TurnFailed or ConnectionLost.
        """
        if text.strip().lower() == "/stop":
            raise MessageRefused("invalid", "Stopping is no question: it has no answer. Use abort().")
        turn = _PendingTurn(uuid.uuid4().hex)
        wire = await self._connected()
        self._turns.append(turn)
        try:
            await wire.send(UserText(text, turn.message_id))
        except ConnectionLost:
            self._forget(turn)
            raise
        while True:
            event = await turn.inbox.get()
            yield event
            if isinstance(event, Result):
                return

    async def abort(self, *, channel_only: bool = False) -> int:
        """Stop what runs and waits in this chat, in all its channels or only in this one. Returns the number of turns stopped."""
        return await self._request(Abort(channel_only=channel_only), self._aborts)

    async def ping(self) -> float:
        """The time of a round trip, in seconds."""
        started = time.perf_counter()
        await self._request(Ping(), self._pings)
        return time.perf_counter() - started

    async def notifications(self) -> AsyncGenerator[Notification, None]:
        """Yield every notification that arrives from now on, until the connection is over; raises what ended it."""
        inbox: Inbox[Notification] = Inbox()
        self._notified.add(inbox)
        try:
            while self._over is None:
                yield await inbox.get()
        finally:
            self._notified.discard(inbox)

    async def close(self) -> None:
        """Leave. Turns that run go on at the gateway."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    # --- sending ------------------------------------------------------------------------------------------------------

    async def _connected(self) -> Wire:
        """The connection, once there is one again. Raises what ended it for good."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._wire is not None or self._over is not None)
        if self._wire is None:
            raise self._over or ConnectionLost()
        return self._wire

    async def _request(self, message: ClientMessage, waiting: deque[asyncio.Future[_Answer]]) -> _Answer:
        wire = await self._connected()
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        waiting.append(answer)
        try:
            await wire.send(message)
        except ConnectionLost:
            waiting.remove(answer)
            raise
        return await answer

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def _run(self, wire: Wire) -> None:
        """Read until the connection is lost, come back, and so on; ends when there is no way back."""
        pauses = _pauses()
        try:
            while True:
                opened = time.monotonic()
                self._on_state("connected")
                try:
                    await self._read(wire)
                finally:
                    await self._lose(wire)
                if self._open_wire is None:
                    raise ConnectionLost
                if time.monotonic() - opened > _STEADY_S:
                    pauses = _pauses()
                self._on_state("reconnecting")
                wire = await self._come_back(self._open_wire, pauses)
        except ClientError as error:
            self._over = error
        except asyncio.CancelledError:
            self._over = ConnectionLost()
            raise
        finally:
            self._over = self._over or ConnectionLost()
            for inbox in self._notified:
                inbox.fail(self._over)
            with contextlib.suppress(asyncio.CancelledError):
                async with self._changed:
                    self._changed.notify_all()
            self._on_state("closed")

    async def _read(self, wire: Wire) -> None:
        while True:
            try:
                event = await wire.receive()
            except ConnectionLost:
                return
            if event is not None:
                self._dispatch(event)

    def _dispatch(self, event: ServerEvent) -> None:
        match event:
            case Result():
                self._end_turn(event)
            case Failed(code, message):
                self._end_turn(TurnFailed(code, message))
            case TextDelta() | ThinkingDelta() | ToolActivity() | SystemStatus():
                if self._turns:
                    self._turns[0].inbox.put(event)
            case ErrorReply():
                self._refused(event)
            case AbortOk(killed):
                _settle(self._aborts, killed)
            case Pong():
                _settle(self._pings, None)
            case Notification():
                for inbox in self._notified:
                    inbox.put(event)

    def _end_turn(self, end: Result | TurnFailed) -> None:
        if not self._turns:
            return
        turn = self._turns.popleft()
        if isinstance(end, Result):
            turn.inbox.put(end)
        else:
            turn.inbox.fail(end)

    def _refused(self, error: ErrorReply) -> None:
        refused = next((turn for turn in self._turns if turn.message_id == error.id), None)
        if refused is not None:
            self._forget(refused)
            refused.inbox.fail(MessageRefused(error.code, error.message))
        elif error.code == "no_handler" and self._aborts:
            self._aborts.popleft().set_exception(MessageRefused(error.code, error.message))
        else:
            _log.warning("the gateway refused something: %s (%s)", error.message, error.code)

    def _forget(self, turn: _PendingTurn) -> None:
        with contextlib.suppress(ValueError):
            self._turns.remove(turn)

    # --- losing the connection and coming back ------------------------------------------------------------------------

    async def _lose(self, wire: Wire) -> None:
        self._wire = None
        while self._turns:
            self._turns.popleft().inbox.fail(ConnectionLost())
        for waiting in (self._aborts, self._pings):
            while waiting:
                answer = waiting.popleft()
                if not answer.done():
                    answer.set_exception(ConnectionLost())
        await wire.close()

    async def _come_back(self, open_wire: Callable[[], Awaitable[Wire]], pauses: Iterator[float]) -> Wire:
        while True:
            await asyncio.sleep(next(pauses))
            try:
                wire = await open_wire()
            except CannotConnect as error:
                _log.info("%s", error)
                continue
            async with self._changed:
                self._wire, self.hello = wire, wire.hello
                self._changed.notify_all()
            return wire


class _PendingTurn:
    """A message that was sent and has no end yet."""

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        self.inbox: Inbox[AnswerEvent] = Inbox()


def _settle(waiting: deque[asyncio.Future[_Answer]], answer: _Answer) -> None:
    """Give the oldest request that waits its answer; one whose caller went away takes its answer with it."""
    if waiting:
        future = waiting.popleft()
        if not future.done():
            future.set_result(answer)


def _pauses() -> Iterator[float]:
    """Pauses between attempts in seconds: growing, and scattered so that many clients do not come back at once."""
    longest = _FIRST_PAUSE_S
    while True:
        yield random.uniform(longest / 2, longest)  # noqa: S311 - scattering, not secrecy
        longest = min(longest * 2, _LONGEST_PAUSE_S)
