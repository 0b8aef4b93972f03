"""The first frame: who is let in, who is not, and how little a stranger learns from it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sygen_bot.api.context import TokenGate
from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve
from tests.api.wire import (
    PATIENCE_S,
    TOKEN,
    Event,
    RawSocket,
    address,
    auth,
    b64,
    client,
    close_code,
    raw_http,
    turned_away,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "e2e-v1.json").read_text())
FIRST_FRAME_BYTES = 64 * 1024


async def refusal(gateway: Gateway, *frames: str | bytes | list[str]) -> Event:
    """What a stranger is told. Checks its form, and that the connection is closed with 1008."""
    async with connect(address(gateway), proxy=None) as socket:
        try:
            for frame in frames:
                await socket.send(frame)
        except ConnectionClosed:
            pass  # refused before all was sent
        async with asyncio.timeout(PATIENCE_S):
            answer: Event = json.loads(await socket.recv())
        assert set(answer) == {"type", "code", "message"}
        assert answer["type"] == "error"
        assert await close_code(socket) == 1008
        return answer


# --- who is let in ----------------------------------------------------------------------------------------------------


async def test_the_answer_to_a_good_first_frame_holds_exactly_what_is_promised(gateway: Gateway) -> None:
    async with client(gateway, chat_id=123, channel_id=77) as peer:
        key = base64.b64decode(peer.hello["e2e_pk"], validate=True)
        assert len(key) == 32
        assert peer.hello == {
            "type": "auth_ok",
            "chat_id": 123,
            "channel_id": 77,
            "e2e_pk": b64(key),
            "providers": [{"id": "scripted", "name": "Scripted", "color": "#64748B", "models": ["scripted"]}],
            "active_provider": "scripted",
            "active_model": "scripted",
        }


async def test_every_connection_has_a_fresh_server_key_even_for_the_same_client_key(gateway: Gateway) -> None:
    secret = PrivateKey.generate()
    async with client(gateway, secret=secret) as one, client(gateway, secret=secret) as other:
        assert one.hello["e2e_pk"] != other.hello["e2e_pk"]


NO_IDS: list[object] = [None, True, False, 0, -1, 2**53, 1.0, 1.5, "5", "", [], {}, 10**30]


@pytest.mark.parametrize("wrong", NO_IDS, ids=repr)
async def test_a_chat_id_that_is_none_falls_back_and_such_a_channel_id_counts_as_absent(
    gateway: Gateway, wrong: object
) -> None:
    async with connect(address(gateway), proxy=None) as socket:
        hello = json.loads(auth()) | {"chat_id": wrong, "channel_id": wrong}
        await socket.send(json.dumps(hello))
        answer = json.loads(await socket.recv())
        assert (answer["type"], answer["chat_id"]) == ("auth_ok", 1)
        assert "channel_id" not in answer


async def test_a_chat_id_too_large_for_a_float_falls_back_like_any_other_wrong_number(gateway: Gateway) -> None:
    async with connect(address(gateway), proxy=None) as socket:
        await socket.send(auth().removesuffix("}") + ', "chat_id": 1e400}')
        assert json.loads(await socket.recv()).get("chat_id") == 1


@pytest.mark.parametrize("good", [1, 2**53 - 1])
async def test_the_smallest_and_the_largest_id_are_taken(gateway: Gateway, good: int) -> None:
    async with client(gateway, chat_id=good, channel_id=good) as peer:
        assert (peer.hello["chat_id"], peer.hello["channel_id"]) == (good, good)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 1),
        ({"allowed_user_ids": [42, 7]}, 42),
        ({"allowed_user_ids": [42, 7], "api.chat_id": 9}, 9),
    ],
)
async def test_the_default_chat_is_the_configured_one_else_the_first_user_else_1(
    serve: Serve, settings: dict[str, object], expected: int
) -> None:
    async with serve(settings) as gateway, client(gateway) as absent, client(gateway, chat_id=True) as invalid:
        assert absent.hello["chat_id"] == invalid.hello["chat_id"] == expected


async def test_unknown_fields_of_the_first_frame_are_passed_over(gateway: Gateway) -> None:
    async with client(gateway, sync=True, cursor="x", rpc=[1], future={"a": "b"}) as peer:
        assert peer.hello["type"] == "auth_ok"


# --- not an auth frame ------------------------------------------------------------------------------------------------


def padded(size: int) -> str:
    """A good first frame of exactly `size` bytes."""
    bare = auth(padding="")
    return bare.replace('"padding": ""', f'"padding": "{"x" * (size - len(bare))}"')


NO_AUTH_FRAMES: dict[str, Callable[[], str | bytes]] = {
    "binary": lambda: auth().encode(),
    "empty": lambda: "",
    "empty and binary": lambda: b"",
    "not JSON": lambda: "hello",
    "cut short": lambda: auth()[:-1],
    "two objects": lambda: auth() + auth(),
    "NaN": lambda: auth().replace("}", ', "x": NaN}'),
    "an array": lambda: f"[{auth()}]",
    "a text": lambda: json.dumps(auth()),
    "null": lambda: "null",
    "no type": lambda: auth(type=None),
    "type in capitals": lambda: auth(type="AUTH"),
    "type is a list": lambda: auth(type=["auth"]),
    "another type": lambda: auth(type="message", text="hello"),
    "100,000 brackets": lambda: "[" * 60_000,
    "one byte over 64 KiB": lambda: padded(FIRST_FRAME_BYTES + 1),
    "256 KiB": lambda: padded(256 * 1024),
}


@pytest.mark.parametrize("name", NO_AUTH_FRAMES)
async def test_a_first_frame_that_is_no_auth_frame_is_told_so(gateway: Gateway, name: str) -> None:
    assert (await refusal(gateway, NO_AUTH_FRAMES[name]()))["code"] == "auth_required"


async def test_a_first_frame_of_exactly_64_kib_is_taken(gateway: Gateway) -> None:
    frame = padded(FIRST_FRAME_BYTES)
    assert len(frame.encode()) == FIRST_FRAME_BYTES
    async with connect(address(gateway), proxy=None) as socket:
        await socket.send(frame)
        assert json.loads(await socket.recv())["type"] == "auth_ok"


async def test_a_fragmented_first_frame_counts_as_a_whole(gateway: Gateway) -> None:
    def cut(frame: str) -> list[str]:
        return [frame[start : start + 1024] for start in range(0, len(frame), 1024)]

    async with connect(address(gateway), proxy=None) as socket:
        await socket.send(cut(padded(FIRST_FRAME_BYTES)))
        assert json.loads(await socket.recv())["type"] == "auth_ok"
    assert (await refusal(gateway, cut(padded(FIRST_FRAME_BYTES + 1))))["code"] == "auth_required"


async def test_a_first_frame_that_never_ends_is_refused_before_it_is_whole(gateway: Gateway) -> None:
    raw = await RawSocket.connect(gateway)
    try:
        raw.write(RawSocket.frame(b'{"type":"auth"' + b" " * 40_000, fin=False))
        raw.write(RawSocket.frame(b" " * 60_000, opcode=0, fin=False))
        assert json.loads((await raw.read_frame())[1])["code"] == "auth_required"
        assert await raw.read_close() == 1008
    finally:
        await raw.close()


async def test_text_that_is_not_utf_8_is_no_auth_frame(gateway: Gateway) -> None:
    raw = await RawSocket.connect(gateway)
    try:
        raw.write(RawSocket.frame(auth().encode()[:-1] + b', "x": "\xff\xfe"}'))
        opcode, payload = await raw.read_frame()
        if opcode == 1:
            assert json.loads(payload)["code"] == "auth_required"
            assert await raw.read_close() == 1008
        else:
            assert payload[:2] == (1007).to_bytes(2, "big"), "what RFC 6455 asks for"
    finally:
        await raw.close()


async def test_nothing_within_the_time_limit_and_a_frame_trickled_byte_by_byte_are_both_too_late(
    serve: Serve,
) -> None:
    async with serve({"api.auth_timeout_s": 0.4}) as gateway:
        start = time.monotonic()
        assert (await refusal(gateway))["code"] == "auth_timeout"
        assert 0.35 < time.monotonic() - start < 10
        raw = await RawSocket.connect(gateway)
        try:
            start, answer = time.monotonic(), asyncio.create_task(raw.read_frame())
            for byte in RawSocket.frame(auth().encode()):
                raw.write(bytes([byte]))
                if (await asyncio.wait({answer}, timeout=0.02))[0]:
                    break
            assert json.loads((await answer)[1])["code"] == "auth_timeout"
            assert time.monotonic() - start > 0.35
            assert await raw.read_close() == 1008
        finally:
            await raw.close()


async def test_pings_give_a_stranger_no_more_time(serve: Serve) -> None:
    async with serve({"api.auth_timeout_s": 0.4}) as gateway:
        raw = await RawSocket.connect(gateway)
        try:
            start, frames = time.monotonic(), asyncio.create_task(_until_text(raw))
            while not (await asyncio.wait({frames}, timeout=0.02))[0] and time.monotonic() - start < PATIENCE_S:
                raw.write(RawSocket.frame(b"hi", opcode=9))
            assert json.loads(await frames)["code"] == "auth_timeout"
        finally:
            await raw.close()


async def _until_text(raw: RawSocket) -> bytes:
    while True:
        opcode, payload = await raw.read_frame()
        if opcode == 1:
            return payload


async def test_a_client_that_is_in_is_not_closed_by_the_time_limit_of_strangers(serve: Serve) -> None:
    async with serve({"api.auth_timeout_s": 0.2}) as gateway, client(gateway) as peer:
        assert (await refusal(gateway))["code"] == "auth_timeout"  # the limit has passed for a later one
        assert await peer.quiet() == []


# --- tokens and keys --------------------------------------------------------------------------------------------------

WRONG_TOKENS: list[object] = [None, "", "wrong", TOKEN + " ", TOKEN.encode().decode("latin-1"), "ключ 🔑", "\0"]
WRONG_TOKENS += [7, True, 1.5, [], {}, [TOKEN], {"token": TOKEN}, "x" * 50_000]
GOOD_KEY = bytes(PrivateKey.generate().public_key)
WRONG_KEYS: dict[str, object] = {
    f"{case['why']} {index}": case["e2e_pk"] for index, case in enumerate(VECTORS["bad_keys"])
}
WRONG_KEYS |= {
    "missing": ...,
    "a list": [b64(GOOD_KEY)],
    "no padding": b64(GOOD_KEY).rstrip("="),
    "white space": b64(GOOD_KEY) + "\n",
    "URL-safe": base64.urlsafe_b64encode(b"\xfb\xef" + GOOD_KEY[2:]).decode(),
    "not ASCII": "ü" * 44,
    "hexadecimal": GOOD_KEY.hex(),
}


async def test_mistake_a_token_that_is_not_ascii_makes_the_comparison_raise(gateway: Gateway) -> None:
    """Every wrong token is one plain refusal, whatever it is made of, and the right one has umlauts."""
    refusals = [await refusal(gateway, auth(token=wrong)) for wrong in WRONG_TOKENS]
    assert {answer["code"] for answer in refusals} == {"auth_failed"}
    assert len({json.dumps(answer) for answer in refusals}) == 1
    async with client(gateway) as peer:
        assert peer.hello["type"] == "auth_ok"


@pytest.mark.parametrize("name", WRONG_KEYS)
@pytest.mark.parametrize("token", [TOKEN, "wrong"], ids=["right token", "wrong token"])
async def test_a_wrong_key_is_refused_with_the_very_words_for_a_wrong_token(
    gateway: Gateway, name: str, token: str
) -> None:
    fields: dict[str, Any] = {"token": token, "e2e_pk": None if WRONG_KEYS[name] is ... else WRONG_KEYS[name]}
    assert await refusal(gateway, auth(**fields)) == await refusal(gateway, auth(token="wrong"))


async def test_a_token_with_a_lone_surrogate_is_refused_and_harms_nobody(gateway: Gateway) -> None:
    answer = await refusal(gateway, auth(token="\ud800"))
    assert answer["code"] in ("auth_failed", "auth_required")


async def test_mistake_an_empty_configured_token_equals_an_empty_given_one(serve: Serve) -> None:
    nothings: list[object] = ["", None, "x", 0, False, [], b""]
    for nothing in nothings:
        assert not TokenGate("").opens(nothing)
    async with serve(token="") as gateway:
        for given in ("", None, "x"):
            assert (await refusal(gateway, auth(token=given)))["code"] == "auth_failed"
        for header in ("Bearer ", "Bearer", "Bearer  ", ""):
            request = f"GET /api/status HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\nConnection: close\r\n\r\n"
            assert (await raw_http(gateway, request))[0] == 401


async def test_a_stranger_who_was_refused_cannot_go_on(gateway: Gateway) -> None:
    async with connect(address(gateway), proxy=None) as socket:
        await socket.send(auth(token="wrong"))
        await socket.send(auth())
        assert json.loads(await socket.recv())["code"] == "auth_failed"
        with pytest.raises(ConnectionClosed):
            await socket.recv()


# --- sealed auth ------------------------------------------------------------------------------------------------------


def seal(gateway: Gateway, secret: PrivateKey, content: object = None, identity: bytes | None = None) -> str:
    """The token, sealed for the gateway's lasting identity."""
    to = PublicKey(base64.b64decode(gateway.server_key) if identity is None else identity)
    plaintext = json.dumps({"token": TOKEN} if content is None else content).encode()
    return b64(bytes(Box(secret, to).encrypt(plaintext)))


