"""One client on one socket: from the first frame to the last, by plain calls on the event loop.

Reading never waits for a turn: a frame is acted on when it arrives, and what turns say goes straight to the outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final, Literal

import msgspec
import structlog

from sygen_bot.api.context import ApiContext, Conversation
from sygen_bot.api.crypto import E2ESession, NonceLimitReached
from sygen_bot.api.handshake import Admission, admit
from sygen_bot.api.outbox import LARGE_BYTES, Outbox
from sygen_bot.api.protocol import (
    CLOSE_INTERNAL,
    CLOSE_NORMAL,
    CLOSE_POLICY,
    CLOSE_RESTART,
    CLOSE_TRY_LATER,
    MAX_FAILURES_IN_A_ROW,
    PLAIN,
    Abort,
    Accepted,
    ApprovalAnswer,
    ClientMessage,
    Form,
    HandshakeError,
    Ping,
    RefusedMessage,
    Request,
    UserText,
    decode_client_message,
    encode_abort_ok,
    encode_accepted,
    encode_approval,
    encode_auth_ok,
    encode_error,
    encode_event,
    encode_handshake_error,
    encode_pong,
    parse_auth,
)
from sygen_bot.api.requests import Answerer, Requests
from sygen_bot.api.socket import Socket
from sygen_bot.errors import DecryptFailed, InvalidMessage, NoHandler, RequestError, StorageError, UnknownType
from sygen_bot.events import ApprovalRequest, Failed, Result, SessionDeleted, TextDelta, ThinkingDelta
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import Cursor, CursorGap, LoggedEvent
from sygen_bot.session.receipt import Acceptance, Receipt
from sygen_bot.session.trace import ApprovalAsked

_EARLY_FRAMES: Final = 16
_NO_PLACE: Final = 0
"""Of an end that is told again: a client that took it for the newest place would resume from there, and hear the rest twice."""
_log = structlog.get_logger(__name__)


class Connection:
    """A client's connection. `answer_request` answers what it asks of the JSON API. `on_authenticated` and `on_gone` tell the server, each at most once."""

    def __init__(
        self,
        socket: Socket,
        context: ApiContext,
        *,
        answer_request: Answerer,
        on_authenticated: Callable[[Connection], None],
        on_gone: Callable[[Connection], None],
    ) -> None:
        self._socket = socket
        self._context = context
        self._answer_request = answer_request
        self._on_authenticated = on_authenticated
        self._on_gone = on_gone
        self._admission: asyncio.Task[None] | None = None
        self._early: list[tuple[bytes, bool]] = []
        self._key: SessionKey | None = None
        self._encryption: E2ESession
        self._outbox: Outbox | None = None
        self._conversation: Conversation | None = None
        self._epoch = ""
        self._form = PLAIN
        self._follows: Form | None = None  # the form of events of turns that others began
        self._device: str | None = None
        self._turns: dict[str, Form] = {}  # those that this client began, with the form of their events
        self._requests: Requests | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._unfollow: Callable[[], None] | None = None
        self._failures = 0
        self._auth_timer = asyncio.get_running_loop().call_later(context.limits.auth_timeout_s, self._auth_timed_out)

    @property
    def peer_address(self) -> str:
        return self._socket.peer_address

    def notify(self, payload: bytes) -> None:
        """Send an encoded event that belongs to no turn, once the client is authenticated."""
        if self._outbox is not None:
            self._outbox.put(payload)

    @property
    def is_syncing(self) -> bool:
        """Whether the client asked to be kept up to date."""
        return self._form.sync

    def wants_approvals_of(self, session_id: str) -> bool:
        """Whether the client asked for approvals, and does not hear of those of that session as part of it."""
        follows = self._form.sync and self._conversation is not None and self._conversation.id == session_id
        return self._form.approvals and not follows

    def close(self, code: int, reason: str) -> None:
        self._socket.close(code, reason)

    async def drained(self) -> None:
        """Return when all that was to be sent is with the socket."""
        if self._outbox is not None:
            await self._outbox.drained()

    # --- SocketHandler ------------------------------------------------------------------------------------------------

    def on_frame(self, data: bytes, is_text: bool) -> None:
        if self._key is not None:
            self._encrypted_frame(data, is_text)
        elif self._admission is None:
            self._first_frame(data, is_text)
        elif len(self._early) < _EARLY_FRAMES:
            self._early.append((data, is_text))

    def on_frame_too_large(self) -> None:
        self._refuse(HandshakeError("auth_required"))

    def on_writable(self) -> None:
        if self._outbox is not None:
            self._outbox.flush()

    def on_closed(self) -> None:
        self._auth_timer.cancel()
        if self._admission is not None:
            self._admission.cancel()
        if self._unfollow is not None:
            self._unfollow()
        if self._requests is not None:
            self._requests.leave()
        if self._outbox is not None:
            self._outbox.clear()
        self._on_gone(self)

    # --- handshake ----------------------------------------------------------------------------------------------------

    def _first_frame(self, data: bytes, is_text: bool) -> None:
        try:
            if not is_text:
                raise HandshakeError("auth_required")
            admission = admit(parse_auth(data), self._context)
        except HandshakeError as error:
            self._refuse(error)
            return
        self._auth_timer.cancel()
        self._socket.pause_reading()
        self._admission = asyncio.create_task(self._welcome(admission))

    async def _welcome(self, admission: Admission) -> None:
        try:
            await self._admit(admission)
        except StorageError as error:
            _log.error("session_not_opened", session=str(admission.key), error=str(error))
            self._socket.close(CLOSE_TRY_LATER, "the gateway cannot use its database")
        except Exception:  # noqa: BLE001 - the admission's task ends here
            _log.exception("admission_crashed", session=str(admission.key))
            self._socket.close(CLOSE_INTERNAL, "the gateway failed")

    async def _admit(self, admission: Admission) -> None:
        handler = self._context.message_handler
        conversation = None if handler is None else await handler.open(admission.key)
        cursor, missed = await self._missed(admission.request.cursor, conversation)
        while handler is not None and conversation is not None and conversation.is_deleted:  # meanwhile
            conversation = await handler.open(admission.key)
            cursor, missed = await self._missed(admission.request.cursor, conversation)
        resume: Literal["ok", "gap"] = "gap" if cursor is None else "ok"
        answer = admission.answer(self._context, conversation, None if admission.request.cursor is None else resume)
        # From here to the end nothing waits: what the log says next goes to the outbox.
        self._socket.send(encode_auth_ok(answer))
        self._socket.authenticated()
        self._key, self._encryption, self._form = admission.key, admission.encryption, admission.form
        self._follows = admission.form if admission.form.sync else None
        self._conversation = conversation
        self._epoch = "" if conversation is None else conversation.log.epoch
        self._outbox = Outbox(
            self._socket,
            admission.encryption,
            send_timeout_s=self._context.limits.send_timeout_s,
            encode=self._wire,
        )
        self._requests = Requests(self._answer_request, self._outbox) if admission.request.rpc else None
        self._device = admission.request.device
        if conversation is not None:
            self._unfollow = conversation.log.subscribe(self._session_event, after=cursor, older=missed)
        if self._form.approvals and self._context.approvals is not None:
            for request in self._context.approvals.pending():
                if not self._was_told(request, after=cursor):
                    self.notify(encode_approval(request))
        self._on_authenticated(self)
        for data, is_text in self._early:
            self._encrypted_frame(data, is_text)
        self._early.clear()
        self._socket.resume_reading()

    async def _missed(
        self, text: str | None, conversation: Conversation | None
    ) -> tuple[Cursor | None, list[LoggedEvent] | None]:
        """The place that the client has reached, and what followed it and is no longer in memory. (None, None): a gap."""
        if text is None or conversation is None:
            return None, None
        log, missed = conversation.log, None
        try:
            cursor = Cursor.parse(text)
            log.check(cursor)
            until = cursor.seq
            while until < log.start:  # the log may let go of more while storage is read
                after, until = until, log.start
                past = self._context.past_events
                part = None if past is None else await past(conversation.id, after=after, until=until)
                if part is None:
                    return None, None
                missed = [*(missed or ()), *part]
        except CursorGap:
            return None, None
        return cursor, missed

    def _auth_timed_out(self) -> None:
        self._refuse(HandshakeError("auth_timeout"))

    def _refuse(self, error: HandshakeError) -> None:
        self._auth_timer.cancel()
        self._socket.send(encode_handshake_error(error))
        self._socket.close(CLOSE_POLICY, error.reason)

    # --- after it -----------------------------------------------------------------------------------------------------

    def _encrypted_frame(self, data: bytes, is_text: bool) -> None:
        try:
            if not is_text:
                raise DecryptFailed
            plaintext = self._encryption.open(data)
        except NonceLimitReached:
            self._socket.close(CLOSE_RESTART, "this connection has carried all the frames it may")
            return
        except DecryptFailed as error:
            self._failed(error)
            return
        try:
            message = decode_client_message(plaintext)
        except InvalidMessage as error:
            self._failed(error)
            return
        except RefusedMessage as refused:
            self._failures = 0
            self._say_error(refused.error, refused.id)
            return
        self._failures = 0
        self._act(message)

    def _act(self, message: ClientMessage) -> None:
        message_id = message.id if isinstance(message, UserText | Request | ApprovalAnswer) else None
        try:
            match message:
                case UserText(text, client_id):
                    self._submit(text, client_id)
                case Abort(channel_only):
                    self._abort(channel_only)
                case Ping():
                    self.notify(encode_pong())
                case Request():
                    if self._requests is None:
                        raise UnknownType("Requests over the socket are asked for in the first frame.")
                    self._requests.start(message)
                case ApprovalAnswer():
                    self._answer_approval(message)
        except RequestError as error:
            self._say_error(error, message_id)

    def _submit(self, text: str, client_id: str | None) -> None:
        if self._conversation is None:
            raise NoHandler
        self._conversation.submit(text, client_id=client_id, on_receipt=partial(self._receipt, client_id))

    def _receipt(self, client_id: str | None, receipt: Receipt) -> None:
        """Tell what became of a message. Its turn is followed from here on: no event of it came before."""
        if not isinstance(receipt, Acceptance):
            code = receipt.code if isinstance(receipt, RequestError) else "internal_error"
            self.notify(encode_error(code, str(receipt), client_id))
            return
        if client_id is not None:
            accepted = Accepted(client_id, receipt.turn_id, receipt.position, receipt.is_duplicate)
            self.notify(encode_accepted(accepted))
        has_id = client_id is not None and not self._form.sync
        self._turns[receipt.turn_id] = msgspec.structs.replace(self._form, turn_ids=True) if has_id else self._form
        if receipt.end is not None:
            self._session_event(LoggedEvent(_NO_PLACE, receipt.turn_id, receipt.end))

    def _abort(self, channel_only: bool) -> None:
        handler, key = self._context.message_handler, self._key
        if handler is None or key is None:
            raise NoHandler

        aborting = handler.abort(
            key, channel_only=channel_only
        )  # the call itself stops them; what comes later is spared

        async def report() -> None:
            self.notify(encode_abort_ok(await aborting))

        self._start(report(), "abort")

    def _was_told(self, request: ApprovalRequest, *, after: Cursor | None) -> bool:
        """Whether the request is among what the client had missed since `after`."""
        conversation = self._conversation
        if after is None or conversation is None or conversation.id != request.session_id:
            return False
        trace = conversation.log.trace(request.turn_id, after=after.seq)
        return any(isinstance(entry, ApprovalAsked) and entry.request.id == request.id for entry in trace)

    def _answer_approval(self, answer: ApprovalAnswer) -> None:
        approvals = self._context.approvals
        if approvals is None or not self._form.approvals:
            raise UnknownType("Approvals are asked for in the first frame.")
        answering = approvals.answer(answer.id, answer.decision, by=self._device or self.peer_address)

        async def report() -> None:
            try:
                await answering
            except RequestError as error:
                self._say_error(error, answer.id)
            except StorageError as error:
                _log.error("approval_not_stored", error=str(error))
                self.notify(
                    encode_error("unavailable", "The gateway cannot store this answer now. Try again.", answer.id)
                )

        self._start(report(), "approval")

    def _start(self, work: Coroutine[object, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _session_event(self, logged: LoggedEvent) -> None:
        """Send an event of the session: all of them to a client that follows it, else those of the turns it began."""
        outbox, event = self._outbox, logged.event
        if outbox is None:
            return
        form = self._turns.get(logged.turn_id, self._follows)
        if isinstance(event, TextDelta):
            if form is not None:
                outbox.put_delta(logged, form)
            return
        if isinstance(event, SessionDeleted):
            self._deleted(event)
            return
        if form is None:
            return
        if isinstance(event, Result | Failed):
            self._turns.pop(logged.turn_id, None)
        if isinstance(event, Result) and len(event.text) > LARGE_BYTES // 2:
            outbox.put_large(len(event.text), lambda: self._wire(logged, form))
        elif wire := self._wire(logged, form):
            outbox.put(wire, soon=isinstance(event, ThinkingDelta))

    def _wire(self, logged: LoggedEvent, form: Form) -> bytes:
        """The event for clients of that form; nothing if they do not get it. Encoded once for all of them."""
        wires = logged.wires
        if wires is None:
            wires = logged.wires = {}
        elif (known := wires.get(form.number)) is not None:
            return known
        has_place = form.sync and logged.seq != _NO_PLACE
        cursor = f"{self._epoch}:{logged.seq}" if has_place and self._epoch else ""
        wire = wires[form.number] = encode_event(logged.event, form, logged.turn_id, cursor) or b""
        return wire

    def _deleted(self, event: SessionDeleted) -> None:
        if wire := encode_event(event, self._form):
            self.notify(wire)

        async def close() -> None:
            await self.drained()
            self._socket.close(CLOSE_NORMAL, "this session was deleted")

        self._start(close(), "deleted")

    def _failed(self, error: RequestError) -> None:
        """A frame that is no message. Too many in a row end the connection."""
        self._failures += 1
        self._say_error(error, None)
        if self._failures >= MAX_FAILURES_IN_A_ROW:
            self._socket.close(CLOSE_POLICY, "too many frames that cannot be read")

    def _say_error(self, error: RequestError, message_id: str | None) -> None:
        self.notify(encode_error(error.code, str(error), message_id))
