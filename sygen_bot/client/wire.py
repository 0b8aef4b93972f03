"""One encrypted connection to a gateway: the handshake, and messages in both directions."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.exceptions import InvalidMessage as NoHttp
from websockets.frames import CloseCode

from sygen_bot.api import crypto
from sygen_bot.api.protocol import (
    MAX_SERVER_FRAME_BYTES,
    AuthOk,
    AuthRequest,
    ClientMessage,
    HandshakeError,
    Received,
    decode_server_event,
    encode_auth,
    encode_client_message,
    parse_handshake_answer,
)
from sygen_bot.client.errors import CannotConnect, ConnectionLost, HandshakeRefused
from sygen_bot.errors import DecryptFailed, InvalidMessage

OPEN_TIMEOUT_S: Final = 10.0
_STATUSES: Final = {
    404: "there is no gateway at this path",
    503: "it is stopping or full; try again in a moment",
}
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a gateway is and what opens it. `server_key`: its identity key as base64; with it the token is sealed."""

    url: str
    token: str
    server_key: bytes | None

    @classmethod
    def parse(cls, url: str, token: str | None, server_key: str | None) -> Self:
        """From an http(s) or ws(s) URL, or a link whose fragment holds `token` and `server`; what is given aside comes first.

        Raises CannotConnect for what is no such URL, HandshakeRefused for a key that is none.
        """
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise CannotConnect(url.partition("#")[0], "that is no http:// or ws:// address")
        path = parts.path.rstrip("/")
        endpoint = urlunsplit(
            (_SCHEMES[parts.scheme], parts.netloc, path if path.endswith("/ws") else f"{path}/ws", "", "")
        )
        # In a query `+` would be a space; in base64 it is a digit.
        link = parse_qs(parts.fragment.replace("+", "%2B"))
        key = server_key or link.get("server", [None])[0]
        try:
            known = None if key is None else crypto.decode_key(key)
        except crypto.InvalidKey as error:
            raise HandshakeRefused("wrong_server", "The server key is not a key: base64 of 32 bytes.") from error
        return cls(url=endpoint, token=token or link.get("token", [""])[0], server_key=known)

    @property
    def http_url(self) -> str:
        """Where the HTTP API of the same gateway begins."""
        return f"http{self.url.removeprefix('ws').removesuffix('/ws')}"

    @property
    def is_loopback(self) -> bool:
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class Wire:
    """An authenticated connection. `hello` is the gateway's answer to the handshake."""

    def __init__(self, socket: ClientConnection, encryption: crypto.E2ESession, hello: AuthOk) -> None:
        self._socket = socket
        self._encryption = encryption
        self.hello = hello

    async def send(self, message: ClientMessage) -> None:
        """Raises ConnectionLost."""
        try:
            await self._socket.send(self._encryption.seal(encode_client_message(message)).decode("ascii"))
        except ConnectionClosed as error:
            raise _lost(error) from error

    async def receive(self) -> Received | None:
        """The next event; None for one this version does not know. Raises ConnectionLost.

        A frame that does not open means that somebody meddles with the connection: it is then given up.
        """
        try:
            return decode_server_event(self._encryption.open(await self._socket.recv(decode=False)))
        except ConnectionClosed as error:
            raise _lost(error) from error
        except (DecryptFailed, InvalidMessage) as error:
            raise ConnectionLost from error

    async def close(self) -> None:
        await self._socket.close()


async def open_wire(address: Address, request: AuthRequest, *, ssl_context: ssl.SSLContext | None) -> Wire:
    """Connect and get let in. `request` says what is asked for; keys and token are added to it.

    Raises CannotConnect (worth another try later) or HandshakeRefused (not).
    """
    default_tls = True if address.url.startswith("wss:") else None
    try:
        socket = await open_socket(
            address.url,
            compression=None,
            max_size=MAX_SERVER_FRAME_BYTES,
            open_timeout=OPEN_TIMEOUT_S,
            proxy=None if address.is_loopback else True,
            ssl=ssl_context or default_tls,
        )
    except (OSError, WebSocketException, ValueError) as error:
        raise CannotConnect(address.url, _reason(error, is_tls=address.url.startswith("wss:"))) from error
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            return await _shake_hands(socket, address, request)
    except (ConnectionClosed, TimeoutError, InvalidMessage) as error:
        await socket.close()
        raise CannotConnect(address.url, "it does not answer as a gateway does") from error
    except BaseException:
        await socket.close()
        raise


async def _shake_hands(socket: ClientConnection, address: Address, request: AuthRequest) -> Wire:
    public, private = crypto.new_key_pair()
    try:
        identity_shared = None if address.server_key is None else crypto.agree(address.server_key, private)
    except crypto.InvalidKey as error:
        raise HandshakeRefused("wrong_server", "The server key is not a usable key.") from error
    sealed = None
    if identity_shared is not None:
        content = msgspec.json.encode({"token": address.token})
        sealed = crypto.seal_frame(identity_shared, os.urandom(crypto.NONCE_BYTES), content).decode("ascii")
    token = address.token if sealed is None else None
    first = msgspec.structs.replace(request, e2e_pk=crypto.encode_key(public), token=token, sealed=sealed)
    await socket.send(encode_auth(first).decode())
    answer = parse_handshake_answer(await socket.recv(decode=False))
    if isinstance(answer, HandshakeError):
        raise HandshakeRefused(answer.reason, str(answer))
    try:
        server_public = crypto.decode_key(answer.e2e_pk)
        shared = crypto.agree(server_public, private)
    except crypto.InvalidKey as error:
        raise InvalidMessage("the server's key is not usable") from error
    if identity_shared is not None:
        _check_proof(identity_shared, answer.proof, server_public)
    await asyncio.to_thread(crypto.libsodium)  # the first time, it is looked for among files
    return Wire(socket, crypto.E2ESession(role="client", shared_key=shared), answer)


def _check_proof(identity_shared: bytes, proof: str | None, server_public: bytes) -> None:
    """Only the holder of the identity key can have sealed the key that the gateway uses on this connection."""
    try:
        _, proven = crypto.open_frame(identity_shared, proof or "")
    except DecryptFailed:
        proven = b""
    if proven != server_public:
        raise HandshakeRefused(
            "wrong_server", "Who answers is not the gateway you know: it does not hold the identity key."
        )


def _lost(error: ConnectionClosed) -> ConnectionLost:
    said_by_them = error.rcvd if error.rcvd_then_sent is not False else None
    return ConnectionLost(was_too_large=said_by_them is not None and said_by_them.code == CloseCode.MESSAGE_TOO_BIG)


def _reason(error: Exception, *, is_tls: bool) -> str:
    """Why there is no connection, in words that need no library's manual."""
    if isinstance(error, InvalidStatus):
        return _STATUSES.get(error.response.status_code, f"it answers with HTTP {error.response.status_code}")
    if isinstance(error, NoHttp) and not is_tls:
        return "it does not answer in HTTP; if it speaks TLS, try https://"
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return "it does not speak TLS; try http://"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).rstrip(".") or type(error).__name__
