"""The pure parts under arbitrary input: nothing but the documented errors, and what goes in comes out."""

from __future__ import annotations

import base64
import itertools
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from sygen_bot.api import crypto, protocol
from sygen_bot.api.protocol import (
    Abort,
    AbortOk,
    Accepted,
    AuthRequest,
    ErrorReply,
    Form,
    Notification,
    Ping,
    Pong,
    Received,
    Request,
    Response,
    UserText,
)
from sygen_bot.errors import DecryptFailed, EmptyMessage, InvalidMessage
from sygen_bot.events import (
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
from sygen_bot.files.tags import file_refs
from sygen_bot.session.key import MAX_ID, SessionKey

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "e2e-v1.json").read_text())
SERVER_SECRET = base64.b64decode(VECTORS["server"]["sk"])
CLIENT_SECRET = base64.b64decode(VECTORS["client"]["sk"])
SHARED = base64.b64decode(VECTORS["shared_key"])

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NAMES_OF_MESSAGES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=64)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
KINDS = (
    "auth message abort ping pong request response result error text_delta thinking_delta tool_activity system_status "
    "user_message session_deleted accepted abort_ok auth_ok notification x"
)
FIELDS = (
    "type text scope id token e2e_pk sealed chat_id channel_id data code message killed files stream_fallback aborted "
    "reason notification providers active_provider sync cursor tools rpc turn_id method path body status position duplicate "
    "tool_id phase input output is_error duration_ms truncated usage provider model created_at"
)
TYPES, NAMES = st.sampled_from(KINDS.split()), st.sampled_from(FIELDS.split())
OBJECTS = st.dictionaries(NAMES | TEXTS, VALUES, max_size=6)
NEARLY_RIGHT = st.builds(lambda fields, kind: json.dumps(fields | {"type": kind}).encode(), OBJECTS, TYPES | VALUES)
BYTES = st.binary(max_size=300) | NEARLY_RIGHT | VALUES.map(lambda value: json.dumps(value).encode())
BYTES |= st.sampled_from([b"[" * 100_000, b'{"a":' * 5000, b"1e999", b"NaN", b'{"type":"\\ud800"}', b"\xff", b""])

many = settings(max_examples=100, deadline=None)


# --- decoding ---------------------------------------------------------------------------------------------------------


@many
@given(BYTES)
def test_any_first_frame_is_an_auth_request_or_refused_as_none(frame: bytes) -> None:
    with suppress(protocol.HandshakeError):
        request = protocol.parse_auth(frame)
        for number in (request.chat_id, request.channel_id):
            assert number is None or (type(number) is int and 1 <= number <= 2**53 - 1)


@many
@given(BYTES)
def test_any_message_of_a_client_is_understood_or_refused(plaintext: bytes) -> None:
    message: protocol.ClientMessage | None = None
    refusal: protocol.RefusedMessage | None = None
    with suppress(InvalidMessage):
        try:
            message = protocol.decode_client_message(plaintext)
        except protocol.RefusedMessage as refused:
            refusal = refused
    if refusal is not None:
        assert refusal.error.code in ("invalid", "empty", "unknown_type")
        assert refusal.id is None or (0 < len(refusal.id) <= 64 and "\0" not in refusal.id)
    elif message is not None:
        assert isinstance(message, UserText | Abort | Ping | Request)
        if isinstance(message, UserText):
            assert message.text.strip()
            assert message.text.strip().lower() != "/stop"
        assert protocol.decode_client_message(protocol.encode_client_message(message)) == message


@many
@given(BYTES)
@example(b'{"type":[]}')
@example(b'{"type":{}}')
@example(b'{"type":"abort_ok","killed":"x"}')
def test_any_event_of_a_server_is_understood_passed_over_or_invalid(plaintext: bytes) -> None:
    with suppress(InvalidMessage):
        protocol.decode_server_event(plaintext)


@many
@given(BYTES)
@example(b'{"type":"error","code":[]}')
@example(b'{"type":"error"}')
def test_any_answer_to_the_handshake_is_understood_or_invalid(frame: bytes) -> None:
    try:
        answer = protocol.parse_handshake_answer(frame)
    except InvalidMessage:
        pass
    else:
        assert isinstance(answer, protocol.AuthOk | protocol.HandshakeError)


