"""End-to-end encryption of frames: NaCl Box (Curve25519-XSalsa20-Poly1305) on a key computed once per connection.

A frame is `base64(nonce[24] || box)`, standard alphabet, padded. The only place where frames are made and opened.

Frames are made by libsodium directly, small ones, of which there are many, in a buffer that each connection keeps: it is PyNaCl's own copy,
called by libsodium's documented C interface. Where it cannot be called so, PyNaCl's functions do the same.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import struct
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final, Literal

import cffi
import pybase64
from nacl import bindings
from nacl.exceptions import CryptoError

from sygen_bot.errors import DecryptFailed, SygenError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 24
TAG_BYTES: Final = 16
PREFIX_BYTES: Final = 16
MAX_REMEMBERED_NONCES: Final = 100_000

_COUNTER = struct.Struct(">Q")
_SMALLEST_FRAME = NONCE_BYTES + TAG_BYTES
_BUFFER_BYTES = 1024
_LARGEST_IN_BUFFER = _BUFFER_BYTES - _SMALLEST_FRAME
_C_INTERFACE = """
    int sodium_init(void);
    int crypto_box_easy_afternm(unsigned char *c, const unsigned char *m, unsigned long long mlen,
                                const unsigned char *n, const unsigned char *k);
"""  # https://doc.libsodium.org/public-key_cryptography/authenticated_encryption#precalculation-interface


class InvalidKey(SygenError):
    """Not a usable Curve25519 public key: not base64 of 32 bytes, or a low-order point."""

    code = "auth_failed"


class NonceLimitReached(SygenError):
    """The peer has sent as many frames as one connection may carry; it has to connect anew."""

    code = "reconnect"


def decode_key(text: object) -> bytes:
    """The 32 bytes of a public key that arrived as base64. Raises InvalidKey; low-order points show up in `agree`."""
    if not isinstance(text, str):
        raise InvalidKey("the key is not text")
    try:
        key = pybase64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise InvalidKey("the key is not base64") from error
    if len(key) != KEY_BYTES:
        raise InvalidKey("the key is not 32 bytes")
    return key


def encode_key(key: bytes) -> str:
    """A key as base64 text."""
    return pybase64.b64encode(key).decode("ascii")


def new_key_pair() -> tuple[bytes, bytes]:
    """A fresh (public, private) Curve25519 key pair, 32 bytes each."""
    public, private = bindings.crypto_box_keypair()
    return bytes(public), bytes(private)


def public_key(private: bytes) -> bytes:
    """The public half of a private key."""
    return bytes(bindings.crypto_scalarmult_base(private))


def agree(peer_public: bytes, private: bytes) -> bytes:
    """The shared key of two parties, 32 bytes. Raises InvalidKey for a low-order point."""
    try:
        return bytes(bindings.crypto_box_beforenm(peer_public, private))
    except CryptoError as error:
        raise InvalidKey("the key is not a usable point") from error


def seal_frame(shared_key: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    """The frame that carries `plaintext`. The caller answers for the nonce being used once."""
    return pybase64.b64encode(nonce + bindings.crypto_box_easy_afternm(plaintext, nonce, shared_key))


def open_frame(shared_key: bytes, frame: bytes | str) -> tuple[bytes, bytes]:
    """(nonce, plaintext) of a frame. Raises DecryptFailed for anything but a frame sealed with `shared_key`."""
    try:
        raw = pybase64.b64decode(frame, validate=True)
    except ValueError as error:
        raise DecryptFailed from error
    if len(raw) < _SMALLEST_FRAME:
        raise DecryptFailed
    nonce = raw[:NONCE_BYTES]
    try:
        return nonce, bindings.crypto_box_open_easy_afternm(raw[NONCE_BYTES:], nonce, shared_key)
    except CryptoError as error:
        raise DecryptFailed from error


@cache
def libsodium() -> tuple[cffi.FFI, Any] | None:
    """The libsodium in PyNaCl's package, for direct calls; None where its functions are not to be had."""
    ffi = cffi.FFI()
    ffi.cdef(_C_INTERFACE)
    for file in importlib.metadata.files("pynacl") or ():
        if file.suffix in (".so", ".dylib", ".pyd"):
            try:
                library = ffi.dlopen(str(file.locate()))
                if library.sodium_init() >= 0:
                    return ffi, library
            except (OSError, AttributeError):
                continue
    return None


