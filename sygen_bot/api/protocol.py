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
    ApprovalDecision,
    ApprovalOutcome,
    ApprovalRequest,
    ApprovalResolved,
    Failed,
    FileRef,
    Result,
    SessionDeleted,
    SessionEvent,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
    Usage,
    UserMessage,
)
from sygen_bot.session.key import is_valid_id
from sygen_bot.session.text import one_line

MAX_FIRST_FRAME_BYTES: Final = 64 * 1024
MAX_SERVER_FRAME_BYTES: Final = 16 * 1024 * 1024
"""What a client must be ready to take in one frame."""
MAX_MESSAGE_ID_CHARS: Final = 64
MAX_DEVICE_CHARS: Final = 64
MAX_NESTING: Final = 64
MAX_MERGED_DELTA_BYTES: Final = 16 * 1024
"""Of the text as JSON."""
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
    """The first frame, decoded but not believed: `e2e_pk`, `token` and `sealed` are whatever the client sent.

    `sync`: the client follows its whole session, from `cursor` on if it has one. `full_tools`: it wants tools in detail, and
    thinking. `approvals`: it asks somebody what agents may do. `rpc`: it sends requests. `device`: what it calls itself, at most 64
    characters.
    """

    e2e_pk: object = None
    token: object = None
    sealed: object = None
    chat_id: int | None = None
    channel_id: int | None = None
    sync: bool = False
    cursor: str | None = None
    full_tools: bool = False
    approvals: bool = False
    rpc: bool = False
    device: str | None = None


class ProviderCard(msgspec.Struct, frozen=True):
    """A provider that can run now, as clients see it. `color`: #RRGGBB. `models`: the default first."""

    id: str
    name: str
    color: str
    models: Sequence[str]


class AuthOk(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="auth_ok", omit_defaults=True):
    """The answer to a good first frame, and the last plaintext one. `proof` answers a `sealed` token.

    For a client that follows its session: which one that is, where its log stands, and with `resume` whether what the client
    missed follows (`ok`) or is to be read from the history (`gap`). `pending_approvals`: how many requests wait for an answer and
    are sent again now; others that the client knows wait no more.
    """

    chat_id: int
    e2e_pk: str
    providers: Sequence[ProviderCard]
    active_provider: str | None
    active_model: str | None
    channel_id: int | None = None
    proof: str | None = None
    session_id: str | None = None
    agent: str | None = None
    cursor: str | None = None
    unread_notifications: int | None = None
    pending_approvals: int | None = None
    resume: Literal["ok", "gap"] | None = None


def parse_auth(frame: bytes) -> AuthRequest:
    """The auth request in the first frame. Raises HandshakeError(auth_required) for anything that is none."""
    try:
        fields = _parse_object(frame)
    except RequestError as error:
        raise HandshakeError("auth_required") from error
    if len(frame) > MAX_FIRST_FRAME_BYTES or fields.get("type") != "auth":
        raise HandshakeError("auth_required")
    chat_id, channel_id, cursor = fields.get("chat_id"), fields.get("channel_id"), fields.get("cursor")
    device = fields.get("device")
    return AuthRequest(
        e2e_pk=fields.get("e2e_pk"),
        token=fields.get("token"),
        sealed=fields.get("sealed"),
        chat_id=chat_id if is_valid_id(chat_id) else None,
        channel_id=channel_id if is_valid_id(channel_id) else None,
        sync=fields.get("sync") is True or isinstance(cursor, str),
        cursor=cursor if isinstance(cursor, str) else None,
        full_tools=fields.get("tools") == "full",
        approvals=fields.get("approvals") is True,
        rpc=fields.get("rpc") is True,
        device=one_line(device)[:MAX_DEVICE_CHARS] or None if isinstance(device, str) else None,
    )


def encode_auth(request: AuthRequest) -> bytes:
    """The first frame of a client."""
    fields = {
        "type": "auth",
        "e2e_pk": request.e2e_pk,
        "token": request.token,
        "sealed": request.sealed,
        "chat_id": request.chat_id,
        "channel_id": request.channel_id,
        "sync": request.sync or None,
        "cursor": request.cursor,
        "tools": "full" if request.full_tools else None,
        "approvals": request.approvals or None,
        "rpc": request.rpc or None,
        "device": request.device,
    }
    return _encode({name: value for name, value in fields.items() if value is not None})


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


class Request(msgspec.Struct, frozen=True):
    """A request to the JSON API, over the socket. `id`: the client's name for it, echoed in the response."""

    id: str
    method: str
    path: str
    body: object = None