@many
@given(st.binary(max_size=50) | st.text(max_size=60) | VALUES)
def test_any_key_is_32_bytes_or_refused(text: object) -> None:
    try:
        key = crypto.decode_key(text)
    except crypto.InvalidKey:
        pass
    else:
        assert len(key) == 32


@many
@given(st.binary(min_size=32, max_size=32))
def test_any_32_bytes_agree_on_a_key_or_are_refused(public: bytes) -> None:
    try:
        assert crypto.agree(public, SERVER_SECRET) == Box(PrivateKey(SERVER_SECRET), PublicKey(public)).shared_key()
    except crypto.InvalidKey:
        with pytest.raises(CryptoError):
            Box(PrivateKey(SERVER_SECRET), PublicKey(public))


@many
@given(TEXTS | st.text("abc<>:/\\[]%.@#? \"'file\u2100\0", max_size=40).map(lambda inside: f"<file:{inside}>"))
@example("<file://[x>")
@example("<file:file://[::1/x>")
def test_any_text_has_files_or_none(text: str) -> None:
    for ref in file_refs(text):
        assert ref.path
        assert ref.name


# --- frames -----------------------------------------------------------------------------------------------------------


@many
@given(st.text(max_size=120) | st.binary(max_size=90).map(lambda raw: base64.b64encode(raw).decode()))
def test_any_text_that_was_not_sealed_fails_to_decrypt(frame: str) -> None:
    with pytest.raises(DecryptFailed):
        crypto.open_frame(SHARED, frame)
    with pytest.raises(DecryptFailed):
        crypto.open_frame(SHARED, frame.encode("utf-8", "surrogatepass"))


@many
@given(st.binary(max_size=200), st.binary(min_size=24, max_size=24), st.data())
def test_a_frame_opens_to_what_was_sealed_and_no_frame_near_it_opens(
    plain: bytes, nonce: bytes, data: st.DataObject
) -> None:
    frame = crypto.seal_frame(SHARED, nonce, plain).decode()
    assert crypto.open_frame(SHARED, frame) == (nonce, plain)
    assert (
        Box(PrivateKey(CLIENT_SECRET), PrivateKey(SERVER_SECRET).public_key).decrypt(base64.b64decode(frame)) == plain
    )
    raw = bytearray(base64.b64decode(frame))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DecryptFailed):
        crypto.open_frame(SHARED, base64.b64encode(raw))
    place = data.draw(st.integers(0, len(frame)))
    stray = data.draw(st.sampled_from(["\n", " ", "\r\n", "\t", "-", "_", "=", "====", "\0", "ü", "!"]))
    changed = frame[:place] + stray + frame[place:]
    with pytest.raises(DecryptFailed):
        crypto.open_frame(SHARED, changed)


both_ways = pytest.mark.parametrize("direct", [True, False], ids=["libsodium directly", "PyNaCl"])


def test_libsodium_can_be_called_directly_here() -> None:
    assert crypto.libsodium() is not None, "the tests of both ways would be two of one"


@many
@given(st.binary(min_size=24, max_size=24), st.binary(max_size=1200))
def test_both_ways_make_the_same_frame(nonce: bytes, plaintext: bytes) -> None:
    make = crypto.frame_maker(SHARED)
    assert make(nonce, b"what was in the buffer before " * 20)
    frame = crypto.seal_frame(SHARED, nonce, plaintext)
    assert make(nonce, plaintext) == crypto.frame_maker(SHARED, direct=False)(nonce, plaintext) == frame


@both_ways
@many
@given(st.lists(st.binary(max_size=40) | st.binary(min_size=970, max_size=1000), max_size=6))
def test_two_sides_understand_each_other_and_refuse_replays_and_reflections(
    direct: bool, plaintexts: list[bytes]
) -> None:
    server = crypto.E2ESession(role="server", shared_key=SHARED, direct=direct)
    peer = crypto.E2ESession(role="client", shared_key=SHARED, direct=direct)
    for plaintext in plaintexts:
        for sender, receiver in ((server, peer), (peer, server)):
            frame = sender.seal(plaintext)
            assert receiver.open(frame) == plaintext
            for side in (receiver, sender):
                with pytest.raises(DecryptFailed):
                    side.open(frame)


