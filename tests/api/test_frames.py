"""Encrypted frames: what opens, what is refused and how, and what an attacker on the wire can do with what was sent."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from nacl import bindings
from nacl.public import Box, PrivateKey, PublicKey
from websockets.exceptions import ConnectionClosed

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve
from tests.api.wire import PATIENCE_S, Client, Event, RawSocket, auth, b64, client, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "e2e-v1.json").read_text())
PING: Event = {"type": "ping"}
MAX_FAILURES = 16
MAX_FRAME_BYTES = 1024 * 1024


async def test_mistake_the_same_encrypted_frame_accepted_twice(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        frame = peer.seal({"type": "message", "text": "ECHO_HISTORY"})
        await peer.socket.send(frame)
        assert said(await peer.until("result")) == "I remember 0 turns."
        for _ in range(2):
            assert (await peer.refusal(frame))["code"] == "decrypt_failed"
        assert said(await peer.ask("ECHO_HISTORY")) == "I remember 1 turns."


async def test_a_nonce_used_again_for_another_message_is_refused(gateway: Gateway) -> None:
    async with client(gateway) as peer:
        nonce = os.urandom(24)
        await peer.socket.send(peer.seal(PING, nonce))
        assert (await peer.receive())["type"] == "pong"
        assert (await peer.refusal(peer.seal({"type": "abort"}, nonce)))["code"] == "decrypt_failed"


async def test_only_nonces_of_frames_that_opened_are_remembered(gateway: Gateway) -> None:
    """Else an attacker could make the server refuse a frame that he delays."""
    async with client(gateway) as peer:
        frame = peer.seal(PING)
        forged = base64.b64decode(frame)
        forged = forged[:-1] + bytes([forged[-1] ^ 1])
        assert (await peer.refusal(b64(forged)))["code"] == "decrypt_failed"
        await peer.socket.send(frame)
        assert (await peer.receive())["type"] == "pong"


async def test_mistake_the_servers_own_frame_accepted_when_reflected(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.ask("SAY hello")
        for frame in list(peer.frames):
            assert (await peer.refusal(frame))["code"] == "decrypt_failed"


async def test_a_frame_under_the_servers_nonce_prefix_counts_as_reflected_whatever_its_counter(
    gateway: Gateway,
) -> None:
    async with client(gateway) as peer:
        await peer.quiet()
        prefix = peer.nonces[-1][:16]
        for counter in (0, 1, 10**6, 2**64 - 1):
            frame = peer.seal(PING, prefix + counter.to_bytes(8, "big"))
            assert (await peer.refusal(frame))["code"] == "decrypt_failed"
        assert await peer.quiet() == []


async def test_a_frame_of_one_connection_does_not_open_on_another(gateway: Gateway) -> None:
    secret = PrivateKey.generate()
    async with client(gateway, secret=secret) as one, client(gateway, secret=secret) as other:
        assert (await other.refusal(one.seal(PING)))["code"] == "decrypt_failed"
        await one.quiet()
        await other.quiet()
        assert one.nonces[-1][:16] != other.nonces[-1][:16], "each connection has a prefix of its own"


def unopenable(peer: Client) -> dict[str, str | bytes]:
    good = peer.seal({"type": "ping", "padding": "x" * 100})
    raw = base64.b64decode(good)
    urlsafe = good
    while not {"+", "/"} & set(urlsafe):
        urlsafe = peer.seal(PING)
    padded = next(frame for n in range(3) if (frame := peer.seal(PING | {"x": "x" * n})).endswith("="))
    frames: dict[str, str | bytes] = {
        "empty": "",
        "plain JSON": '{"type":"ping"}',
        "not base64": "!!!!",
        "URL-safe alphabet": urlsafe.replace("+", "-").replace("/", "_"),
        "a space within": good[:40] + " " + good[40:],
        "a line break within": good[:40] + "\n" + good[40:],
        "a line break at the end": good + "\n",
        "a space at the start": " " + good,
        "padding missing": padded.rstrip("="),
        "padding too long": good + "====",
        "padding within": good[:40] + "====" + good[40:],
        "not ASCII": "ü" + good,
        "a nonce alone": b64(raw[:24]),
        "a nonce and half a tag": b64(raw[:32]),
        "tag changed": b64(raw[:24] + bytes([raw[24] ^ 1]) + raw[25:]),
        "nonce changed": b64(bytes([raw[0] ^ 1]) + raw[1:]),
        "one byte shorter": b64(raw[:-1]),
        "one byte longer": b64(raw + b"\0"),
        "another key": b64(bytes(Box(PrivateKey.generate(), PrivateKey.generate().public_key).encrypt(b"{}"))),
        "binary": good.encode(),
        "binary and raw": raw,
        "another auth frame": auth(),
    }
    return frames | {f"vector: {case['why']}": case["frame"] for case in VECTORS["bad_frames"]}


async def test_a_frame_that_cannot_be_opened_is_answered_encrypted_and_the_connection_goes_on(gateway: Gateway) -> None:
    async with client(gateway) as peer:
        for name, frame in unopenable(peer).items():
            answer = await peer.refusal(frame)
            assert (name, answer["code"]) == (name, "decrypt_failed")
            assert "id" not in answer
            assert await peer.quiet() == []


def nested(levels: int) -> bytes:
    """A ping whose deepest list or object is at `levels`, the message itself being the first."""
    return b'{"type":"ping","x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


NO_MESSAGES = {
    "not JSON": b"hello",
    "no bytes at all": b"",
    "cut short": b'{"type":"ping"',
    "something behind it": b'{"type":"ping"} x',
    "an array": b'[{"type":"ping"}]',
    "a text": b'"ping"',
    "a number": b"7",
    "null": b"null",
    "not UTF-8": b'{"type":"message","text":"\xff"}',
    "UTF-16": '{"type":"ping"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"type":"ping"}',
    "NaN": b'{"type":"ping","x":NaN}',
    "a high surrogate alone": b'{"type":"message","text":"SAY \\ud83d"}',
    "a low surrogate alone": b'{"type":"message","text":"SAY \\ude00"}',
    "surrogates the wrong way round": b'{"type":"message","text":"SAY \\ude00\\ud83d"}',
    "a lone surrogate in a name": b'{"type":"ping","\\ud800":1}',
    "a lone surrogate in UTF-8": b'{"type":"message","text":"SAY \xed\xa0\x80"}',
    "65 levels": nested(65),
    "65 levels of objects": b'{"type":"ping","x":' + b'{"a":' * 63 + b"{}" + b"}" * 64,
    "100,000 levels": nested(100_000),
    "100,000 levels that never close": b"[" * 100_000,
}


async def test_a_frame_that_opens_but_is_no_usable_json_object_is_invalid(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        for name, plaintext in NO_MESSAGES.items():
            answer = await peer.refusal(peer.seal(plaintext))
            assert (name, answer["code"]) == (name, "invalid")
            assert await peer.quiet() == [], name


async def test_64_levels_and_brackets_in_texts_are_fine(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        many = json.dumps({"type": "ping", "x": "[{" * 500, "y": [[], {}] * 500}).encode()
        for plaintext in (nested(64), many):
            await peer.socket.send(peer.seal(plaintext))
            assert (await peer.receive())["type"] == "pong"


async def test_a_pair_of_surrogates_is_one_character(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.socket.send(peer.seal(b'{"type":"message","text":"SAY \\ud83d\\ude00"}'))
        assert (await peer.until("result"))[-1]["text"] == "\U0001f600"


@pytest.mark.parametrize("kind", ["decrypt_failed", "invalid", "binary"])
async def test_sixteen_failures_in_a_row_close_the_connection(gateway: Gateway, kind: str) -> None:
    async with client(gateway) as peer:
        for _ in range(MAX_FAILURES):
            frames: dict[str, str | bytes] = {"decrypt_failed": "AAAA", "invalid": peer.seal(b"[]"), "binary": b"AAAA"}
            frame = frames[kind]
            assert (await peer.refusal(frame))["code"] == ("invalid" if kind == "invalid" else "decrypt_failed")
        assert await peer.close_code() == 1008


async def test_failures_of_all_kinds_count_together_and_a_success_resets_the_count(gateway: Gateway) -> None:
    async with client(gateway) as peer:
        replay = peer.seal(PING)
        await peer.socket.send(replay)
        assert (await peer.receive())["type"] == "pong"

        def failure(number: int) -> str | bytes:
            failures: list[str | bytes] = [replay, b"x", peer.seal(b"[]")]
            return failures[number % 3]

        for _ in range(3):
            for number in range(MAX_FAILURES - 1):
                await peer.refusal(failure(number))
            assert await peer.quiet() == []
        for number in range(MAX_FAILURES):
            await peer.refusal(failure(number))
        assert await peer.close_code() == 1008


async def test_refusals_of_readable_messages_are_no_failures(gateway: Gateway) -> None:
    async with client(gateway) as peer:
        for _ in range(3 * MAX_FAILURES):
            assert (await peer.refusal(peer.seal({"type": "nonsense"})))["code"] == "unknown_type"
        assert await peer.quiet() == []


async def test_a_frame_of_exactly_max_frame_bytes_is_read_and_a_larger_one_closes_with_1009(serve: Serve) -> None:
    limit = 64 * 1024
    async with serve({"api.max_frame_bytes": limit}) as gateway:

        def ping(peer: Client, size: int) -> str:
            room = size // 4 * 3 - 40
            bare = len(json.dumps(PING | {"x": ""}))
            return peer.seal(PING | {"x": "x" * (room - bare)})

        async with client(gateway) as peer:
            frame = ping(peer, limit)
            assert len(frame) == limit
            await peer.socket.send(frame)
            assert (await peer.receive())["type"] == "pong"
            await peer.socket.send([frame[:100], ""] + [""] * 50 + ["x" * limit])  # over it by its fragments
            assert await peer.close_code() == 1009
        async with client(gateway) as peer:
            await peer.socket.send(ping(peer, limit + 4))
            assert await peer.close_code() == 1009
        for _ in range(5):  # far larger, and sent in one go: the code still has to arrive
            async with client(gateway) as peer:
                sending = asyncio.create_task(peer.socket.send("x" * 3_000_000))
                assert await peer.close_code() == 1009
                await asyncio.gather(sending, return_exceptions=True)


async def test_a_large_frame_arrives_and_what_follows_it_too(gateway: Gateway, chat: int) -> None:
    """Reading goes on after a frame that the socket had to take in several pieces."""
    async with client(gateway, chat_id=chat) as peer:
        for size in (15_000, 20_000, 50_000, 100_000, 300_000, 700_000):
            await peer.socket.send(peer.seal(PING | {"x": "x" * size}))
            assert (await peer.receive())["type"] == "pong", size
        text = "a" * 200_000
        assert (await peer.ask(text))[-1]["text"] == f"You said: {text}"


async def test_a_huge_frame_is_refused_by_its_announced_size(gateway: Gateway) -> None:
    raw = await RawSocket.connect(gateway)
    try:
        raw.write(RawSocket.frame(auth().encode()))
        assert json.loads((await raw.read_frame())[1])["type"] == "auth_ok"
        raw.write(RawSocket.frame(b"x" * (MAX_FRAME_BYTES + 1))[:20])  # nothing of it has to arrive first
        assert await raw.read_close() == 1009
    finally:
        await raw.close()


async def test_fragments_are_joined_with_pings_between_them(gateway: Gateway) -> None:
    raw, secret = await RawSocket.connect(gateway), PrivateKey.generate()
    try:
        raw.write(RawSocket.frame(auth(secret).encode()))
        hello = json.loads((await raw.read_frame())[1])
        box = Box(secret, PublicKey(base64.b64decode(hello["e2e_pk"])))
        frame = b64(bytes(box.encrypt(json.dumps(PING).encode()))).encode()
        raw.write(RawSocket.frame(frame[:30], fin=False))
        raw.write(RawSocket.frame(b"are you there", opcode=9))
        assert await raw.read_frame() == (10, b"are you there")
        raw.write(RawSocket.frame(b"", opcode=0, fin=False) + RawSocket.frame(frame[30:], opcode=0))
        opcode, answer = await raw.read_frame()
        assert opcode == 1
        assert json.loads(box.decrypt(base64.b64decode(answer))) == {"type": "pong"}
    finally:
        await raw.close()


@pytest.mark.parametrize("name", ["unmasked", "unknown opcode", "continuation of nothing", "long ping"])
async def test_a_frame_against_the_rules_of_websockets_closes_with_1002(gateway: Gateway, name: str) -> None:
    raw = await RawSocket.connect(gateway)
    try:
        raw.write(RawSocket.frame(auth().encode()))
        assert json.loads((await raw.read_frame())[1])["type"] == "auth_ok"
        frames = {
            "unmasked": RawSocket.frame(b"x", masked=False),
            "unknown opcode": RawSocket.frame(b"x", opcode=3),
            "continuation of nothing": RawSocket.frame(b"x", opcode=0),
            "long ping": RawSocket.frame(b"x" * 126, opcode=9),
        }
        raw.write(frames[name])
        assert await raw.read_close() == 1002
    finally:
        await raw.close()


async def test_after_100000_frames_the_client_has_to_connect_anew(gateway: Gateway) -> None:
    """The nonces that are remembered against replays are bounded."""
    raw, secret = await RawSocket.connect(gateway), PrivateKey.generate()
    try:
        raw.write(RawSocket.frame(auth(secret).encode()))
        hello = json.loads((await raw.read_frame())[1])
        shared = bindings.crypto_box_beforenm(base64.b64decode(hello["e2e_pk"]), bytes(secret))
        frames = []
        for number in range(100_001):
            nonce = number.to_bytes(24, "big")
            frames.append(
                RawSocket.frame(
                    base64.b64encode(nonce + bindings.crypto_box_easy_afternm(b'{"type":"ping"}', nonce, shared))
                )
            )
        writing = asyncio.create_task(_write_all(raw, b"".join(frames)))
        pongs = 0
        while (frame := await raw.read_frame())[0] == 1:
            pongs += 1
        assert (pongs, frame[0], frame[1][:2]) == (100_000, 8, (1012).to_bytes(2, "big"))
        await writing
    finally:
        await raw.close()


async def _write_all(raw: RawSocket, data: bytes) -> None:
    async with asyncio.timeout(60):
        for start in range(0, len(data), 65536):
            raw.write(data[start : start + 65536])
            await raw.writer.drain()


async def test_a_client_that_floods_with_junk_delays_nobody_else(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat) as quiet:
        for _ in range(3):
            async with client(gateway) as peer:
                try:
                    for _ in range(200):
                        await peer.socket.send("x" * 10_000)
                except ConnectionClosed:
                    pass
                async with asyncio.timeout(PATIENCE_S):
                    assert said(await quiet.ask("SAY still here")) == "still here"