async def test_a_sealed_token_opens_and_is_answered_with_proof_of_the_server(serve: Serve) -> None:
    async with serve({"api.require_sealed": True}) as gateway:
        secret = PrivateKey.generate()
        sealed = seal(gateway, secret)
        async with client(gateway, secret=secret, token=None, sealed=sealed) as peer:
            identity = PublicKey(base64.b64decode(gateway.server_key))
            proof = base64.b64decode(peer.hello["proof"], validate=True)
            assert Box(secret, identity).decrypt(proof) == base64.b64decode(peer.hello["e2e_pk"])
            with pytest.raises(CryptoError):
                Box(PrivateKey.generate(), identity).decrypt(proof)
            assert await peer.quiet() == []
        assert (await refusal(gateway, auth()))["code"] == "auth_failed", "plaintext tokens are refused"
        assert (await refusal(gateway, auth(secret, sealed=seal(gateway, PrivateKey.generate()))))[
            "code"
        ] == "auth_failed"


async def test_a_plaintext_token_gets_no_proof(gateway: Gateway) -> None:
    async with client(gateway) as peer:
        assert "proof" not in peer.hello


async def test_a_seal_that_does_not_open_or_holds_no_token_fails_like_a_wrong_token(gateway: Gateway) -> None:
    secret, plain = PrivateKey.generate(), await refusal(gateway, auth(token="wrong"))
    good = seal(gateway, secret)
    stranger = PrivateKey.generate()
    wrong: dict[str, object] = {
        "for another identity": seal(gateway, secret, identity=bytes(PrivateKey.generate().public_key)),
        "from another client's key": seal(gateway, stranger),
        "wrong token": seal(gateway, secret, {"token": "wrong"}),
        "token of another type": seal(gateway, secret, {"token": [TOKEN]}),
        "no token": seal(gateway, secret, {}),
        "no object": seal(gateway, secret, [TOKEN]),
        "lone surrogate": seal(gateway, secret, {"token": "\ud800"}),
        "the bare token": TOKEN,
        "empty": "",
        "a number": 7,
        "an object": {"token": TOKEN},
        "true": True,
        "URL-safe": good.replace("+", "-").replace("/", "_") + "-",
        "cut": good[:-4],
        "only a nonce": b64(os.urandom(24)),
        "not UTF-8 within": b64(bytes(Box(secret, PublicKey(base64.b64decode(gateway.server_key))).encrypt(b"\xff"))),
        "deeply nested": b64(
            bytes(Box(secret, PublicKey(base64.b64decode(gateway.server_key))).encrypt(b'{"token":' + b"[" * 20_000))
        ),
    }
    for name, sealed in wrong.items():
        assert await refusal(gateway, auth(secret, token=None, sealed=sealed)) == plain, name