def test_a_client_asks_for_one_prefix_and_a_counter_that_grows() -> None:
    def sealed(prefix: bytes, counter: int) -> bytes:
        return crypto.seal_frame(SHARED, prefix + counter.to_bytes(8, "big"), b"{}")

    peer = crypto.E2ESession(role="client", shared_key=SHARED)
    peer.open(sealed(b"p" * 16, 5))
    for frame in (sealed(b"p" * 16, 4), sealed(b"p" * 16, 5), sealed(b"q" * 16, 6)):
        with pytest.raises(DecryptFailed):
            peer.open(frame)
    assert peer.open(sealed(b"p" * 16, 7)) == b"{}"


def test_frames_sealed_elsewhere_keep_the_order_of_their_nonces() -> None:
    server = crypto.E2ESession(role="server", shared_key=SHARED)
    later = server.sealer()
    after = server.seal(b"second")
    first = later(b"first")
    peer = crypto.E2ESession(role="client", shared_key=SHARED)
    assert [peer.open(frame) for frame in (first, after)] == [b"first", b"second"]


def test_a_server_remembers_100000_nonces_and_then_asks_for_a_new_connection() -> None:
    server = crypto.E2ESession(role="server", shared_key=SHARED)
    peer = crypto.E2ESession(role="client", shared_key=SHARED)
    first = peer.seal(b"")
    server.open(first)
    for _ in range(99_999):
        server.open(peer.seal(b""))
    with pytest.raises(DecryptFailed):
        server.open(first)
    with pytest.raises(crypto.NonceLimitReached):
        server.open(peer.seal(b""))


# --- the published vectors --------------------------------------------------------------------------------------------


def test_both_sides_agree_on_the_shared_key_of_the_vectors() -> None:
    assert crypto.public_key(SERVER_SECRET) == base64.b64decode(VECTORS["server"]["pk"])
    assert crypto.public_key(CLIENT_SECRET) == base64.b64decode(VECTORS["client"]["pk"])
    assert crypto.agree(crypto.decode_key(VECTORS["client"]["pk"]), SERVER_SECRET) == SHARED
    assert crypto.agree(crypto.decode_key(VECTORS["server"]["pk"]), CLIENT_SECRET) == SHARED


@both_ways
@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("frame", VECTORS["frames"], ids=range(len(VECTORS["frames"])))
def test_frames_are_made_and_opened_as_in_the_vectors(frame: dict[str, str], role: str, direct: bool) -> None:
    nonce, plaintext = base64.b64decode(frame["nonce"]), frame["plaintext"].encode()
    sides: dict[str, crypto.E2ESession] = {
        "server": crypto.E2ESession(role="server", shared_key=SHARED, nonces=lambda: nonce, direct=direct),
        "client": crypto.E2ESession(role="client", shared_key=SHARED, nonces=lambda: nonce, direct=direct),
    }
    side = sides.pop(role)
    (other,) = sides.values()
    assert side.seal(plaintext).decode() == frame["frame"]
    assert other.open(frame["frame"]) == plaintext
    with pytest.raises(DecryptFailed):
        other.open(frame["frame"])  # a replay
    box = Box(PrivateKey(CLIENT_SECRET), PublicKey(base64.b64decode(VECTORS["server"]["pk"])))
    assert base64.b64encode(bytes(box.encrypt(plaintext, nonce))).decode() == frame["frame"]


@pytest.mark.parametrize("case", VECTORS["bad_frames"], ids=lambda case: case["why"])
def test_bad_frames_of_the_vectors_are_refused_with_their_code(case: dict[str, str]) -> None:
    expected = {"decrypt_failed": DecryptFailed, "invalid": InvalidMessage}[case["expect"]]
    with pytest.raises(expected):
        protocol.decode_client_message(crypto.E2ESession(role="server", shared_key=SHARED).open(case["frame"]))


@pytest.mark.parametrize("case", VECTORS["bad_keys"], ids=lambda case: f"{case['why']} {str(case['e2e_pk'])[:6]}")
def test_bad_keys_of_the_vectors_are_refused(case: dict[str, object]) -> None:
    with pytest.raises(crypto.InvalidKey):
        crypto.agree(crypto.decode_key(case["e2e_pk"]), SERVER_SECRET)


# --- round trips ------------------------------------------------------------------------------------------------------

