"""What every candidate runs: it answers commands, streams deltas, and can be asked how its streams are doing."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from nacl.public import Box, PrivateKey, PublicKey

from sygen_bot.api.crypto import E2ESession, agree, decode_key, encode_key, new_key_pair

FLOOD_PIECE = "x" * 1000


class Channel(Protocol):
    """A candidate's connection: how it sends a text frame, waiting while the peer is slow, and how it closes."""

    async def send(self, frame: bytes) -> None: ...
    async def close(self, code: int) -> None: ...


class Codec(Protocol):
    """From a delta or a message to a frame, and back."""

    def delta(self, text: str) -> bytes: ...
    def message(self, fields: dict[str, Any]) -> bytes: ...
    def opened(self, frame: bytes) -> dict[str, Any]: ...


class PlainCodec:
    """`json`, PyNaCl's `Box` and `base64`, as one would write it first."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def delta(self, text: str) -> bytes:
        return self.message({"type": "text_delta", "data": text})

    def message(self, fields: dict[str, Any]) -> bytes:
        return base64.b64encode(self._box.encrypt(json.dumps(fields).encode()))

    def opened(self, frame: bytes) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self._box.decrypt(base64.b64decode(frame)))
        return fields


class _TextDelta(msgspec.Struct, tag_field="type", tag="text_delta"):
    data: str


class ProjectCodec:
    """The project's own: msgspec, a key computed once, counted nonces, pybase64."""

    def __init__(self, encryption: E2ESession) -> None:
        self._encryption = encryption
        self._encode = msgspec.json.Encoder().encode

    def delta(self, text: str) -> bytes:
        return self._encryption.seal(self._encode(_TextDelta(text)))

    def message(self, fields: dict[str, Any]) -> bytes:
        return self._encryption.seal(self._encode(fields))

    def opened(self, frame: bytes) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.json.decode(self._encryption.open(frame))
        return fields


def plain_codec(hello: bytes) -> tuple[Codec, bytes]:
    """The codec for a peer and the answer to its first frame."""
    private = PrivateKey.generate()
    box = Box(private, PublicKey(base64.b64decode(json.loads(hello)["e2e_pk"])))
    return PlainCodec(box), json.dumps({"e2e_pk": base64.b64encode(bytes(private.public_key)).decode()}).encode()


def project_codec(hello: bytes) -> tuple[Codec, bytes]:
    """The codec for a peer and the answer to its first frame."""
    public, private = new_key_pair()
    shared = agree(decode_key(msgspec.json.decode(hello)["e2e_pk"]), private)
    codec = ProjectCodec(E2ESession(role="server", shared_key=shared))
    return codec, msgspec.json.encode({"e2e_pk": encode_key(public)})


CodecFactory = Callable[[bytes], tuple[Codec, bytes]]


class Application:
    """`flooded` counts what the last flood has handed to its stack so far."""

    def __init__(self) -> None:
        self.flooded = 0

    async def run(self, command: dict[str, Any], codec: Codec, channel: Channel) -> None:
        """Carry out one command of a client."""
        count = command.get("count", 0)
        match command["type"]:
            case "burst":
                for index in range(count):
                    await channel.send(codec.delta(f"{index:040d}"))
            case "tick":
                for index in range(count):
                    await asyncio.sleep(0)
                    await channel.send(codec.delta(f"{index:040d}"))
            case "flood":
                self.flooded = 0
                for _ in range(count):
                    await channel.send(codec.delta(FLOOD_PIECE))
                    self.flooded += 1
            case "close":
                await channel.close(command["code"])
                return
        await channel.send(codec.message({"type": "done", "flooded": self.flooded, "pid": os.getpid()}))
