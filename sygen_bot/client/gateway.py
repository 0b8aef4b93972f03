"""A gateway as a program sees it: ask, follow, stop; the connection comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeVar
from urllib.parse import urlencode

import msgspec

from sygen_bot.api.protocol import (
    Abort,
    AbortOk,
    Accepted,
    AuthOk,
    AuthRequest,
    ClientMessage,
    ErrorReply,
    Notification,
    NotificationsRead,
    Ping,
    Pong,
    Received,
    Request,
    Response,
    UserText,
    encode_client_message,
)
from sygen_bot.client.approvals import Approvals
from sygen_bot.client.errors import CannotConnect, ClientError, ConnectionLost, MessageRefused
from sygen_bot.client.files import Files, Progress
from sygen_bot.client.inbox import Inbox
from sygen_bot.client.pauses import FIRST_PAUSE_S, pauses
from sygen_bot.client.question import AnswerEvent, Question
from sygen_bot.client.shapes import Agent, FileLink, Transcript, UploadedFile, refusal, shaped
from sygen_bot.client.wire import Address, Wire, open_wire
from sygen_bot.events import ApprovalRequest, ApprovalResolved, Result, SessionDeleted, UserMessage

ConnectionState = Literal["connected", "reconnecting", "closed"]

_TOO_LONG: Final = "The message is too long for the gateway (`api.max_frame_bytes` there). The agent has not seen it."
_TRIES: Final = 3
_LONGEST_PAUSE_WHEN_LET_IN_S: Final = 1.0
"""After a connection that came about but brought nothing: the gateway is there, and only the line is bad."""

_Answer = TypeVar("_Answer")
_Heard = TypeVar("_Heard")
_log = logging.getLogger(__name__)


@asynccontextmanager
async def connect(
    url: str,
    token: str | Callable[[], str] | None = None,
    chat_id: int | None = None,
    channel_id: int | None = None,
    *,
    server_key: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    reconnect: bool = True,
    give_up_after_s: float | None = None,
    on_state: Callable[[ConnectionState], None] | None = None,
    approvals: bool = False,
    device: str | None = None,
) -> AsyncIterator[Gateway]:
    """Connect to the gateway at `url` (http(s) or ws(s), or a link with `#token=...&server=...`) for as long as the block runs.

    `token` may be a function that tells it: it is asked before every connection.
    `chat_id` and `channel_id` name the conversation, integers from 1 to 2^53-1; the gateway's default chat without them.
    `server_key`, the gateway's identity key in base64, seals the token on its way and proves the gateway.
    With `reconnect` a lost connection comes back by itself, for ever or until it was away for `give_up_after_s`; `on_state` is
    told when it goes and comes.
    With `approvals` somebody here says what agents may do: see `Gateway.approvals`. `device`: what others see of who answered.
    Raises CannotConnect or HandshakeRefused if the first connection does not come about.
    """
    asked = AuthRequest(
        chat_id=chat_id,
        channel_id=channel_id,
        sync=True,
        full_tools=True,
        rpc=True,
        approvals=approvals,
        device=device,
    )

    def address() -> Address:
        return Address.parse(url, token() if callable(token) else token, server_key)

    async def open_one(cursor: str | None) -> Wire:
        return await open_wire(address(), msgspec.structs.replace(asked, cursor=cursor), ssl_context=ssl_context)

    gateway = Gateway(
        await open_one(None),
        open_wire=open_one if reconnect else None,
        files=Files(address=address, ssl_context=ssl_context, give_up_after_s=give_up_after_s),
        give_up_after_s=give_up_after_s,
        on_state=on_state or (lambda _state: None),
    )
    try:
        if gateway.hello.pending_approvals:
            with contextlib.suppress(ConnectionLost):
                await gateway.ping()  # answered after all that waits was told
        yield gateway
    finally:
        await gateway.close()


class Gateway:
    """A conversation on a gateway; made by `connect`.

    A lost connection is taken up where it broke off: what was missed comes first, each event once.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        open_wire: Callable[[str | None], Awaitable[Wire]] | None,
        files: Files,
        give_up_after_s: float | None,
        on_state: Callable[[ConnectionState], None],
    ) -> None:
        self._wire: Wire | None = wire
        self._give_up_after_s = give_up_after_s
        self._open_wire = open_wire
        self._files = files
        self._on_state = on_state
        self._changed = asyncio.Condition()
        self._over: ClientError | None = None
        self._cursor = wire.hello.cursor
        self._questions: dict[str, Question] = {}  # by message id
        self._aborts: deque[asyncio.Future[int]] = deque()
        self._pings: deque[asyncio.Future[None]] = deque()
        self._requests: dict[str, asyncio.Future[Response]] = {}
        self._requests_sent: dict[str, Request] = {}
        self._notified: set[Inbox[Notification]] = set()
        self._read_elsewhere: set[Inbox[NotificationsRead]] = set()
        self._followers: set[Inbox[Received]] = set()
        self.approvals = Approvals(connected=self._connected, request=self.request)
        self.hello: AuthOk = wire.hello
        """The gateway's answer to the newest handshake: who can answer, who does, which chat this is."""
        self._running = asyncio.create_task(self._run(wire), name="gateway connection")

    # --- what a program does ------------------------------------------------------------------------------------------

    async def ask(self, text: str, *, message_id: str | None = None) -> AsyncGenerator[AnswerEvent, None]:
        """Send a message and yield what the agent says to it, a `Result` last. A lost connection does not interrupt it.

        Leaving the loop early does not stop the agent; `abort` does. `message_id`: a name for the message, up to 64 characters;
        asking again under the same name does not run it again, but gives its answer.
        Raises MessageRefused or TurnFailed; ConnectionLost or HandshakeRefused if the connection does not come back.
        """
        if text.strip().lower() == "/stop":
            raise MessageRefused("invalid", "Stopping is no question: it has no answer. Use abort().")
        question = Question(UserText(text, message_id or uuid.uuid4().hex))
        wire = await self._connected()
        if question.message_id in self._questions:
            raise MessageRefused("conflict", "The answer to this message is being waited for already.")
        self._questions[question.message_id] = question
        with contextlib.suppress(ConnectionLost):  # then it is sent when the connection is back
            await wire.send(question.message)
        while True:
            event = await question.inbox.get()
            yield event
            if isinstance(event, Result):
                return

    def turn_of(self, message_id: str) -> str | None:
        """The turn that answers a message that is being asked here, once the gateway has taken it."""
        question = self._questions.get(message_id)
        return None if question is None else question.turn_id

    async def follow(self) -> AsyncGenerator[Received, None]:
        """Yield everything that happens in this session from now on, whoever asked: messages, answers, tools, ends."""
        async for received in self._listen(self._followers):
            yield received

    async def notifications(self) -> AsyncGenerator[Notification, None]:
        """Yield every notification that arrives from now on, until the connection is over; raises what ended it."""
        async for notification in self._listen(self._notified):
            yield notification

    async def notification_reads(self) -> AsyncGenerator[NotificationsRead, None]:
        """Yield which notifications are read from now on, on whichever device; ends as `notifications` does."""
        async for read in self._listen(self._read_elsewhere):
            yield read

    async def abort(self, *, channel_only: bool = False) -> int:
        """Stop what runs and waits in this chat, in all its channels or only in this one. Returns the number of turns stopped."""
        return await self._send_and_wait(Abort(channel_only=channel_only), self._aborts)

    async def ping(self) -> float:
        """The time of a round trip, in seconds."""
        started = time.perf_counter()
        await self._send_and_wait(Ping(), self._pings)
        return time.perf_counter() - started

    async def request(self, method: str, path: str, body: object = None) -> Any:
        """Ask the gateway's JSON API over this connection, encrypted. Returns the decoded body.

        Raises RequestFailed if the answer is an error, MessageRefused if it is too long, ConnectionLost if no answer came: what
        was asked for may be done then.
        """
        request = Request(uuid.uuid4().hex, method, path, body)
        wire = await self._connected()
        answered = self._requests[request.id] = asyncio.get_running_loop().create_future()
        self._requests_sent[request.id] = request
        try:
            with contextlib.suppress(ConnectionLost):  # then that is the answer, or why it is so
                await wire.send(request)
            response = await answered
        finally:
            self._requests.pop(request.id, None)
            self._requests_sent.pop(request.id, None)
        if response.status >= 400:
            raise refusal(response.status, response.body)
        return response.body

    async def history(self, *, limit: int = 50, before: str | None = None) -> dict[str, Any]:
        """The last messages of this session, or those before the message `before`: `messages`, `has_more`, `total`, `cursor`."""
        paging = {"limit": str(limit)} | ({} if before is None else {"before": before})
        page: dict[str, Any] = await self.request(
            "GET", f"/api/chat/sessions/{self.hello.session_id}/messages?{urlencode(paging)}"
        )
        return page

    # --- files and voices ---------------------------------------------------------------------------------------------

    async def upload(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        name: str | None = None,
        caption: str | None = None,
        on_progress: Progress | None = None,
        allow_plain: bool = False,
    ) -> UploadedFile:
        """Give the gateway a file, from a path or an open stream. The `prompt` of what is returned, asked, shows it to the agent.

        It travels by HTTP, not through the encrypted connection: see `allow_plain` below. `on_progress` is told the bytes that have
        gone and all there are (None if only the end tells). A broken connection is tried once more, if the stream can be read again.
        `allow_plain`: the way is private without TLS. Without it a plain http:// to another machine raises NotPrivate, where
        the gateway's identity key is known.
        Raises RequestFailed for a refusal, TransferFailed if the connection does not hold, OSError for what the disk says.
        """
        return await self._files.upload(
            source,
            name=name,
            caption=caption,
            on_progress=on_progress,
            allow_plain=allow_plain,
            until_there=self._connected,
        )

    async def download(
        self,
        path: str,
        to: str | os.PathLike[str],
        *,
        on_progress: Progress | None = None,
        overwrite: bool = False,
        allow_plain: bool = False,
    ) -> Path:
        """Fetch the gateway's file `path` to the file or into the folder `to`. Returns where it is.

        It grows as `TO.part` and gets its name when it is whole. After a broken connection it goes on where it was, in a later call,
        too; a file that has changed meanwhile begins anew. The token is not sent: a link is, that opens this file alone.
        Raises as `upload` does, and FileExistsError unless it may `overwrite`.
        """
        return await self._files.download(
            path,
            to,
            on_progress=on_progress,
            overwrite=overwrite,
            allow_plain=allow_plain,
            link=lambda: self._url_of(path),
        )

    async def download_into(
        self, path: str, stream: BinaryIO, *, on_progress: Progress | None = None, allow_plain: bool = False
    ) -> None:
        """Write the gateway's file `path` to a stream as it comes. Raises as `download` does; a file that changes meanwhile, too."""
        await self._files.copy(
            stream, on_progress=on_progress, allow_plain=allow_plain, link=lambda: self._url_of(path)
        )

    async def link(self, path: str) -> FileLink:
        """A URL for one of the gateway's files that needs no token, for some minutes."""
        found = shaped(await self._request_again("POST", "/api/files/link", {"path": path}), FileLink)
        return FileLink(self._files.absolute(found.url), found.expires_at)

    async def transcribe(self, path: str) -> Transcript:
        """What is said in a recording that the gateway has at `path`."""
        return shaped(await self._request_again("POST", "/api/transcribe", {"file_path": path}), Transcript)

    async def ask_voice(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        name: str | None = None,
        message_id: str | None = None,
        on_progress: Progress | None = None,
        allow_plain: bool = False,
    ) -> AsyncGenerator[Transcript | AnswerEvent, None]:
        """Ask what is said in a recording: yields what was understood, then what `ask` yields.

        Raises as `upload` and `ask` do; MessageRefused with the code `empty` if nothing is said.
        """
        uploaded = await self.upload(source, name=name, on_progress=on_progress, allow_plain=allow_plain)
        heard = await self.transcribe(uploaded.path)
        yield heard
        if not heard.text.strip():
            raise MessageRefused("empty", "Nothing is said in the recording.")
        async with contextlib.aclosing(self.ask(heard.text, message_id=message_id)) as events:
            async for event in events:
                yield event

    async def agents(self) -> list[Agent]:
        """Who lives at this gateway."""
        return shaped(await self._request_again("GET", "/api/agents"), list[Agent])

    async def _url_of(self, path: str) -> str:
        return (await self.link(path)).url

    async def _request_again(self, method: str, path: str, body: object = None) -> Any:
        """`request` for what does no harm when it is done twice: asked again after a lost connection."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(ConnectionLost):
                return await self.request(method, path, body)
        return await self.request(method, path, body)

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

    async def _send_and_wait(self, message: ClientMessage, waiting: deque[asyncio.Future[_Answer]]) -> _Answer:
        wire = await self._connected()
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        waiting.append(answer)
        try:
            await wire.send(message)
        except ConnectionLost:
            waiting.remove(answer)
            raise
        return await answer

    async def _listen(self, listeners: set[Inbox[_Heard]]) -> AsyncGenerator[_Heard, None]:
        inbox: Inbox[_Heard] = Inbox()
        if self._over is not None:
            raise self._over
        listeners.add(inbox)
        try:
            while True:
                yield await inbox.get()
        finally:
            listeners.discard(inbox)

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def _run(self, wire: Wire) -> None:
        """Read until the connection is lost, come back, and so on; ends when there is no way back."""
        waits = pauses()
        try:
            while True:
                self._on_state("connected")
                try:
                    was_useful = await self._read(wire)
                finally:
                    await self._lose(wire)
                if self._open_wire is None:
                    raise ConnectionLost
                waits = pauses(FIRST_PAUSE_S if was_useful else min(next(waits), _LONGEST_PAUSE_WHEN_LET_IN_S))
                self._on_state("reconnecting")
                try:
                    async with asyncio.timeout(self._give_up_after_s):
                        wire = await self._come_back(self._open_wire, waits)
                except TimeoutError:
                    raise ConnectionLost from None
        except ClientError as error:
            self._over = error
        finally:
            await self._finish(self._over or ConnectionLost())

    async def _finish(self, error: ClientError) -> None:
        self._over = error
        for question in self._questions.values():
            question.inbox.fail(error)
        for notified in self._notified:
            notified.fail(error)
        for reader in self._read_elsewhere:
            reader.fail(error)
        for follower in self._followers:
            follower.fail(error)
        self.approvals.end(error)
        self._on_state("closed")
        async with self._changed:
            self._changed.notify_all()

    async def _read(self, wire: Wire) -> bool:
        """Take what arrives until the connection is lost. Returns whether anything did."""
        was_useful = False
        while True:
            try:
                received = await wire.receive()
            except ConnectionLost as error:
                self._refuse_longest(error)
                return was_useful
            was_useful = True
            if received is not None:
                self._dispatch(received)

    def _dispatch(self, received: Received) -> None:
        event = received.event
        match event:
            case Accepted(message_id, turn_id, _, duplicate):
                if (question := self._questions.get(message_id)) is not None:
                    # Not for the first time: what the agent said before we listen comes with the end.
                    question.has_gap = question.has_gap or (duplicate and question.turn_id is None)
                    question.turn_id = turn_id
            case ErrorReply():
                self._refused(event)
            case AbortOk(killed):
                _settle(self._aborts, killed)
            case Pong():
                _settle(self._pings, None)
            case Response(request_id):
                if (answered := self._requests.get(request_id)) is not None and not answered.done():
                    answered.set_result(event)
            case Notification():
                for listener in self._notified:
                    listener.put(event)
            case NotificationsRead():
                for reader in self._read_elsewhere:
                    reader.put(event)
            case ApprovalRequest() | ApprovalResolved():
                self._session_event(received)
                self.approvals.take(event)
            case SessionDeleted():
                self._give_up(MessageRefused("not_found", "This session was deleted."))
            case _:
                self._session_event(received)

    def _session_event(self, received: Received) -> None:
        if received.cursor:
            self._cursor = received.cursor
            for follower in self._followers:
                follower.put(received)
        if (
            isinstance(received.event, UserMessage)
            and (asked := self._questions.get(received.event.id or "")) is not None
        ):
            asked.turn_id = received.turn_id  # the receipt may have been lost; the whole answer follows from here
        question = next((one for one in self._questions.values() if one.turn_id == received.turn_id), None)
        if question is not None and question.take(received.event):
            del self._questions[question.message_id]

    def _refused(self, error: ErrorReply) -> None:
        refusal = MessageRefused(error.code, error.message)
        if (question := self._questions.pop(error.id or "", None)) is not None:
            question.inbox.fail(refusal)
        elif (answered := self._requests.get(error.id or "")) is not None and not answered.done():
            answered.set_exception(refusal)
        elif self.approvals.refuse(error):
            pass
        elif error.code == "no_handler" and self._aborts:
            self._aborts.popleft().set_exception(refusal)
        else:
            _log.warning("the gateway refused something: %s (%s)", error.message, error.code)

    def _refuse_longest(self, error: ClientError) -> None:
        """If a frame was too large for the gateway, it was the largest that has no answer yet. It is not sent again."""
        if not isinstance(error, ConnectionLost) or not error.was_too_large:
            return
        open_questions = [question for question in self._questions.values() if question.turn_id is None]
        sent = {question.message_id: question.message for question in open_questions} | self._requests_sent
        if sent:
            longest = max(sent, key=lambda name: len(encode_client_message(sent[name])))
            self._refused(ErrorReply("too_large", _TOO_LONG, longest))

    # --- losing the connection and coming back ------------------------------------------------------------------------

    async def _lose(self, wire: Wire) -> None:
        """What was asked goes on when the connection is back; what waits for a quick answer does not."""
        self._wire = None
        for waiting in (self._aborts, self._pings, self._requests.values()):
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(ConnectionLost())
        self._aborts.clear()
        self._pings.clear()
        self.approvals.lose()
        await wire.close()

    async def _come_back(self, open_wire: Callable[[str | None], Awaitable[Wire]], waits: Iterator[float]) -> Wire:
        while True:
            await asyncio.sleep(next(waits))
            try:
                wire = await open_wire(self._cursor)
                await self._take_up(wire)
            except (CannotConnect, ConnectionLost) as error:
                self._refuse_longest(error)
                _log.info("%s", error)
                continue
            self.approvals.come_back()
            async with self._changed:
                self._wire = wire
                self._changed.notify_all()
            return wire

    async def _take_up(self, wire: Wire) -> None:
        """Go on where the connection broke off. A message whose receipt did not come is sent again under its name."""
        if wire.hello.session_id != self.hello.session_id:
            self._give_up(MessageRefused("not_found", "This session was deleted."))
        self.hello = wire.hello
        is_gap = wire.hello.resume != "ok"
        if is_gap:
            self._cursor = wire.hello.cursor
        for question in list(self._questions.values()):
            question.has_gap = question.has_gap or is_gap
            if question.has_gap or question.turn_id is None:  # its end may lie before the place we go on from
                await wire.send(question.message)

    def _give_up(self, error: ClientError) -> None:
        for question in self._questions.values():
            question.inbox.fail(error)
        self._questions.clear()


def _settle(waiting: deque[asyncio.Future[_Answer]], answer: _Answer) -> None:
    """Give the oldest request that waits its answer; one whose caller went away takes its answer with it."""
    if waiting:
        future = waiting.popleft()
        if not future.done():
            future.set_result(answer)