REASONS = st.sampled_from(["abort", "interrupted", "shutdown", "timeout", "answer_too_large"])
FILES = st.lists(st.builds(FileRef, TEXTS, TEXTS, st.booleans()), max_size=3).map(tuple)
USAGE = st.builds(Usage, st.integers(0, 2**40), st.integers(0, 2**40), st.none() | st.floats(0, 1e6))
IDS = st.none() | NAMES_OF_MESSAGES
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
EVENTS: st.SearchStrategy[SessionEvent] = st.one_of(
    st.builds(TextDelta, TEXTS),
    st.builds(ThinkingDelta, TEXTS),
    st.builds(
        ToolActivity,
        TEXTS,
        TEXTS,
        st.sampled_from(["start", "end"]),
        JSON_VALUES,
        st.none() | TEXTS,
        st.booleans(),
        st.none() | st.integers(0, 2**40),
        st.booleans(),
    ),
    st.builds(SystemStatus, st.none() | TEXTS),
    st.builds(UserMessage, TEXTS, st.floats(0, 1e10), IDS),
    st.builds(
        Result,
        TEXTS,
        st.booleans(),
        FILES,
        provider=st.none() | TEXTS,
        model=st.none() | TEXTS,
        usage=st.none() | USAGE,
        duration_ms=st.integers(0, 2**40),
    ),
    st.builds(lambda text, reason: Result(text, aborted=True, reason=reason), TEXTS, REASONS),
    st.builds(Failed, st.sampled_from(["internal_error", "provider_unavailable"]), TEXTS),
    st.just(SessionDeleted()),
)
FULL = Form(turn_ids=True, sync=True, full_tools=True)
FORMS = st.builds(Form, st.booleans(), st.booleans(), st.booleans())


@many
@given(EVENTS, TEXTS, TEXTS)
def test_an_event_comes_out_as_it_went_in(event: SessionEvent, turn_id: str, cursor: str) -> None:
    wire = protocol.encode_event(event, FULL, turn_id=turn_id, cursor=cursor)
    assert wire is not None
    assert b"\n" not in wire, "compact JSON"
    expected = Received(event) if isinstance(event, SessionDeleted) else Received(event, turn_id, cursor)
    assert protocol.decode_server_event(wire) == expected


@many
@given(EVENTS, FORMS, TEXTS.filter(bool), TEXTS.filter(bool))
def test_nobody_is_told_what_it_did_not_ask_for(event: SessionEvent, form: Form, turn_id: str, cursor: str) -> None:
    wire = protocol.encode_event(event, form, turn_id=turn_id, cursor=cursor)
    if wire is None:
        assert isinstance(event, ThinkingDelta | ToolActivity | UserMessage | SessionDeleted)
        return
    fields = json.loads(wire)
    assert ("cursor" in fields) == (form.sync and not isinstance(event, SessionDeleted))
    assert ("turn_id" in fields) == ((form.sync or form.turn_ids) and not isinstance(event, SessionDeleted))
    if not form.full_tools:
        assert fields["type"] != "thinking_delta"
        assert not {"tool_id", "phase", "input", "output", "is_error", "duration_ms", "truncated"} & set(fields) or (
            fields["type"] == "result"
        )
    if not form.sync:
        assert fields["type"] not in ("user_message", "session_deleted")
        assert not {"provider", "model", "usage", "duration_ms"} & set(fields) or fields["type"] == "tool_activity"


@many
@given(EVENTS)
def test_a_client_that_asks_for_nothing_gets_the_plain_protocol(event: SessionEvent) -> None:
    wire = protocol.encode_event(event, turn_id="t", cursor="e:1")
    known = {
        "text_delta": {"type", "data"},
        "tool_activity": {"type", "data"},
        "system_status": {"type", "data"},
        "result": {"type", "text", "stream_fallback", "files", "aborted", "reason"},
        "error": {"type", "code", "message"},
    }
    if wire is not None:
        fields = json.loads(wire)
        assert set(fields) <= known[fields["type"]]


def test_each_form_has_a_number_of_its_own() -> None:
    forms = [Form(*flags) for flags in itertools.product([False, True], repeat=3)]
    assert len({form.number for form in forms}) == 8


@many
@given(st.sampled_from(["busy", "invalid", "conflict", "unavailable", "some_new_code"]), TEXTS, IDS, st.integers(0, 99))
def test_replies_come_out_as_they_went_in(code: str, message: str, message_id: str | None, killed: int) -> None:
    fields = {"id": "n1", "title": message, "body": "", "read": False}
    for wire, event in (
        (protocol.encode_error(code, message, message_id), ErrorReply(code, message, message_id)),
        (protocol.encode_abort_ok(killed), AbortOk(killed)),
        (protocol.encode_pong(), Pong()),
        (protocol.encode_notification(fields), Notification(fields)),
    ):
        assert protocol.decode_server_event(wire) == Received(event)