def seal_large(shared_key: bytes, nonce: bytes, plaintext: bytes, *, direct: bool = True) -> bytes:
    """`seal_frame` in a buffer of its own, for any thread: if it is `direct`, all others go on meanwhile. PyNaCl copies twice, and stops them for that."""
    found = libsodium() if direct else None
    if found is None:
        return seal_frame(shared_key, nonce, plaintext)
    ffi, library = found
    frame = bytearray(_SMALLEST_FRAME + len(plaintext))
    frame[:NONCE_BYTES] = nonce
    box = ffi.from_buffer("unsigned char[]", frame) + NONCE_BYTES
    library.crypto_box_easy_afternm(box, plaintext, len(plaintext), nonce, shared_key)
    return pybase64.b64encode(frame)


def frame_maker(shared_key: bytes, *, direct: bool = True) -> Callable[[bytes, bytes], bytes]:
    """`seal_frame` for one connection: from a nonce and a plaintext to a frame. Of one thread only, unless not `direct`."""
    found = libsodium() if direct else None
    if found is None:
        return partial(seal_frame, shared_key)
    ffi, library = found
    encrypt, encode = library.crypto_box_easy_afternm, pybase64.b64encode
    buffer = bytearray(_BUFFER_BYTES)
    view, box = memoryview(buffer), ffi.from_buffer("unsigned char[]", buffer) + NONCE_BYTES

    def make(nonce: bytes, plaintext: bytes) -> bytes:
        size = len(plaintext)
        if size > _LARGEST_IN_BUFFER:
            return seal_large(shared_key, nonce, plaintext)
        buffer[:NONCE_BYTES] = nonce
        encrypt(box, plaintext, size, nonce, shared_key)
        return encode(view[: size + _SMALLEST_FRAME])

    return make


def counted_nonces(prefix: bytes) -> Callable[[], bytes]:
    """A source of nonces that never repeats: `prefix` (16 bytes) and a 64-bit big-endian counter from 0."""
    following, pack = itertools.count().__next__, _COUNTER.pack
    return lambda: prefix + pack(following())


class E2ESession:
    """One side of one encrypted connection.

    `role` decides what is asked of the peer's nonces. A server remembers the nonces of frames that opened, so that a
    repeated frame is refused, and raises NonceLimitReached after `MAX_REMEMBERED_NONCES`. A client asks more of a
    server: one prefix, and a counter that grows. Both refuse a frame that carries their own nonce prefix (a reflection).

    `nonces`: the source of this side's nonces; the default is a fresh random prefix and a counter. `prefix` belongs to it.
    `direct`: libsodium is called directly where it can be. Of one thread only, but for what `sealer` gives.
    """

    def __init__(
        self,
        *,
        role: Literal["server", "client"],
        shared_key: bytes,
        prefix: bytes | None = None,
        nonces: Callable[[], bytes] | None = None,
        direct: bool = True,
    ) -> None:
        self._direct = direct
        self._make: Callable[[bytes, bytes], bytes] | None = (
            None  # made when needed: a quiet connection needs no buffer
        )
        self._key = shared_key
        self._prefix = os.urandom(PREFIX_BYTES) if prefix is None else prefix
        self._next_nonce = counted_nonces(self._prefix) if nonces is None else nonces
        self._check = self._check_as_server if role == "server" else self._check_as_client
        self._seen: set[bytes] = set()
        self._peer_prefix: bytes | None = None
        self._peer_counter = -1

    def seal(self, plaintext: bytes) -> bytes:
        """The next frame to send."""
        make = self._make
        if make is None:
            make = self._make = frame_maker(self._key, direct=self._direct)
        return make(self._next_nonce(), plaintext)

    def sealer(self) -> Callable[[bytes], bytes]:
        """`seal` for one frame, with the nonce taken now: safe to call later on another thread."""
        return partial(seal_large, self._key, self._next_nonce(), direct=self._direct)

    def open(self, frame: bytes | str) -> bytes:
        """The plaintext of a frame that arrived. Raises DecryptFailed (also for repeated or reflected frames) or NonceLimitReached."""
        nonce, plaintext = open_frame(self._key, frame)
        if nonce[:PREFIX_BYTES] == self._prefix:
            raise DecryptFailed
        self._check(nonce)
        return plaintext

    def _check_as_server(self, nonce: bytes) -> None:
        if nonce in self._seen:
            raise DecryptFailed
        if len(self._seen) >= MAX_REMEMBERED_NONCES:
            raise NonceLimitReached("this connection has carried all the frames it may")
        self._seen.add(nonce)

    def _check_as_client(self, nonce: bytes) -> None:
        prefix, (counter,) = nonce[:PREFIX_BYTES], _COUNTER.unpack(nonce[PREFIX_BYTES:])
        if (self._peer_prefix is not None and prefix != self._peer_prefix) or counter <= self._peer_counter:
            raise DecryptFailed
        self._peer_prefix, self._peer_counter = prefix, counter
