"""The WebSocket protocol, pure: JSON texts in, typed messages and events out, and back. docs/protocol.md describes it.

Used by the server and by the client alike; does no I/O and knows nothing of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import msgspec

from sygen_bot.errors import EmptyMessage, InvalidMessage, RequestError, SygenError, UnknownType
from sygen_bot.events import (
    AbortReason,
    Failed,
    FileRef,
    Result,
    SessionEvent,
    SystemStatus,
    TextDelta,
    ToolActivity,
)
from sygen_bot.session.key import is_valid_id

MAX_FIRST_FRAME_BYTES: Final = 64 * 1024
MAX_SERVER_FRAME_BYTES: Final = 16 * 1024 * 1024
"""What a client must be ready to take in one frame."""
MAX_MESSAGE_ID_CHARS: Final = 64
MAX_NESTING: Final = 64
MAX_MERGED_DELTA_CHARS: Final = 16 * 1024
MAX_FAILURES_IN_A_ROW: Final = 16

CLOSE_NORMAL: Final = 1000
CLOSE_GOING_AWAY: Final = 1001
CLOSE_POLICY: Final = 1008
CLOSE_INTERNAL: Final = 1011
CLOSE_RESTART: Final = 1012
CLOSE_TRY_LATER: Final = 1013

# Codes of errors that end a turn. Every other code refuses one message. A client takes an unknown code for `internal_error`.
TURN_ENDING_CODES: Final = frozenset({"internal_error", "provider_unavailable"})

HandshakeCode = Literal["auth_timeout", "auth_required", "auth_failed"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(float_hook=float).decode  # a number beyond floats becomes infinite, not an error


class HandshakeError(SygenError):
    """The first frame does not let the client in. `reason` is the code the client is told."""

    code = "auth_failed"
    _sentences: Final = {
        "auth_timeout": "No auth frame arrived in time.",
        "auth_required": "The first frame has to be an auth frame: a JSON object of type auth, in text, of at most 64 KiB.",
        "auth_failed": "The token or the key is not valid.",
    }

    def __init__(self, reason: HandshakeCode) -> None:
        super().__init__(reason)
        self.reason: HandshakeCode = reason

    def __str__(self) -> str:
        return self._sentences[self.reason]


# --- first frame ------------------------------------------------------------------------------------------------------


class AuthRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame, decoded but not believed: `e2e_pk`, `token` and `sealed` are whatever the client sent."""

    e2e_pk: object = None
    token: object = None
    sealed: object = None
    chat_id: int | None = None
    channel_id: int | None = None


class ProviderCard(msgspec.Struct, frozen=True):
    """A provider that can run now, as clients see it. `color`: #RRGGBB. `models`: the default first."""

    id: str
    name: str
    color: str
    models: Sequence[str]


class AuthOk(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="auth_ok", omit_defaults=True):
    """The answer to a good first frame, and the last plaintext one. `proof` answers a `sealed` token."""

    chat_id: int
    e2e_pk: str
    providers: Sequence[ProviderCard]
    active_provider: str | None
    active_model: str | None
    channel_id: int | None = None
    proof: str | None = None


def parse_auth(frame: bytes) -> AuthRequest:
    """The auth request in the first frame. Raises HandshakeError(auth_required) for anything that is none."""
    try:
        fields = _parse_object(frame)
    except RequestError as error:
        raise HandshakeError("auth_required") from error
    if len(frame) > MAX_FIRST_FRAME_BYTES or fields.get("type") != "auth":
        raise HandshakeError("auth_required")
    chat_id, channel_id = fields.get("chat_id"), fields.get("channel_id")
    return AuthRequest(
        e2e_pk=fields.get("e2e_pk"),
        token=fields.get("token"),
        sealed=fields.get("sealed"),
        chat_id=chat_id if is_valid_id(chat_id) else None,
        channel_id=channel_id if is_valid_id(channel_id) else None,
    )


def encode_auth(
    *, e2e_pk: str, token: str | None, sealed: str | None, chat_id: int | None, channel_id: int | None
) -> bytes:
    """The first frame of a client: exactly one of `token` and `sealed`."""
    fields: dict[str, object] = {"type": "auth", "e2e_pk": e2e_pk}
    optional = {"token": token, "sealed": sealed, "chat_id": chat_id, "channel_id": channel_id}
    return _encode(fields | {name: value for name, value in optional.items() if value is not None})