class ApprovalAnswer(msgspec.Struct, frozen=True):
    """Somebody's answer to the approval request `id`."""

    id: str
    decision: ApprovalDecision


ClientMessage = UserText | Abort | Ping | Request | ApprovalAnswer


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
    if message_id is not None and not (
        isinstance(message_id, str) and 0 < len(message_id) <= MAX_MESSAGE_ID_CHARS and "\0" not in message_id
    ):
        raise RefusedMessage(
            InvalidMessage(f"`id` is a text of 1 to {MAX_MESSAGE_ID_CHARS} characters, none U+0000."), None
        )
    try:
        match fields.get("type"):
            case "message":
                return _user_text(fields.get("text"), message_id)
            case "abort":
                return _abort(fields.get("scope"))
            case "ping":
                return Ping()
            case "request":
                return _request(fields, message_id)
            case "approval":
                return _approval(fields.get("decision"), message_id)
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


def _request(fields: dict[str, Any], message_id: str | None) -> Request:
    method, path = fields.get("method"), fields.get("path")
    if message_id is None:
        raise InvalidMessage("A request has an `id`.")
    if method not in ("GET", "POST", "PUT", "DELETE"):
        raise InvalidMessage("`method` is GET, POST, PUT or DELETE.")
    if not isinstance(path, str) or not path.startswith("/"):
        raise InvalidMessage("`path` is a path, such as /api/providers.")
    return Request(message_id, method, path, fields.get("body"))


def _approval(decision: object, request_id: str | None) -> ApprovalAnswer:
    if request_id is None:
        raise InvalidMessage("An answer names the request by its `id`.")
    if decision not in ("allow_once", "allow_always", "deny"):
        raise InvalidMessage("`decision` is allow_once, allow_always or deny.")
    return ApprovalAnswer(request_id, decision)


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
        case Request(request_id, method, path, body):
            fields = {"type": "request", "id": request_id, "method": method, "path": path}
            return _encode(fields if body is None else {**fields, "body": body})
        case ApprovalAnswer(request_id, decision):
            return _encode({"type": "approval", "id": request_id, "decision": decision})


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


class NotificationsRead(msgspec.Struct, frozen=True):
    """These notifications were read, on whichever device."""

    ids: tuple[str, ...]


class Accepted(msgspec.Struct, frozen=True):
    """A message is kept and will be answered in the turn `turn_id`. `position`: turns ahead of it."""

    id: str
    turn_id: str
    position: int
    duplicate: bool = False


class Response(msgspec.Struct, frozen=True):
    """The answer to a request. `status` as in HTTP."""

    id: str
    status: int
    body: Any = None  # JSON


ServerEvent = (
    TextDelta
    | ThinkingDelta
    | ToolActivity
    | SystemStatus
    | ApprovalRequest
    | ApprovalResolved
    | UserMessage
    | Result
    | Failed
    | SessionDeleted
    | Accepted
    | ErrorReply
    | AbortOk
    | Pong
    | Notification
    | NotificationsRead
    | Response
)


class Received(msgspec.Struct, frozen=True):
    """An event as it arrived. `turn_id` and `cursor` are empty for a client that asked for neither."""

    event: ServerEvent
    turn_id: str = ""
    cursor: str = ""


class _ResultMessage(msgspec.Struct, tag_field="type", tag="result", omit_defaults=True):
    text: str
    stream_fallback: bool
    files: tuple[FileRef, ...] = ()
    aborted: bool = False
    reason: AbortReason | None = None
    turn_id: str = ""
    cursor: str = ""
    provider: str | None = None
    model: str | None = None
    usage: Usage | None = None
    duration_ms: int | None = None


class _ErrorMessage(msgspec.Struct, tag_field="type", tag="error", omit_defaults=True):
    code: str
    message: str
    id: str | None = None
    turn_id: str = ""
    cursor: str = ""


class _TextDeltaMessage(msgspec.Struct, tag_field="type", tag="text_delta", omit_defaults=True):
    data: str
    turn_id: str = ""
    cursor: str = ""


class _ThinkingDeltaMessage(msgspec.Struct, tag_field="type", tag="thinking_delta", omit_defaults=True):
    data: str
    turn_id: str = ""
    cursor: str = ""


class _ToolActivityMessage(msgspec.Struct, tag_field="type", tag="tool_activity", omit_defaults=True):
    data: str
    turn_id: str = ""
    cursor: str = ""
    tool_id: str = ""
    phase: Literal["", "start", "end"] = ""
    input: Any = None
    output: str | None = None
    is_error: bool = False
    duration_ms: int | None = None
    truncated: bool = False