async def test_a_bad_seal_is_not_made_good_by_a_plaintext_token_beside_it(gateway: Gateway) -> None:
    assert (await refusal(gateway, auth(sealed="nonsense")))["code"] == "auth_failed"


async def test_somebody_elses_seal_does_not_let_the_one_who_overheard_it_in(gateway: Gateway) -> None:
    """Replayed with its sender's key it passes, as nothing in it is fresh; but then what follows cannot be read or written."""
    secret = PrivateKey.generate()
    sealed = seal(gateway, secret)
    assert (await refusal(gateway, auth(token=None, sealed=sealed)))["code"] == "auth_failed"
    async with connect(address(gateway), proxy=None) as socket:
        await socket.send(auth(secret, token=None, sealed=sealed))
        hello = json.loads(await socket.recv())
        thief = Box(PrivateKey.generate(), PublicKey(base64.b64decode(hello["e2e_pk"])))
        await socket.send(b64(bytes(thief.encrypt(b'{"type":"abort"}'))))
        with pytest.raises(CryptoError):
            thief.decrypt(base64.b64decode(await socket.recv()))


# --- origins, extensions ---------------------------------------------------------------------------------------------


async def test_browsers_come_from_our_own_origin_or_an_allowed_one(serve: Serve) -> None:
    async with serve({"api.allowed_origins": ["https://chat.example"]}) as gateway:
        for origin in (gateway.url, "https://chat.example"):
            async with client(gateway, options={"origin": origin}) as peer:
                assert peer.hello["type"] == "auth_ok"
        foreign = [
            "http://evil.example",
            "https://chat.example.evil.example",
            "https://chat.example:444",
            "http://chat.example",
            f"http://127.0.0.1:{gateway.port + 1}",
            f"http://localhost:{gateway.port}",
            f"http://user@127.0.0.1:{gateway.port}",
            "null",
            "",
        ]
        for origin in foreign:
            status, body = await turned_away(gateway, additional_headers={"Origin": origin})
            assert (origin, status, body["code"]) == (origin, 403, "forbidden")


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://h\u2100"])
async def test_an_origin_that_cannot_be_parsed_is_a_foreign_one(gateway: Gateway, origin: str) -> None:
    """It must not break the connection without an answer, nor anybody else's."""
    header = origin.encode().decode("latin-1")
    raw = await RawSocket.connect(gateway, f"Origin: {header}")
    try:
        assert raw.response.startswith(b"HTTP/1.1 403 ")
    finally:
        await raw.close()


async def test_mistake_permessage_deflate_left_on_for_ciphertext(gateway: Gateway) -> None:
    """It is never negotiated, however it is offered, and a frame that claims it is a protocol error."""
    async with client(gateway, options={"compression": "deflate"}) as peer:
        assert peer.socket.protocol.extensions == []
        assert await peer.quiet() == []
    raw = await RawSocket.connect(
        gateway, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"
    )
    try:
        assert raw.response.startswith(b"HTTP/1.1 101 ")
        assert b"extensions" not in raw.response.lower()
        raw.write(RawSocket.frame(auth().encode()))
        assert json.loads((await raw.read_frame())[1])["type"] == "auth_ok"
        raw.write(RawSocket.frame(b"x", rsv1=True))
        assert await raw.read_close() == 1002
    finally:
        await raw.close()


@pytest.mark.parametrize("path", ["/", "/ws/", "/wss", "/api/ws", "//ws"])
async def test_there_is_a_websocket_at_one_path_only(gateway: Gateway, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address(gateway).removesuffix("/ws") + path, proxy=None):
            pass
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body or b"null")["code"] == "not_found"