def encode_auth_ok(answer: AuthOk) -> bytes:
    return _encode(answer)


def encode_handshake_error(error: HandshakeError) -> bytes:
    return encode_error(error.reason, str(error))


def parse_handshake_answer(frame: bytes) -> AuthOk | HandshakeError:
    """What the server said to the first frame. Raises InvalidMessage for anything else than the two known answers."""
    fields = _parse_object(frame)
    if fields.get("type") == "error":
        code = fields.get("code")
        return HandshakeError(code if code in ("auth_timeout", "auth_required") else "auth_failed")
    try:
        return msgspec.convert(fields, AuthOk)
    except msgspec.ValidationError as error:
        raise InvalidMessage(f"The server's answer to the handshake is not understood: {error}") from error


# --- client to server -------------------------------------------------------------------------------------------------


class UserText(msgspec.Struct, frozen=True):
    """One user turn. `id`: the client's own name for the message, echoed when it is refused."""

    text: str
    id: str | None = None


class Abort(msgspec.Struct, frozen=True):
    """Stop what runs and waits: in all channels of the chat, or in this connection's session only."""

    channel_only: bool = False


class Ping(msgspec.Struct, frozen=True):
    pass


ClientMessage = UserText | Abort | Ping


class RefusedMessage(SygenError):
    """A message that is refused: `error` says why, `id` is the client's name for the message, if it gave a good one."""

    def __init__(self, error: RequestError, message_id: str | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.id = message_id


def decode_client_message(plaintext: bytes) -> ClientMessage:
    """The message in an opened frame. Raises InvalidMessage if it is no usable JSON object, else RefusedMessage."""
    fields = _parse_object(plaintext)
    message_id = fields.get("id")
    if message_id is not None and not (isinstance(message_id, str) and 0 < len(message_id) <= MAX_MESSAGE_ID_CHARS):
        raise RefusedMessage(InvalidMessage(f"`id` is a text of 1 to {MAX_MESSAGE_ID_CHARS} characters."), None)
    try:
        match fields.get("type"):
            case "message":
                return _user_text(fields.get("text"), message_id)
            case "abort":
                return _abort(fields.get("scope"))
            case "ping":
                return Ping()
            case _:
                raise UnknownType
    except RequestError as error:
        raise RefusedMessage(error, message_id) from error


def _user_text(text: object, message_id: str | None) -> UserText | Abort:
    if not isinstance(text, str):
        raise InvalidMessage("`text` has to be a text.")
    stripped = text.strip()
    if not stripped:
        raise EmptyMessage
    if stripped.lower() == "/stop":
        return Abort()
    return UserText(text, message_id)


def _abort(scope: object) -> Abort:
    if scope is None or scope == "chat":
        return Abort()
    if scope == "channel":
        return Abort(channel_only=True)
    raise InvalidMessage("`scope` is `channel`, or absent for the whole chat.")


def encode_client_message(message: ClientMessage) -> bytes:
    match message:
        case UserText(text, None):
            return _encode({"type": "message", "text": text})
        case UserText(text, message_id):
            return _encode({"type": "message", "text": text, "id": message_id})
        case Abort(True):
            return _encode({"type": "abort", "scope": "channel"})
        case Abort():
            return _encode({"type": "abort"})
        case Ping():
            return _encode({"type": "ping"})


# --- server to client -------------------------------------------------------------------------------------------------


class ErrorReply(msgspec.Struct, frozen=True):
    """One message was refused (`id`: its name, if it had one), or, with a code of `TURN_ENDING_CODES`, a turn failed."""

    code: str
    message: str
    id: str | None = None


class AbortOk(msgspec.Struct, frozen=True):
    """An abort was done; `killed` turns were stopped, running and queued ones together."""

    killed: int


class Pong(msgspec.Struct, frozen=True):
    pass


class Notification(msgspec.Struct, frozen=True):
    """A notification was stored. `fields` holds at least id, title, body and read."""

    fields: dict[str, Any]  # open set: what a notification carries grows with its sources


ServerEvent = TextDelta | ToolActivity | SystemStatus | Result | Failed | ErrorReply | AbortOk | Pong | Notification


class _ResultMessage(msgspec.Struct, tag_field="type", tag="result", omit_defaults=True):
    text: str
    stream_fallback: bool
    files: tuple[FileRef, ...] = ()
    aborted: bool = False
    reason: AbortReason | None = None


class _ErrorMessage(msgspec.Struct, tag_field="type", tag="error", omit_defaults=True):
    code: str
    message: str
    id: str | None = None


class _TextDeltaMessage(msgspec.Struct, tag_field="type", tag="text_delta"):
    data: str


class _ToolActivityMessage(msgspec.Struct, tag_field="type", tag="tool_activity"):
    data: str


class _SystemStatusMessage(msgspec.Struct, tag_field="type", tag="system_status"):
    data: str | None


class _AbortOkMessage(msgspec.Struct, tag_field="type", tag="abort_ok"):
    killed: int


class _NotificationMessage(msgspec.Struct, tag_field="type", tag="notification"):
    notification: dict[str, Any]


class _PongMessage(msgspec.Struct, tag_field="type", tag="pong"):
    pass


_ServerMessage = (
    _ResultMessage
    | _ErrorMessage
    | _TextDeltaMessage
    | _ToolActivityMessage
    | _SystemStatusMessage
    | _AbortOkMessage
    | _NotificationMessage
    | _PongMessage
)
_server_messages = msgspec.json.Decoder(_ServerMessage)
_KNOWN_TYPES = frozenset(message.__struct_config__.tag for message in get_args(_ServerMessage))


def encode_event(event: SessionEvent) -> bytes | None:
    """A session event for a client, or None if a client that asked for no extension does not get it."""
    match event:
        case TextDelta(data):
            return _encode(_TextDeltaMessage(data))
        case ToolActivity(name, phase="start"):
            return _encode(_ToolActivityMessage(name))
        case SystemStatus(label):
            return _encode(_SystemStatusMessage(label))
        case Result(text, stream_fallback, files, aborted, reason):
            return _encode(_ResultMessage(text, stream_fallback, files, aborted, reason))
        case Failed(code, message):
            return encode_error(code, message)
        case _:
            return None


def encode_error(code: str, message: str, message_id: str | None = None) -> bytes:
    return _encode(_ErrorMessage(code, message, message_id))


def encode_abort_ok(killed: int) -> bytes:
    return _encode(_AbortOkMessage(killed))


def encode_notification(fields: dict[str, Any]) -> bytes:
    return _encode(_NotificationMessage(fields))


def encode_pong() -> bytes:
    return _encode(_PongMessage())


def decode_server_event(plaintext: bytes) -> ServerEvent | None:
    """The event in an opened frame, or None for a type this version does not know. Raises InvalidMessage if malformed."""
    try:
        message = _server_messages.decode(plaintext)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        kind = _parse_object(plaintext).get("type")
        if isinstance(kind, str) and kind in _KNOWN_TYPES:
            raise InvalidMessage(f"The server sent a malformed event: {error}") from error
        return None  # from a newer server
    match message:
        case _TextDeltaMessage(data):
            return TextDelta(data)
        case _ToolActivityMessage(data):
            return ToolActivity(data)
        case _SystemStatusMessage(data):
            return SystemStatus(data)
        case _ResultMessage(text, stream_fallback, files, aborted, reason):
            return Result(text, stream_fallback, files, aborted, reason)
        case _ErrorMessage(code, text, None) if code in TURN_ENDING_CODES:
            return Failed(code, text)
        case _ErrorMessage(code, text, message_id):
            return ErrorReply(code, text, message_id)
        case _AbortOkMessage(killed):
            return AbortOk(killed)
        case _NotificationMessage(notification):
            return Notification(notification)
        case _:
            return Pong()


def _parse_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`. Raises InvalidMessage: not UTF-8 JSON, a lone surrogate, no object, nested over 64 levels."""
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage("The message is not valid JSON.") from error
    if not isinstance(value, dict):
        raise InvalidMessage("The message is not a JSON object.")
    if raw.count(b"{") + raw.count(b"[") > MAX_NESTING and _depth(value) > MAX_NESTING:
        raise InvalidMessage(f"The message nests over {MAX_NESTING} levels.")
    return value


def _depth(value: object) -> int:
    """How deep lists and objects nest; `{}` is 1. Walks level by level, so that depth costs no stack."""
    depth, level = 0, [value]
    while containers := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    return depth