class _SystemStatusMessage(msgspec.Struct, tag_field="type", tag="system_status", omit_defaults=True):
    data: str | None
    turn_id: str = ""
    cursor: str = ""


class _ApprovalRequestMessage(msgspec.Struct, tag_field="type", tag="approval_request", omit_defaults=True):
    id: str
    session_id: str
    agent: str
    turn_id: str
    tool: str
    summary: str
    input: Any
    options: tuple[ApprovalDecision, ...]
    expires_at: float
    truncated: bool = False
    pattern: str = ""
    cursor: str = ""


class _ApprovalResolvedMessage(msgspec.Struct, tag_field="type", tag="approval_resolved", omit_defaults=True):
    id: str
    decision: ApprovalOutcome
    by: str | None = None
    turn_id: str = ""
    cursor: str = ""


class _UserMessageMessage(msgspec.Struct, tag_field="type", tag="user_message", omit_defaults=True):
    turn_id: str
    text: str
    created_at: float
    id: str | None = None
    cursor: str = ""


class _SessionDeletedMessage(msgspec.Struct, tag_field="type", tag="session_deleted"):
    pass


class _AcceptedMessage(msgspec.Struct, tag_field="type", tag="accepted", omit_defaults=True):
    id: str
    turn_id: str
    position: int
    duplicate: bool = False


class _AbortOkMessage(msgspec.Struct, tag_field="type", tag="abort_ok"):
    killed: int


class _NotificationMessage(msgspec.Struct, tag_field="type", tag="notification"):
    notification: dict[str, Any]


class _NotificationsReadMessage(msgspec.Struct, tag_field="type", tag="notification_read"):
    ids: tuple[str, ...]


class _PongMessage(msgspec.Struct, tag_field="type", tag="pong"):
    pass


class _ResponseMessage(msgspec.Struct, tag_field="type", tag="response"):
    id: str
    status: int
    body: Any = None


_ServerMessage = (
    _ResultMessage
    | _ErrorMessage
    | _TextDeltaMessage
    | _ThinkingDeltaMessage
    | _ToolActivityMessage
    | _SystemStatusMessage
    | _ApprovalRequestMessage
    | _ApprovalResolvedMessage
    | _UserMessageMessage
    | _SessionDeletedMessage
    | _AcceptedMessage
    | _AbortOkMessage
    | _NotificationMessage
    | _NotificationsReadMessage
    | _PongMessage
    | _ResponseMessage
)
_server_messages = msgspec.json.Decoder(_ServerMessage)
_KNOWN_TYPES = frozenset(message.__struct_config__.tag for message in get_args(_ServerMessage))


class Form(msgspec.Struct, frozen=True):
    """In which form a client gets events: what it asked for in its first frame, as far as it concerns their encoding.

    `turn_ids`: events name their turn. `sync`: they name their place too, and there are more of them. `full_tools`: tools come in
    detail, and thinking. `approvals`: requests for approvals and their answers.
    """

    turn_ids: bool = False
    sync: bool = False
    full_tools: bool = False
    approvals: bool = False
    number: int = 0
    """A small number of its own for each form; it is filled in."""

    def __post_init__(self) -> None:
        number = self.turn_ids + 2 * self.sync + 4 * self.full_tools + 8 * self.approvals
        msgspec.structs.force_setattr(self, "number", number)


PLAIN: Final = Form()


def encode_event(event: SessionEvent, form: Form = PLAIN, turn_id: str = "", cursor: str = "") -> bytes | None:
    """A session event for a client, or None if a client of that form does not get it."""
    turn = turn_id if form.turn_ids or form.sync else ""
    place = cursor if form.sync else ""
    if isinstance(event, TextDelta):  # first, since there are so many of them
        return _encode(_TextDeltaMessage(event.data, turn, place))
    match event:
        case ThinkingDelta(data):
            return _encode(_ThinkingDeltaMessage(data, turn, place)) if form.full_tools else None
        case ToolActivity():
            return _encode_tool(event, form, turn, place)
        case SystemStatus(label):
            return _encode(_SystemStatusMessage(label, turn, place))
        case ApprovalRequest() | ApprovalResolved():  # others hear of it too, but not as part of a conversation
            return encode_approval(event, turn_id=turn, cursor=place) if form.sync and form.approvals else None
        case UserMessage(text, created_at, message_id):
            return _encode(_UserMessageMessage(turn, text, created_at, message_id, place)) if form.sync else None
        case Result(text, stream_fallback, files, aborted, reason):
            message = _ResultMessage(text, stream_fallback, files, aborted, reason, turn, place)
            if form.sync:
                message.provider, message.model = event.provider, event.model
                message.usage, message.duration_ms = event.usage, event.duration_ms
            return _encode(message)
        case Failed(code, message_text):
            return _encode(_ErrorMessage(code, message_text, None, turn, place))
        case SessionDeleted():
            return _encode(_SessionDeletedMessage()) if form.sync else None