@many
@given(NAMES_OF_MESSAGES, TEXTS, st.integers(0, 99), st.booleans())
def test_a_receipt_comes_out_as_it_went_in(message_id: str, turn_id: str, position: int, is_duplicate: bool) -> None:
    accepted = Accepted(message_id, turn_id, position, is_duplicate)
    received = protocol.decode_server_event(protocol.encode_accepted(accepted))
    assert received is not None
    assert received.event == accepted


@many
@given(
    NAMES_OF_MESSAGES,
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    TEXTS,
    JSON_VALUES,
    st.integers(200, 599),
)
def test_requests_and_responses_come_out_as_they_went_in(
    request_id: str, method: str, path: str, body: object, status: int
) -> None:
    request = Request(request_id, method, f"/{path}", body)
    assert protocol.decode_client_message(protocol.encode_client_message(request)) == request
    response = Response(request_id, status, body)
    assert protocol.decode_server_event(protocol.encode_response(response)) == Received(response)


@pytest.mark.parametrize("message_id", ["", "x" * 65, "a\0b", 7, [], True])
def test_a_name_that_not_everything_can_keep_is_refused(message_id: object) -> None:
    with pytest.raises(protocol.RefusedMessage) as refused:
        protocol.decode_client_message(json.dumps({"type": "message", "text": "hello", "id": message_id}).encode())
    assert refused.value.error.code == "invalid"
    assert refused.value.id is None


@many
@given(TEXTS, st.none() | NAMES_OF_MESSAGES)
def test_a_users_text_comes_out_as_it_went_in(text: str, message_id: str | None) -> None:
    wire = protocol.encode_client_message(UserText(text, message_id))
    if not text.strip():
        with pytest.raises(protocol.RefusedMessage) as refused:
            protocol.decode_client_message(wire)
        assert isinstance(refused.value.error, EmptyMessage)
        assert refused.value.id == message_id
    elif text.strip().lower() == "/stop":
        assert protocol.decode_client_message(wire) == Abort()
    else:
        assert protocol.decode_client_message(wire) == UserText(text, message_id)


CHANNELS = st.none() | st.integers(1, MAX_ID)


@many
@given(TEXTS, CHANNELS, CHANNELS, st.booleans(), st.none() | TEXTS, st.booleans(), st.booleans())
def test_a_first_frame_comes_out_as_it_went_in(
    token: str,
    chat_id: int | None,
    channel_id: int | None,
    sync: bool,
    cursor: str | None,
    full_tools: bool,
    rpc: bool,
) -> None:
    request = AuthRequest(
        e2e_pk="pk",
        token=token,
        chat_id=chat_id,
        channel_id=channel_id,
        sync=sync or cursor is not None,  # who has a cursor follows its session
        cursor=cursor,
        full_tools=full_tools,
        rpc=rpc,
    )
    assert protocol.parse_auth(protocol.encode_auth(request)) == request


@pytest.mark.parametrize(
    "extra",
    [
        {"sync": "true"},
        {"sync": 1},
        {"cursor": 7},
        {"cursor": None},
        {"tools": True},
        {"tools": "some"},
        {"rpc": "yes"},
    ],
)
def test_an_extension_that_is_asked_for_in_other_words_is_not_on(extra: dict[str, object]) -> None:
    assert protocol.parse_auth(json.dumps({"type": "auth", **extra}).encode()) == AuthRequest()


@many
@given(
    st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True), st.integers(1, MAX_ID), st.none() | st.integers(1, MAX_ID)
)
def test_a_session_key_is_what_its_text_says(transport: str, chat_id: int, topic_id: int | None) -> None:
    key = SessionKey(transport, chat_id, topic_id)
    assert SessionKey.parse(str(key)) == key
    assert str(key) == ":".join(str(part) for part in (transport, chat_id, topic_id) if part is not None)


@many
@given(st.text(max_size=40))
@example("api:1\n")
@example("api:٣")
@example("api:0")
@example("api:01")
@example("api:9007199254740992")
@example("api:1:")
@example("api:1:2:3")
def test_any_text_is_a_session_key_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert str(SessionKey.parse(text)) == text
