"""One client on one socket: from the first frame to the last, by plain calls on the event loop.

Reading never waits for a turn: a frame is acted on when it arrives, and what turns say goes straight to the outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from sygen_bot.api.context import ApiContext
from sygen_bot.api.crypto import E2ESession, NonceLimitReached
from sygen_bot.api.handshake import Admission, admit
from sygen_bot.api.outbox import LARGE_BYTES, Outbox
from sygen_bot.api.protocol import (
    CLOSE_INTERNAL,
    CLOSE_POLICY,
    CLOSE_RESTART,
    MAX_FAILURES_IN_A_ROW,
    Abort,
    ClientMessage,
    HandshakeError,
    Ping,
    RefusedMessage,
    UserText,
    decode_client_message,
    encode_abort_ok,
    encode_auth_ok,
    encode_error,
    encode_event,
    encode_handshake_error,
    encode_pong,
    parse_auth,
)
from sygen_bot.api.socket import Socket
from sygen_bot.errors import DecryptFailed, InvalidMessage, NoHandler, RequestError, SygenError
from sygen_bot.events import Failed, Result, TextDelta
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent

_EARLY_FRAMES: Final = 16
_log = structlog.get_logger(__name__)


class Connection:
    """A client's connection. `on_authenticated` and `on_gone` tell the server, each at most once."""

    def __init__(
        self,
        socket: Socket,
        context: ApiContext,
        *,
        on_authenticated: Callable[[Connection], None],
        on_gone: Callable[[Connection], None],
    ) -> None:
        self._socket = socket
        self._context = context
        self._on_authenticated = on_authenticated
        self._on_gone = on_gone
        self._admission: asyncio.Task[None] | None = None
        self._early: list[tuple[bytes, bool]] = []
        self._key: SessionKey | None = None
        self._encryption: E2ESession
        self._outbox: Outbox | None = None
        self._turns: set[str] = set()
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
            active = await self._context.active(admission.key)
        except SygenError as error:
            _log.error("session_not_loaded", session=str(admission.key), error=str(error))
            active = (None, None)
        except Exception:  # noqa: BLE001 - the admission's task ends here
            _log.exception("admission_crashed", session=str(admission.key))
            self._socket.close(CLOSE_INTERNAL, "the gateway failed")
            return
        self._socket.send(encode_auth_ok(admission.answer(self._context, active)))
        self._socket.authenticated()
        self._key, self._encryption = admission.key, admission.encryption
        self._outbox = Outbox(self._socket, admission.encryption, send_timeout_s=self._context.limits.send_timeout_s)
        self._on_authenticated(self)
        for data, is_text in self._early:
            self._encrypted_frame(data, is_text)
        self._early.clear()
        self._socket.resume_reading()

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
        try:
            match message:
                case UserText(text):
                    self._submit(text)
                case Abort(channel_only):
                    self.notify(encode_abort_ok(self._abort(channel_only)))
                case Ping():
                    self.notify(encode_pong())
        except RequestError as error:
            self._say_error(error, message.id if isinstance(message, UserText) else None)

    def _submit(self, text: str) -> None:
        handler = self._context.message_handler
        if handler is None or self._key is None:
            raise NoHandler
        turn_id = handler.submit(self._key, text)
        self._turns.add(turn_id)
        if self._unfollow is None:
            self._unfollow = handler.follow(self._key, self._session_event)

    def _abort(self, channel_only: bool) -> int:
        if self._context.abort_handler is None or self._key is None:
            raise NoHandler
        return self._context.abort_handler(self._key, channel_only=channel_only)

    def _session_event(self, logged: LoggedEvent) -> None:
        """Send an event of a turn that this client began."""
        outbox = self._outbox
        if logged.turn_id not in self._turns or outbox is None:
            return
        event = logged.event
        if isinstance(event, Result | Failed):
            self._turns.discard(logged.turn_id)
        if isinstance(event, Result) and len(event.text) > LARGE_BYTES // 2:
            outbox.put_large(len(event.text), lambda: encode_event(event) or b"")
            return
        if logged.wire is None:
            logged.wire = encode_event(event) or b""
        if isinstance(event, TextDelta) and len(logged.wire) <= LARGE_BYTES:
            outbox.put_delta(logged.turn_id, event.data, logged.wire)
        elif logged.wire:
            outbox.put(logged.wire)

    def _failed(self, error: RequestError) -> None:
        """A frame that is no message. Too many in a row end the connection."""
        self._failures += 1
        self._say_error(error, None)
        if self._failures >= MAX_FAILURES_IN_A_ROW:
            self._socket.close(CLOSE_POLICY, "too many frames that cannot be read")

    def _say_error(self, error: RequestError, message_id: str | None) -> None:
        self.notify(encode_error(error.code, str(error), message_id))