def _encode_tool(event: ToolActivity, form: Form, turn_id: str, cursor: str) -> bytes | None:
    if not form.full_tools:
        return _encode(_ToolActivityMessage(event.name, turn_id, cursor)) if event.phase == "start" else None
    return _encode(
        _ToolActivityMessage(
            event.name,
            turn_id,
            cursor,
            event.tool_id,
            event.phase,
            event.input,
            event.output,
            event.is_error,
            event.duration_ms,
            event.truncated,
        )
    )


def encode_approval(event: ApprovalRequest | ApprovalResolved, *, turn_id: str = "", cursor: str = "") -> bytes:
    """A request for an approval, or what became of it; with its place for who follows the session."""
    match event:
        case ApprovalRequest():
            return _encode(_ApprovalRequestMessage(**msgspec.structs.asdict(event), cursor=cursor))
        case ApprovalResolved(request_id, decision, by):
            return _encode(_ApprovalResolvedMessage(request_id, decision, by, turn_id, cursor))


def encode_accepted(accepted: Accepted) -> bytes:
    return _encode(_AcceptedMessage(accepted.id, accepted.turn_id, accepted.position, accepted.duplicate))


def encode_response(response: Response) -> bytes:
    return _encode(_ResponseMessage(response.id, response.status, response.body))


def encode_error(code: str, message: str, message_id: str | None = None) -> bytes:
    return _encode(_ErrorMessage(code, message, message_id))


def encode_abort_ok(killed: int) -> bytes:
    return _encode(_AbortOkMessage(killed))


def encode_notification(fields: dict[str, Any]) -> bytes:
    return _encode(_NotificationMessage(fields))


def encode_notifications_read(ids: Sequence[str]) -> bytes:
    return _encode(_NotificationsReadMessage(tuple(ids)))


def encode_pong() -> bytes:
    return _encode(_PongMessage())


def decode_server_event(plaintext: bytes) -> Received | None:
    """The event in an opened frame, or None for a type this version does not know. Raises InvalidMessage if malformed."""
    try:
        message = _server_messages.decode(plaintext)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        kind = _parse_object(plaintext).get("type")
        if isinstance(kind, str) and kind in _KNOWN_TYPES:
            raise InvalidMessage(f"The server sent a malformed event: {error}") from error
        return None  # from a newer server
    return Received(_event_in(message), getattr(message, "turn_id", ""), getattr(message, "cursor", ""))


def _event_in(message: _ServerMessage) -> ServerEvent:
    match message:
        case _TextDeltaMessage(data):
            return TextDelta(data)
        case _ThinkingDeltaMessage(data):
            return ThinkingDelta(data)
        case _ToolActivityMessage(data, _, _, tool_id, phase, value, output, is_error, duration_ms, truncated):
            return ToolActivity(data, tool_id, phase or "start", value, output, is_error, duration_ms, truncated)
        case _SystemStatusMessage(data):
            return SystemStatus(data)
        case _ApprovalRequestMessage():
            fields = msgspec.structs.asdict(message)
            del fields["cursor"]
            return ApprovalRequest(**fields)
        case _ApprovalResolvedMessage(request_id, decision, by):
            return ApprovalResolved(request_id, decision, by)
        case _UserMessageMessage(_, text, created_at, message_id):
            return UserMessage(text, created_at, message_id)
        case _ResultMessage(text, stream_fallback, files, aborted, reason):
            return Result(
                text,
                stream_fallback,
                files,
                aborted,
                reason,
                provider=message.provider,
                model=message.model,
                usage=message.usage,
                duration_ms=message.duration_ms or 0,
            )
        case _ErrorMessage(code, text, None) if code in TURN_ENDING_CODES:
            return Failed(code, text)
        case _ErrorMessage(code, text, message_id):
            return ErrorReply(code, text, message_id)
        case _SessionDeletedMessage():
            return SessionDeleted()
        case _AcceptedMessage(message_id, turn_id, position, duplicate):
            return Accepted(message_id, turn_id, position, duplicate)
        case _AbortOkMessage(killed):
            return AbortOk(killed)
        case _NotificationMessage(notification):
            return Notification(notification)
        case _NotificationsReadMessage(ids):
            return NotificationsRead(ids)
        case _ResponseMessage(request_id, status, body):
            return Response(request_id, status, body)
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
